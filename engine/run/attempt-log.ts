/** What is kept of one attempt, in `runs/<run>/<stage>/<n>/`: the talk with its worker, and what was printed. */
import { appendFileSync, closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export class AttemptLog {
  readonly #folder: string
  #events: number | null

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true })
    this.#folder = folder
    this.#events = openSync(join(folder, 'events.jsonl'), 'a')
  }

  /** Every job as it was sent, every message that came back, and how the attempt ended: one line each. */
  event(event: object): void {
    // A worker that was stopped may still say something.
    if (this.#events !== null) writeSync(this.#events, `${JSON.stringify(event)}\n`)
  }

  print(text: string): void {
    appendFileSync(join(this.#folder, 'log'), text)
  }

  close(): void {
    if (this.#events !== null) closeSync(this.#events)
    this.#events = null
  }
}
