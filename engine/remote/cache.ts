/** Results that a team shares. It can make a run faster and never make it fail: whatever goes wrong becomes a word. */
import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { digestOf } from '../artifact.ts'
import type { Digest } from '../artifact.ts'
import type { Stores } from '../environment.ts'
import { visitorsPlaceFor } from '../run/staging.ts'
import type { Result } from '../store/results.ts'
import { downloadText } from './download.ts'
import { fetchBytes, lacking } from './fetching.ts'
import { Patience } from './patience.ts'
import type { Pause } from './patience.ts'
import { MOST_RECORD_BYTES, openRecord, sealRecord } from './record.ts'
import type { RemoteRecord, Scope, Trust } from './record.ts'
import { sendBytes } from './sending.ts'
import { blobName, recordName, RemoteTrouble } from './transport.ts'
import type { Transport } from './transport.ts'

export interface Sharing {
  readonly transport: Transport
  readonly trust: Trust
  /** Where results are looked for, in this order. */
  readonly readScopes: readonly Scope[]
  readonly writeScope: Scope
  /** Signs what is pushed; null where whoever may write is trusted. */
  readonly key: KeyObject | null
  /** Who makes results here, in words. */
  readonly builder: string
  readonly stateDir: string
}

export type Found =
  | { readonly type: 'hit'; readonly record: RemoteRecord; /** To be fetched. */ readonly bytes: number }
  | { readonly type: 'miss' }
  /** Not known; the trouble has been told. */
  | { readonly type: 'trouble' }

export type Pulled =
  | { readonly type: 'pulled'; readonly result: Result; readonly bytes: number; readonly builder: string }
  | { readonly type: 'miss' }
  | { readonly type: 'trouble' }

export type Pushed =
  | { readonly type: 'pushed'; readonly blobs: number; readonly bytes: number }
  /** Somebody has shared a result of this key already; it stays, so that all have the same one. */
  | { readonly type: 'there' }
  | { readonly type: 'trouble' }

export class RemoteCache {
  readonly #sharing: Sharing
  readonly #tell: (text: string) => void
  readonly #reading: Patience
  readonly #writing: Patience
  readonly #told = new Set<string>()
  /** Blobs that came with other bytes. */
  readonly #rotten = new Set<string>()
  /** Keys whose record brought no result: a push writes it anew. */
  readonly #useless = new Set<string>()

  /** @param tell takes each trouble once, as a line of text */
  constructor(sharing: Sharing, tell: (text: string) => void, pause: Pause) {
    this.#sharing = sharing
    this.#tell = tell
    this.#reading = new Patience(pause)
    this.#writing = new Patience(pause)
  }

  get shown(): string {
    return this.#sharing.transport.shown
  }

  /** Whether a result can be had, without its bytes: the record, and that the remote has what the store lacks. */
  async find(key: Digest, { blobs }: Stores, signal: AbortSignal): Promise<Found> {
    return this.#guarded(this.#reading, signal, async (): Promise<Found> => {
      const record = await this.#record(key, signal)
      if (record === null) return { type: 'miss' }
      const wanted = lacking(record, blobs)
      for (const { digest, size } of wanted) {
        const there = await this.#read(() => this.#sharing.transport.head(blobName(digest), signal), signal)
        if (there !== size && there !== 'unknown')
          throw new RemoteTrouble('wrong', 'a record names bytes that are not there')
      }
      return { type: 'hit', record, bytes: wanted.reduce((sum, { size }) => sum + size, 0) }
    })
  }

  /**
   * A result with all its bytes in the store; its record is written last, as after a run.
   * @param ports the outputs that it has to have, no more and no fewer
   * @param coming hears of the bytes that are about to be fetched
   */
  async pull(
    key: Digest,
    ports: readonly string[],
    stores: Stores,
    signal: AbortSignal,
    coming: (bytes: number) => void = () => undefined,
  ): Promise<Pulled> {
    const staged = visitorsPlaceFor(this.#sharing.stateDir)
    return this.#guarded(this.#reading, signal, async (): Promise<Pulled> => {
      const record = await this.#record(key, signal)
      if (record === null) return { type: 'miss' }
      if (Object.keys(record.result.outputs).sort().join() !== [...ports].sort().join())
        throw new RemoteTrouble('wrong', 'a record has other outputs than its stage')
      coming(lacking(record, stores.blobs).reduce((sum, { size }) => sum + size, 0))
      try {
        staged.open()
        const { bytes, folders } = await fetchBytes(record, {
          transport: this.#sharing.transport,
          blobs: stores.blobs,
          folder: join(staged.dir, 'pulled'),
          ask: (request) => this.#read(request, signal),
          signal,
        })
        const { builder, scope, result } = record
        const shared = { ...result, provenance: { ...result.provenance, pulled: { builder, scope } } }
        await stores.results.write(shared, folders)
        return { type: 'pulled', result: shared, bytes, builder }
      } catch (error) {
        if (error instanceof RemoteTrouble && error.kind === 'wrong') {
          this.#useless.add(key)
          if (error.blob !== null) this.#rotten.add(error.blob)
        }
        throw error
      } finally {
        staged.close()
      }
    })
  }

  /** Shares a result of the store. Bytes first, record last: a reader never sees a record without its bytes. */
  async push(result: Result, { blobs }: Stores, signal: AbortSignal): Promise<Pushed> {
    const { transport, writeScope: scope, key, builder, stateDir } = this.#sharing
    const staged = visitorsPlaceFor(stateDir)
    return this.#guarded(this.#writing, signal, async (): Promise<Pushed> => {
      if (await this.#isShared(result.key, signal)) return { type: 'there' }
      try {
        staged.open()
        const ask = <T>(request: () => Promise<T>) => this.#writing.ask(request, signal)
        const folder = join(staged.dir, 'pushed')
        const sent = await sendBytes(result, { transport, blobs, folder, ask, rotten: this.#rotten, signal })
        const { large, packs } = sent
        const text = sealRecord({ format: 1, scope, builder, result, large, packs }, key)
        const payload = { digest: digestOf(text), size: text.length, from: { bytes: text } }
        await ask(() => transport.put(recordName(scope, result.key), payload, signal))
        return { type: 'pushed', blobs: sent.blobs, bytes: sent.bytes }
      } finally {
        staged.close()
      }
    })
  }

  /** Whether the scope has a record that its readers take, with all its bytes. */
  async #isShared(key: Digest, signal: AbortSignal): Promise<boolean> {
    if (this.#useless.has(key)) return false
    const { transport, writeScope } = this.#sharing
    const record = await this.#recordIn(writeScope, key, this.#writing, signal)
    if (record === null || typeof record === 'string') return false
    for (const { digest, size } of [...record.large, ...record.packs]) {
      const there = await this.#writing.ask(() => transport.head(blobName(digest), signal), signal)
      if (there !== size && there !== 'unknown') return false
    }
    return true
  }

  /** The first record that counts. One that does not count in one scope does not hide that of the next. */
  async #record(key: Digest, signal: AbortSignal): Promise<RemoteRecord | null> {
    let doubt: string | null = null
    for (const scope of this.#sharing.readScopes) {
      const record = await this.#recordIn(scope, key, this.#reading, signal)
      if (record !== null && typeof record !== 'string') return record
      doubt ??= record
    }
    if (doubt === null) return null
    throw new RemoteTrouble('wrong', `a record does not count: ${doubt}`)
  }

  /** The record, null if there is none, or why it does not count. */
  async #recordIn(
    scope: Scope,
    key: Digest,
    patience: Patience,
    signal: AbortSignal,
  ): Promise<RemoteRecord | string | null> {
    const { transport, trust } = this.#sharing
    const name = recordName(scope, key)
    const text = await patience.ask(() => downloadText(transport, name, MOST_RECORD_BYTES, signal), signal)
    if (text === null) return null
    const record = openRecord(text, { key, scope }, trust)
    return 'doubt' in record ? record.doubt : record
  }

  #read<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#reading.ask(request, signal)
  }

  /** The one place where trouble ends: with the remote, and with the disk that its bytes were meant for. */
  async #guarded<T>(
    patience: Patience,
    signal: AbortSignal,
    act: () => Promise<T>,
  ): Promise<T | { readonly type: 'trouble' }> {
    try {
      return await act()
    } catch (error) {
      // Stopped by the user: no trouble of the remote.
      if (!signal.aborted) this.#tellOnce(patience, error as Error)
      return { type: 'trouble' }
    }
  }

  #tellOnce(patience: Patience, error: Error): void {
    const { over } = patience
    const rest =
      over === null ? '' : patience === this.#reading ? '; not asked again' : '; nothing more is pushed'
    const text = `${this.shown}: ${(over ?? error).message}${rest}`
    if (this.#told.has(text)) return
    this.#told.add(text)
    this.#tell(text)
  }
}
