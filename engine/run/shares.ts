/** What a run shares with others: pulls before a stage is made, pushes after, and what of it stands in the log. */
import type { Stage } from '../../dsl/pipeline.ts'
import type { Digest } from '../artifact.ts'
import type { Stores } from '../environment.ts'
import type { RemoteCache } from '../remote/cache.ts'
import type { Result } from '../store/results.ts'
import type { RunEvent } from './events.ts'
import { Slots } from './slots.ts'

/** How a run uses the remote cache. */
export interface RemoteUse {
  readonly open: (tell: (text: string) => void) => RemoteCache
  readonly reads: boolean
  readonly writes: boolean
}

/** Results on their way at the same time; each has several requests under way. */
const MOST_AT_ONCE = 4

export class Shares {
  readonly #use: RemoteUse
  readonly #cache: RemoteCache
  readonly #stores: Stores
  readonly #emit: (event: RunEvent) => void
  readonly #signal: AbortSignal
  readonly #pushes = new Set<Promise<void>>()
  readonly #lanes = new Slots({ lane: MOST_AT_ONCE })
  /** What went wrong here and not with the remote, such as a full disk under the log. */
  #trouble: Error | null = null

  constructor(use: RemoteUse, stores: Stores, emit: (event: RunEvent) => void, signal: AbortSignal) {
    this.#use = use
    this.#cache = use.open((text) => this.#say({ type: 'remote.trouble', text }))
    this.#stores = stores
    this.#emit = emit
    this.#signal = signal
  }

  /** The result as others made it, or null: there is none, or it cannot be had. */
  async pull(stage: Stage, key: Digest): Promise<{ readonly result: Result; readonly from: string } | null> {
    if (!this.#use.reads) return null
    // Somebody waits for a pull, nobody for a push.
    const pulled = await this.#inLane(1, () =>
      this.#cache.pull(key, Object.keys(stage.outputs), this.#stores, this.#signal, (bytes) =>
        this.#say({ type: 'stage.pulling', stage: stage.name, bytes }),
      ),
    )
    if (pulled.type !== 'pulled') return null
    const { result, bytes, builder } = pulled
    this.#emit({ type: 'stage.pulled', stage: stage.name, key, bytes })
    return { result, from: `pulled, made by ${builder}` }
  }

  /** Does not hold the run up: what comes next starts while the bytes travel. A stage that is never cached is not shared. */
  push(stage: Stage, result: Result): void {
    if (!this.#use.writes || stage.cache === 'off') return
    const pushing = this.#inLane(0, () => this.#cache.push(result, this.#stores, this.#signal))
      .then((pushed) => {
        if (pushed.type === 'pushed')
          this.#say({ type: 'stage.pushed', stage: stage.name, key: result.key, bytes: pushed.bytes })
      })
      .catch((error: unknown) => {
        if (!this.#signal.aborted) this.#trouble ??= error as Error
      })
      .finally(() => this.#pushes.delete(pushing))
    this.#pushes.add(pushing)
  }

  /** Waits for all pushes. */
  async settled(): Promise<void> {
    await Promise.all(this.#pushes)
    if (this.#trouble !== null) throw this.#trouble
  }

  async #inLane<T>(rank: number, work: () => Promise<T>): Promise<T> {
    const leave = await this.#lanes.take('lane', rank, this.#signal)
    try {
      return await work()
    } finally {
      leave()
    }
  }

  /** Nobody waits for a push, so what its report meets is kept until somebody does. */
  #say(event: RunEvent): void {
    try {
      this.#emit(event)
    } catch (error) {
      this.#trouble ??= error as Error
    }
  }
}
