/** What earlier runs of a pipeline on this machine say of its stages: the newest word on each. */
import { join } from 'node:path'
import type { Digest } from '../artifact.ts'
import { readLog, runIds } from './log.ts'

export interface PastStart {
  readonly run: string
  readonly reason: string
  readonly at: string
}

/** What one run said of one stage. */
interface Said {
  key: Digest | null
  start: PastStart | null
  durationMs: number | null
}

/** Reads each log once, newest first, and none before somebody asks for a stage that the newer ones do not know. */
export class Past {
  readonly #stateDir: string
  readonly #pipeline: string
  readonly #read: ReadonlyMap<string, Said>[] = []
  #unread: string[] | null = null

  constructor(stateDir: string, pipeline: string) {
    this.#stateDir = stateDir
    this.#pipeline = pipeline
  }

  /** The key that a stage had in the newest run that finished it, or found it finished. */
  lastKey(stage: string): Digest | null {
    return this.#newest(stage, ({ key }) => key)
  }

  /** The newest start of a stage. */
  lastStart(stage: string): PastStart | null {
    return this.#newest(stage, ({ start }) => start)
  }

  /** How long it took in the newest run that made it. */
  lastMs(stage: string): number | null {
    return this.#newest(stage, ({ durationMs }) => durationMs)
  }

  #newest<T>(stage: string, pick: (said: Said) => T | null): T | null {
    for (let at = 0; ; at++) {
      const run = this.#read[at] ?? this.#next()
      if (run === null) return null
      const said = run.get(stage)
      const found = said === undefined ? null : pick(said)
      if (found !== null) return found
    }
  }

  /** The next older run of this pipeline; null when there is none. */
  #next(): ReadonlyMap<string, Said> | null {
    this.#unread ??= [...runIds(this.#stateDir)]
    for (let id = this.#unread.pop(); id !== undefined; id = this.#unread.pop()) {
      const run = this.#index(id)
      if (run === null) continue
      this.#read.push(run)
      return run
    }
    return null
  }

  #index(id: string): ReadonlyMap<string, Said> | null {
    const events = readLog(join(this.#stateDir, 'runs', id, 'run.jsonl'))
    if (!events.some((event) => event.type === 'run.start' && event.pipeline === this.#pipeline)) return null
    const stages = new Map<string, Said>()
    const of = (stage: string): Said => {
      const said = stages.get(stage) ?? { key: null, start: null, durationMs: null }
      stages.set(stage, said)
      return said
    }
    for (const event of events) {
      if (event.type === 'stage.start')
        of(event.stage).start ??= { run: id, reason: event.reason, at: event.t }
      if (event.type === 'stage.done' || event.type === 'stage.cached') of(event.stage).key ??= event.key
      if (event.type === 'stage.done') of(event.stage).durationMs ??= event.durationMs
    }
    return stages
  }
}
