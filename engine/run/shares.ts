/** What a run shares with others: pulls before a stage is made, pushes after, and what of it stands in the log. */
import type { Stage } from '../../dsl/pipeline.ts'
import type { Digest } from '../artifact.ts'
import type { Stores } from '../environment.ts'
import type { RemoteCache } from '../remote/cache.ts'
import type { Result } from '../store/results.ts'
import type { RunEvent } from './events.ts'

/** How a run uses the remote cache. */
export interface RemoteUse {
  readonly open: (tell: (text: string) => void) => RemoteCache
  readonly reads: boolean
  readonly writes: boolean
}

export class Shares {
  readonly #use: RemoteUse
  readonly #cache: RemoteCache
  readonly #stores: Stores
  readonly #emit: (event: RunEvent) => void
  readonly #signal: AbortSignal
  readonly #pushes = new Set<Promise<void>>()

  constructor(use: RemoteUse, stores: Stores, emit: (event: RunEvent) => void, signal: AbortSignal) {
    this.#use = use
    this.#cache = use.open((text) => emit({ type: 'remote.trouble', text }))
    this.#stores = stores
    this.#emit = emit
    this.#signal = signal
  }

  /** The result as others made it, or null: there is none, or it cannot be had. */
  async pull(stage: Stage, key: Digest): Promise<{ readonly result: Result; readonly from: string } | null> {
    if (!this.#use.reads) return null
    const pulled = await this.#cache.pull(key, this.#stores, this.#signal)
    if (pulled.type !== 'pulled') return null
    const { result, bytes, builder } = pulled
    this.#emit({ type: 'stage.pulled', stage: stage.name, key, bytes })
    return { result, from: `pulled, made by ${builder}` }
  }

  /** Does not hold the run up: what comes next starts while the bytes travel. A stage that is never cached is not shared. */
  push(stage: Stage, result: Result): void {
    if (!this.#use.writes || stage.cache === 'off') return
    const pushing = this.#cache.push(result, this.#stores, this.#signal).then((pushed) => {
      this.#pushes.delete(pushing)
      if (pushed.type !== 'pushed') return
      this.#emit({ type: 'stage.pushed', stage: stage.name, key: result.key, bytes: pushed.bytes })
    })
    this.#pushes.add(pushing)
  }

  async settled(): Promise<void> {
    await Promise.all(this.#pushes)
  }
}
