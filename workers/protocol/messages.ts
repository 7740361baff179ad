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

export interface Job {
  readonly type: 'job'
  readonly id: string
  readonly op: string
  readonly with: JsonObject
  readonly inputs: Readonly<Record<string, InputFiles>>
  /** Output -> absolute path of an existing empty directory to fill. */
  readonly outputs: Readonly<Record<string, string>>
  readonly threads: number
}

export type ToWorker =
  | { readonly type: 'hello'; readonly protocol: number }
  | Job
  | { readonly type: 'cancel'; readonly id: string }
  | { readonly type: 'bye' }

/** Who has to act: the user's data or options, the machine's limits, nobody (cancelled), or us. */
export type FailureKind = 'input' | 'resources' | 'cancelled' | 'bug'

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
  | { readonly type: 'done'; readonly id: string; readonly summary: JsonObject }
  | {
      readonly type: 'failed'
      readonly id: string
      readonly kind: FailureKind
      readonly message: string
      readonly help: string | null
      readonly detail: string | null
    }
