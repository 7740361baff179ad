/** What a run needs of the world: where state lies, which kinds, ops and workers there are. */
import type { RowFields } from '../workers/protocol/messages.ts'
import type { Digest, Tree } from './artifact.ts'
import type { Facts } from './lock-file.ts'
import { BlobStore } from './store/blobs.ts'
import { ResultStore } from './store/results.ts'
import { StatCache } from './store/stat-cache.ts'
import type { StageKind } from './stage-kind.ts'
import type { WorkerCommand } from './worker/session.ts'

export interface Environment {
  /** Absolute path of the project; paths in a pipeline file are relative to it. */
  readonly root: string
  /** Absolute path of `.sluice`. */
  readonly stateDir: string
  readonly kinds: Readonly<Record<string, StageKind>>
  /** `kernel/lora-train` -> digest of the op's built code; `words/*` for all ops of a plugin's worker. */
  readonly ops: Readonly<Record<string, string>>
  /** Worker -> library -> version. */
  readonly runtimes: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly workers: Readonly<Record<string, WorkerCommand>>
  /** How many jobs each worker may have at once. */
  readonly slots: Readonly<Record<string, number>>
  /** Threads that a job of each worker gets. */
  readonly threads: Readonly<Record<string, number>>
  /** Time between two checkpoints of a job. @default CHECKPOINT_EVERY_MS */
  readonly checkpointEveryMs?: number
  readonly provenance: Readonly<Record<string, string | number>>
}

/** The stores below a state folder. */
export interface Stores {
  readonly blobs: BlobStore
  readonly results: ResultStore
  readonly stats: StatCache
}

export function openStores(stateDir: string): Stores {
  const blobs = new BlobStore(stateDir)
  return { blobs, results: new ResultStore(stateDir, blobs), stats: new StatCache(stateDir) }
}

/** A source of the pipeline as found on disk, or on a hub. */
export interface FoundSource {
  readonly digest: Digest
  readonly dir: string
  readonly count: number
  /** Put together when first asked for: a source may have a million. */
  readonly files: readonly string[]
  readonly splits?: Readonly<Record<string, readonly string[]>>
  readonly fields?: RowFields
  /** Whether the files are still what the digest was made of. Absent for what nobody can edit. */
  readonly isUnchanged?: () => Promise<boolean>
  readonly hub?: OnHub
}

/** Of a source on a hub its content is known before its files are here. */
export interface OnHub {
  /** Where it comes from, as the lock says it. */
  readonly origin: Facts
  /** Null while only the lock knows its content. */
  readonly tree: Tree | null
  /** Of all files; null if nobody here knows. */
  readonly bytes: number | null
  readonly isHere: () => boolean
  /** Brings the files to `dir`. Throws `HubTrouble`. */
  readonly bring: (signal: AbortSignal) => Promise<void>
}
