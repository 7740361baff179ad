/** What moving the bytes of one result needs, to and fro. */
import type { BlobStore } from '../store/blobs.ts'
import type { Transport } from './transport.ts'

/** Requests at a time for one result. */
export const WIDTH = 4

export interface Exchange {
  readonly transport: Transport
  readonly blobs: BlobStore
  /** An empty folder on the disk of the store, for what is not whole or not checked yet. */
  readonly folder: string
  /** Makes one request, with what patience there is. */
  readonly ask: <T>(request: () => Promise<T>) => Promise<T>
  readonly signal: AbortSignal
}
