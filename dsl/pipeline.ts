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
  /** In topological order (ties by name), gates included. */
  readonly stages: readonly Stage[]
}

/** Something that comes from outside: files of the project, found by path or glob from the project root. */
export interface PipelineSource {
  readonly name: string
  readonly type: ArtifactType
  /** One path or glob, or a path or glob per split (`{train, validation, test}`). */
  readonly from: string | Readonly<Record<string, string>>
  readonly optional: boolean
  readonly span: Span
}

export type Reference =
  | { readonly type: 'stage'; readonly stage: string; readonly port: string }
  | { readonly type: 'source'; readonly source: string }

export interface Stage {
  readonly name: string
  /** Name of the stage kind. */
  readonly uses: string
  /** Options with defaults filled in and `=values` computed; valid against the kind's schema. */
  readonly with: JsonObject
  /** Where each top-level option was written; options that were defaulted are absent. */
  readonly optionSpans: Readonly<Record<string, Span>>
  /** Port -> where it reads from; optional ports that nothing feeds are absent. */
  readonly inputs: Readonly<Record<string, Reference>>
  /** Stages that must have finished first although no data flows (`needs`, arrows out of a gate). */
  readonly after: readonly string[]
  readonly outputs: Readonly<Record<string, ArtifactType>>
  readonly cache: 'auto' | 'off' | 'refresh'
  readonly timeoutMs: number | null
  /** The stage's key in the file, or its name in `flow:`, or the baseline that synthesised it. */
  readonly span: Span
  /** True for the untuned eval that `baseline: untuned` adds. */
  readonly synthesised: boolean
  readonly gate: Gate | null
}

export interface Gate {
  /** The stage whose metrics are judged. */
  readonly judged: string
  /** The stage that is the yardstick `baseline`, if one is named. */
  readonly baseline: string | null
  /** Metrics that the judged stage measures, with their types. */
  readonly metrics: Readonly<Record<string, MetricSchema>>
  readonly checks: readonly Check[]
}

export interface Check {
  readonly level: 'require' | 'warn'
  readonly text: string
  readonly name: string | null
  readonly why: string | null
  readonly expression: Expression
  readonly span: Span
}

/** Values of `-p name=value`, and where the world matters to the compiler. */
export interface CompileOptions {
  readonly params?: Readonly<Record<string, Json>>
}
