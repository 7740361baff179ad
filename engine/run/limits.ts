/** What ends a stage before its own end: its timeout, and its watches on live values. */
import { decide } from '../../dsl/judge.ts'
import type { ScoreSet } from '../../dsl/judge.ts'
import { LIVE } from '../../dsl/pipeline.ts'
import type { Stage } from '../../dsl/pipeline.ts'

/** Counts a stage's timeout from its first slot on: waiting for others is not its time. */
export class Clock {
  readonly #limitMs: number | null
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout | null = null

  constructor(limitMs: number | null) {
    this.#limitMs = limitMs
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get words(): string {
    return `it ran longer than its timeout of ${String((this.#limitMs ?? 0) / 1000)} s`
  }

  start(): void {
    if (this.#limitMs !== null) this.#timer ??= setTimeout(() => this.#controller.abort(), this.#limitMs)
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}

/** Holds a stage's live values against its `watch:` and stops it at the first that holds. */
export class Watcher {
  readonly #stage: Stage
  readonly #controller = new AbortController()
  words = ''

  constructor(stage: Stage) {
    this.#stage = stage
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  see(done: number, unit: string, values: Readonly<Record<string, number | null>>): void {
    const live: ScoreSet = { ruler: null, origin: this.#stage.name, values }
    const scores = { judged: live, spaces: { [LIVE]: live } }
    for (const watch of this.#stage.watch) {
      const { value, operands } = decide(watch.expression, scores, {})
      if (value !== true || this.#controller.signal.aborted) continue
      const seen = operands.map(({ text, value: number }) => `${text} = ${String(number)}`).join(', ')
      this.words = `its watch stopped it at ${unit} ${String(done)}: ${watch.text} (${seen})`
      this.#controller.abort()
    }
  }
}
