/** What the language must know of a stage kind to check a file that uses it. */
import type { Words } from './words.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

export const ARTIFACT_TYPES = [
  'corpus',
  'dataset',
  'ratings',
  'tokens',
  'model',
  'adapter',
  'metrics',
  'samples',
  'report',
  'verdict',
  'files',
] as const
export type ArtifactType = (typeof ARTIFACT_TYPES)[number]

export interface InputPort {
  readonly type: ArtifactType
  readonly optional?: boolean
  /** Takes the output of every instance of a swept stage; this is where a matrix ends. */
  readonly many?: boolean
  /** Reads only what the file names; what stands nearest may be the wrong thing. */
  readonly named?: boolean
  /** Whether a stage with these options has the port; every one does if absent. */
  readonly only?: (options: JsonObject) => boolean
  readonly help: string
}

export interface MetricSchema {
  readonly direction: 'higher' | 'lower'
  /** The range of possible values; `null` is unbounded. */
  readonly min: number | null
  readonly max: number | null
  /** Dimension: plain number, seconds or bytes. */
  readonly dim: 'num' | 's' | 'B'
  /** Whether per-row statistics are kept, so that the metric can be bootstrapped. */
  readonly perExample: boolean
  readonly title: { readonly en: string; readonly zh: string }
}

/** Options that the schema allows one by one and that cannot work together: the stage would fail with them. */
export interface OptionFault {
  /** Those that contradict each other; the message stands at the first one that the file writes. */
  readonly options: readonly string[]
  readonly message: Words
  /** Beside the underline. */
  readonly label: Words
  /** What to write instead. */
  readonly help: readonly (Words | string)[]
}

export interface StageSignature {
  /** The name that `uses:` takes, e.g. `lora-train`. */
  readonly name: string
  readonly version: string
  readonly summary: string
  /**
   * JSON Schema (2020-12) of `with:`; an object schema with `additionalProperties: false`,
   * every property with `description` and, where it has one, `default`.
   */
  readonly options: JsonObject
  readonly inputs: Readonly<Record<string, InputPort>>
  /** Help for ports that the file names itself under `inputs:`, which take anything; absent for kinds that take only `inputs`. */
  readonly freeInputs?: string
  /** Output ports and their types, by resolved options. */
  readonly outputs: (options: JsonObject) => Readonly<Record<string, ArtifactType>>
  /** Metrics that a stage with these options measures; absent for kinds that measure nothing. */
  readonly measures?: (options: JsonObject) => Readonly<Record<string, MetricSchema>>
  /** All metrics the kind can measure when they are switched on (for "it is just not switched on"). */
  readonly measurable?: Readonly<Record<string, MetricSchema>>
  /** Row fields by which a stage with these options slices its metrics. */
  readonly slices?: (options: JsonObject) => readonly string[]
  /** Values that a running stage reports (`train.loss` in `watch:`). */
  readonly live?: Readonly<Record<string, MetricSchema>>
  /** Facts of the finished work, by their name in its summary (`data.rows`, `train.loss` in checks). */
  readonly facts?: Readonly<Record<string, MetricSchema>>
  /** Decided or done by the engine itself on every run, without a job and never cached. */
  readonly decides?: 'gate' | 'select' | 'export'
  /** Its jobs, as far as the language has to know: what is done, and by which worker. */
  readonly steps?: (options: JsonObject) => readonly { readonly op: string; readonly on: string }[]
  /** What is wrong with options that fit the schema; asked before anything runs. */
  readonly faults?: (options: JsonObject) => readonly OptionFault[]
  /**
   * The splits of the rows that it makes, by those that it is given; null where nobody can tell. Undivided rows are the
   * one split `all`. Absent for kinds whose rows are not known.
   */
  readonly splits?: (options: JsonObject, given: readonly string[] | null) => readonly string[] | null
  /** Splits that the rows it reads must have, and the option that names each; `null` where none does. */
  readonly needsSplits?: (
    options: JsonObject,
  ) => readonly { readonly split: string; readonly option: string | null }[]
  /** Options that carry the stage through its motions in seconds, for `run --smoke`. */
  readonly smoke?: (options: JsonObject) => JsonObject
}
