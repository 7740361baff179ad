/** The validated pipeline: every name resolved, every port wired, every option filled in, every check typed. */
import type { Expression } from './expression/syntax.ts'
import type { Source, Span } from './source.ts'
import type { ArtifactType, Json, JsonObject, MetricSchema } from './stage-signature.ts'

export interface Pipeline {
  readonly name: string
  readonly description: string | null
  readonly source: Source
  /** Parameters after `-p` overrides. */
  readonly params: JsonObject
  readonly sources: Readonly<Record<string, PipelineSource>>
  /** In topological order (ties by name, instances in the order of their points), gates included. */
  readonly stages: readonly Stage[]
  readonly notify: readonly Notification[]
  readonly workers: Readonly<Record<string, PipelineWorker>>
}

/** A process of others that does heavy steps. */
export interface PipelineWorker {
  readonly name: string
  /** Program and words. */
  readonly command: readonly string[]
  /** The ops that it can do. */
  readonly capabilities: readonly string[]
  /** What the file says of its version. */
  readonly version: string | null
}

/** Something that comes from outside: files of the project, found by path or glob from the project root. */
export interface PipelineSource {
  readonly name: string
  readonly type: ArtifactType
  /** One path or glob, or a path or glob per split (`{train, validation, test}`). */
  readonly from: string | Readonly<Record<string, string>>
  readonly optional: boolean
  /** For a dataset whose fields have names of their own. */
  readonly schema?: SourceSchema
  readonly span: Span
}

/** Role -> the field of a row that plays it. */
export interface SourceSchema {
  readonly input: string
  readonly output: string
  readonly id?: string
}

export type Reference =
  | { readonly type: 'stage'; readonly stage: string; readonly port: string }
  | { readonly type: 'source'; readonly source: string }

export interface Stage {
  /** As commands name it: `eval`, or `eval[r=8,lr=2e-4]` for one instance of a swept stage. */
  readonly name: string
  /** The stage as the file names it. */
  readonly base: string
  /** Where the instance stands in the matrices that it follows: axis -> value. Empty without a matrix. */
  readonly point: JsonObject
  /** Instances of one matrix, which share its limits; null for stages without a matrix of their own. */
  readonly sweep: Sweep | null
  /** Name of the stage kind. */
  readonly uses: string
  /** Options with defaults filled in and `=values` computed; valid against the kind's schema. */
  readonly with: JsonObject
  /** Where each top-level option was written; options that were defaulted are absent. */
  readonly optionSpans: Readonly<Record<string, Span>>
  /**
   * Port -> where it reads from; optional ports that nothing feeds are absent. A port that takes many has an entry for
   * each, `metrics[r=8,lr=2e-4]`.
   */
  readonly inputs: Readonly<Record<string, Reference>>
  /** Stages that must have finished first although no data flows (`needs`, arrows out of a gate). */
  readonly after: readonly string[]
  readonly outputs: Readonly<Record<string, ArtifactType>>
  readonly cache: 'auto' | 'off' | 'refresh'
  /** Values that the file adds to the key (`cache: { also: [...] }`). */
  readonly also: readonly Json[]
  readonly timeoutMs: number | null
  readonly retry: Retry | null
  readonly resources: Resources
  /** Stages that name the same mutex never run at once. */
  readonly mutex: readonly string[]
  /** The worker of the file that does its heavy steps; null is the one that comes with Sluice. */
  readonly worker: string | null
  /** Runs only where this holds; a stage whose `when` names a gate or stage waits for it and runs whatever came of it. */
  readonly when: Condition | null
  /** Checks on live values; the first that holds stops the stage. */
  readonly watch: readonly Watch[]
  /** The stage's key in the file, or its name in `flow:`, or the baseline that synthesised it. */
  readonly span: Span
  /** True for the untuned eval that `baseline: untuned` adds. */
  readonly synthesised: boolean
  readonly gate: Gate | null
  readonly selection: Selection | null
}

export interface Sweep {
  readonly stage: string
  readonly maxParallel: number | null
  /** Whether the other instances go on after one failed. */
  readonly keepGoing: boolean
}

export type RetryCause = 'worker-lost' | 'timeout' | 'oom' | 'error'

export interface Retry {
  /** Tries after the first. */
  readonly max: number
  readonly on: readonly RetryCause[]
  /** Wait before the second try; doubled before each further one. */
  readonly backoffMs: number
}

/** What an attempt holds while it runs; absent means none (`gpu`) or no claim (the others). */
export interface Resources {
  readonly gpu?: number
  readonly vramBytes?: number
  readonly cpu?: number
  readonly memoryBytes?: number
  readonly diskBytes?: number
  /** Resources of the user's own, as sluice.config.yaml names them: how many of each. */
  readonly named?: Readonly<Record<string, { readonly amount: number; readonly span: Span }>>
}

export interface Condition {
  readonly text: string
  readonly expression: Expression
  /** Stages and gates whose fate it asks for. */
  readonly asks: readonly string[]
  readonly span: Span
}

/** The name under which a stage's own live values stand in its watches. */
export const LIVE = 'train'

export interface Watch {
  readonly text: string
  readonly expression: Expression
  readonly span: Span
}

/** The choice among the instances that feed a `select`. */
export interface Selection {
  readonly by: { readonly metric: string; readonly wants: 'highest' | 'lowest' }
  readonly where: { readonly text: string; readonly expression: Expression } | null
  readonly tie: { readonly axis: string; readonly wants: 'smallest' | 'largest' } | null
  /** Trials that must have succeeded. */
  readonly atLeast: number
  /** Trials that there are. */
  readonly of: number
}

export const NOTIFY_EVENTS = [
  'run.failed',
  'gate.failed',
  'gate.undecided',
  'gate.passed',
  'waiting',
] as const
export type NotifyEvent = (typeof NOTIFY_EVENTS)[number]

export interface Notification {
  readonly on: readonly NotifyEvent[]
  /** `env:NAME` or an address to POST to, or a command line for the shell. */
  readonly to:
    | { readonly type: 'webhook'; readonly address: string }
    | { readonly type: 'run'; readonly command: string }
}

export interface Gate {
  /** The stage whose metrics are judged. */
  readonly judged: string
  /** The stage that is the yardstick `baseline`, if one is named. */
  readonly baseline: string | null
  /** Metrics that the judged stage measures, with their types. */
  readonly metrics: Readonly<Record<string, MetricSchema>>
  /** Stages whose facts `data` and `train` mean in the checks. */
  readonly facts: { readonly data: readonly string[]; readonly train: readonly string[] }
  readonly checks: readonly Check[]
}

export interface Check {
  readonly level: 'require' | 'warn'
  readonly text: string
  readonly name: string | null
  readonly why: string | null
  readonly expression: Expression
  readonly span: Span
  /** From `budget:`, about time and not about quality. */
  readonly budget: boolean
}

/** Values of `-p name=value`, and where the world matters to the compiler. */
export interface CompileOptions {
  readonly params?: Readonly<Record<string, Json>>
  /** What `env('NAME')` reads. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Shrinks every stage to a rehearsal that takes seconds. */
  readonly smoke?: boolean
}
