/** One line an event, for CI and pipes: no cursor codes, a heartbeat while a stage runs. */
import type { Logged } from '../../engine/run/events.ts'
import type { RunState } from '../../engine/run/state.ts'
import { bytes, duration, number } from './style.ts'
import { exportText, summaryText, timeLeft } from './progress.ts'

/** How often a stage that says nothing is named: CI stops jobs which print nothing. */
const SILENT_MS = 60_000

export class PlainReport {
  readonly #write: (text: string) => void
  readonly #everyMs: number
  readonly #lastAt = new Map<string, number>()
  #state: RunState | null = null
  readonly #heart = setInterval(() => this.#beat(), SILENT_MS).unref()

  /** @param everyMs at least this long between two progress lines of a stage */
  constructor(write: (text: string) => void, everyMs: number) {
    this.#write = write
    this.#everyMs = everyMs
  }

  take(state: RunState, event: Logged): void {
    this.#state = state
    const line = this.#line(state, event)
    if (line !== null) this.#write(`${event.t.slice(11, 19)} ${line}\n`)
  }

  end(): void {
    clearInterval(this.#heart)
  }

  #beat(): void {
    const now = Date.now()
    for (const { name, status, startedAt } of this.#state?.stages.values() ?? []) {
      if (status !== 'running' || startedAt === null || now - (this.#lastAt.get(name) ?? 0) < SILENT_MS)
        continue
      this.#lastAt.set(name, now)
      const time = new Date(now).toISOString().slice(11, 19)
      this.#write(`${time} ${name.padEnd(12)} runs     for ${duration(now - startedAt)}\n`)
    }
  }

  #line(state: RunState, event: Logged): string | null {
    switch (event.type) {
      case 'run.start':
        return `${event.pipeline}  run ${event.run}`
      case 'run.waiting':
        return `waiting to show the outputs, for ${event.holder}`
      case 'stage.waiting':
        return `${event.stage.padEnd(12)} waits    the same is being made by ${event.holder}`
      case 'stage.pulling':
        return `${event.stage.padEnd(12)} pulls    ${bytes(event.bytes)} that others have made`
      case 'stage.cached':
        return `${event.stage.padEnd(12)} cached${event.from === null ? '' : `   ${event.from}`}`
      case 'stage.start':
        this.#lastAt.set(event.stage, Date.parse(event.t))
        return `${event.stage.padEnd(12)} start    ${event.reason}`
      case 'progress': {
        const now = Date.parse(event.t)
        if (now - (this.#lastAt.get(event.stage) ?? 0) < this.#everyMs) return null
        this.#lastAt.set(event.stage, now)
        const left = timeLeft(state.stages.get(event.stage)?.progress ?? null, now)
        const values = Object.entries(event.values).map(([name, value]) => `  ${name} ${number(value)}`)
        return `${event.stage.padEnd(12)} ${event.op} ${String(event.done)}/${String(event.total)} ${event.unit}${values.join('')}${left === null ? '' : `  left ${duration(left)}`}`
      }
      case 'note':
        return `${event.stage.padEnd(12)} ${event.level}: ${event.text}`
      case 'stage.checkpoint':
        return null
      case 'stage.resumed':
        return `${event.stage.padEnd(12)} resumed  from the checkpoint of step ${String(event.step)}`
      case 'stage.done':
        return `${event.stage.padEnd(12)} done     ${duration(event.durationMs)}  ${summaryText(event.summary)}`
      case 'stage.exported':
        return `${event.stage.padEnd(12)} ${event.written ? 'wrote ' : 'kept  '}   ${exportText(event.summary)}`
      case 'stage.chosen':
        return `${event.stage.padEnd(12)} chose    ${event.chosen}  ${summaryText(event.summary)}`
      case 'stage.retry':
        return `${event.stage.padEnd(12)} RETRY    attempt ${String(event.attempt)} failed: ${event.message}${event.waitMs === 0 ? '' : `; again in ${duration(event.waitMs)}`}`
      case 'stage.paused':
        return `${event.stage.padEnd(12)} PAUSED   waits for people: ${event.waitsFor}`
      case 'stage.failed':
        return `${event.stage.padEnd(12)} FAILED   ${event.message}`
      case 'stage.skipped':
        return `${event.stage.padEnd(12)} skipped  ${event.because}`
      case 'gate.verdict':
        return `${event.stage.padEnd(12)} ${event.verdict.verdict.toUpperCase()}`
      case 'stage.pushed':
        return `${event.stage.padEnd(12)} pushed   ${bytes(event.bytes)}`
      case 'remote.trouble':
        return `remote cache ${event.text}`
      case 'stage.pulled':
      case 'metric':
      case 'gate.check':
      case 'run.done':
        return null
    }
  }
}
