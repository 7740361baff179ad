/** Every message between the engine and a worker: JSON lines, one object a line, `type` first. */
import type { JsonObject } from './json.ts'

export const PROTOCOL = 1

/** One input of a job: files below `dir`. */
export interface InputFiles {
  /** Absolute path of a real directory. */
  readonly dir: string
  /** Paths below `dir`, sorted, with `/`. */
  readonly files: readonly string[]
  /** For a dataset source that names its splits: split -> files. */
  readonly splits?: Readonly<Record<string, readonly string[]>>
  /** For a dataset source with a schema: the fields that are the row's prompt, response and id. */
  readonly fields?: RowFields
}

export interface RowFields {
  readonly prompt: string
  readonly response: string
  readonly id?: string
}

/** Where a job may keep what it needs to go on after a kill. A worker that keeps nothing leaves it alone. */
export interface CheckpointPlace {
  /** Absolute path of a folder, perhaps not made yet; a checkpoint is a folder in it, named by its step: `300`. */
  readonly dir: string
  /** The newest one, complete and verified, of an earlier attempt at the very same work; null to begin at the beginning. */
  readonly resume: string | null
  /** What the work is; a checkpoint's record repeats it, so that none is taken for another's. */
  readonly of: string
  /** Time between two, in milliseconds. */
  readonly everyMs: number
}

/** A checkpoint's own `checkpoint.json`, written last. The engine uses a checkpoint only if all of it holds. */
export interface CheckpointRecord {
  readonly format: 1
  readonly of: string
  readonly step: number
  /** The other files, by name. */
  readonly files: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>
}

export interface Job {
  readonly type: 'job'
  readonly id: string
  readonly op: string
  readonly with: JsonObject
  readonly inputs: Readonly<Record<string, InputFiles>>
  /** Output -> absolute path of an existing empty directory to fill. */
  readonly outputs: Readonly<Record<string, string>>
  readonly threads: number
  readonly checkpoint?: CheckpointPlace
}

export type ToWorker =
  | { readonly type: 'hello'; readonly protocol: number }
  | Job
  | { readonly type: 'cancel'; readonly id: string }
  | { readonly type: 'bye' }

/** Who has to act: the user's data or options, the machine's memory or another limit of it, nobody (cancelled), or us. */
export type FailureKind = 'input' | 'memory' | 'resources' | 'cancelled' | 'bug'

export type FromWorker =
  | {
      readonly type: 'ready'
      readonly protocol: number
      readonly worker: string
      readonly ops: readonly string[]
      readonly versions: Readonly<Record<string, string>>
      readonly devices: readonly string[]
    }
  | { readonly type: 'started'; readonly id: string }
  | {
      readonly type: 'progress'
      readonly id: string
      readonly done: number
      readonly total: number
      readonly unit: string
      /** Latest values, e.g. `loss`, `lr`, `tokensPerSecond`. A number JSON cannot write is `null`. */
      readonly values: Readonly<Record<string, number | null>>
    }
  | { readonly type: 'note'; readonly id: string; readonly level: 'info' | 'warning'; readonly text: string }
  /** The folder named `step` has appeared in the job's place for checkpoints, complete and flushed. */
  | { readonly type: 'checkpoint'; readonly id: string; readonly step: number }
  /** Work goes on from the job's `checkpoint.resume`. */
  | { readonly type: 'resumed'; readonly id: string; readonly step: number }
  | { readonly type: 'done'; readonly id: string; readonly summary: JsonObject }
  | {
      readonly type: 'failed'
      readonly id: string
      readonly kind: FailureKind
      readonly message: string
      readonly help: string | null
      readonly detail: string | null
    }
