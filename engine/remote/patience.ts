/** How long a remote is borne with: a few tries with growing pauses, and after repeated failures it is left alone. */
import { setTimeout as sleep } from 'node:timers/promises'
import { RemoteTrouble } from './transport.ts'

/** Tries of one request. A silent server has had its time, a refusal is an answer: both are not tried again. */
const TRIES = 3
const FIRST_PAUSE_MS = 300
/** A server that wants to be left alone for longer is left alone. */
const LONGEST_PAUSE_MS = 5_000
/** Requests in a row that may fail, each after all its tries, before no more are made. */
const FAILURES_IN_A_ROW = 2

export type Pause = (ms: number, signal: AbortSignal) => Promise<unknown>
export const realPause: Pause = (ms, signal) => sleep(ms, undefined, { signal })

/** Guards one direction: a remote that may not be written can still be read. */
export class Patience {
  readonly #pause: Pause
  #failuresInARow = 0
  #over: RemoteTrouble | null = null

  constructor(pause: Pause) {
    this.#pause = pause
  }

  /** Why no more requests are made; null while they are. */
  get over(): RemoteTrouble | null {
    return this.#over
  }

  /** Throws the trouble that is left after all tries; at once if the patience is over. */
  async ask<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let tried = 1; ; tried++) {
      if (this.#over !== null) throw this.#over
      try {
        const answer = await request()
        this.#failuresInARow = 0
        return answer
      } catch (error) {
        if (signal.aborted || !(error instanceof RemoteTrouble)) throw error
        const pauseMs = error.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** (tried - 1) * (1 + Math.random() / 4)
        const mayPass = error.kind === 'busy' || error.kind === 'broken'
        if (!mayPass || tried === TRIES || pauseMs > LONGEST_PAUSE_MS) throw this.#counted(error)
        await this.#pause(pauseMs, signal)
      }
    }
  }

  /** A wrong answer concerns one name; every other trouble tells something about the remote. */
  #counted(trouble: RemoteTrouble): RemoteTrouble {
    if (trouble.kind === 'wrong') return trouble
    this.#failuresInARow++
    if (trouble.kind === 'refused' || this.#failuresInARow >= FAILURES_IN_A_ROW) this.#over ??= trouble
    return trouble
  }
}
