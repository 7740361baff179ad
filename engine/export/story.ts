/** What there is to tell of an export: what it is, what it was made from, how it was measured and judged. */
import type { JudgedCheck, Verdict } from '../../dsl/judge.ts'
import type { Pipeline, Reference, Stage } from '../../dsl/pipeline.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { Artifact, Digest } from '../artifact.ts'
import type { FoundSource } from '../environment.ts'
import { needsOf } from '../run/fate.ts'
import { metricsPort, readMetrics } from '../run/gate.ts'
import type { MetricsFile } from '../run/gate.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { Result } from '../store/results.ts'

export type Format = 'adapter' | 'merged' | 'card'

export interface Story {
  /** Name of the pipeline. */
  readonly pipeline: string
  readonly format: Format
  readonly params: JsonObject
  /** What is handed out; null for a card alone. */
  readonly artifact: Artifact | null
  /** The stages behind it, each after what it was made from. */
  readonly stages: readonly ToldStage[]
  readonly sources: readonly ToldSource[]
  /** The model from outside that everything began with, if there is one. */
  readonly base: ToldSource | null
  readonly scores: readonly ToldScores[]
  readonly gates: readonly ToldGate[]
  /** Why it was exported although no gate let it pass; null if it was let pass. */
  readonly anyway: string | null
}

export interface ToldStage {
  readonly stage: string
  readonly kind: string
  readonly with: JsonObject
  readonly key: Digest
}

export interface ToldSource {
  readonly name: string
  readonly type: string
  readonly from: string
  readonly digest: Digest
  readonly files: number
}

export interface ToldScores {
  readonly stage: string
  readonly ruler: string
  readonly split: string
  readonly rows: number
  readonly metrics: MetricsFile['metrics']
}

export interface ToldGate {
  readonly gate: string
  readonly verdict: Verdict['verdict']
  readonly judged: string
  readonly checks: readonly JudgedCheck[]
}

/** Where the story is taken from. */
export interface Archive {
  readonly pipeline: Pipeline
  readonly sources: Readonly<Record<string, FoundSource>>
  readonly resultOf: (stage: string) => Result | null
  readonly verdictOf: (gate: string) => Verdict | null
  readonly blobs: BlobStore
}

/** @param from where the exported thing comes from; @param gates those that it had to pass */
export function storyOf(
  what: { readonly format: Format; readonly from: readonly Reference[]; readonly gates: readonly Stage[] },
  archive: Archive,
  anyway: string | null,
): Story {
  const { pipeline } = archive
  const behind = behindOf(what.from, pipeline)
  const sources = Object.entries(archive.sources).flatMap(([name, found]): ToldSource[] => {
    const declared = pipeline.sources[name]
    if (declared === undefined || !behind.sources.has(name)) return []
    const from = typeof declared.from === 'string' ? declared.from : Object.values(declared.from).join(', ')
    return [{ name, type: declared.type, from, digest: found.digest, files: found.count }]
  })
  const gates = what.gates.flatMap((stage): ToldGate[] => {
    const verdict = archive.verdictOf(stage.name)
    if (stage.gate === null || verdict === null) return []
    return [{ gate: stage.name, verdict: verdict.verdict, judged: stage.gate.judged, checks: verdict.checks }]
  })
  return {
    pipeline: pipeline.name,
    format: what.format,
    params: pipeline.params,
    artifact: what.format === 'card' ? null : artifactAt(what.from[0], archive),
    stages: behind.stages.flatMap((stage): ToldStage[] => {
      const result = archive.resultOf(stage.name)
      return result === null
        ? []
        : [{ stage: stage.name, kind: stage.uses, with: stage.with, key: result.key }]
    }),
    sources,
    base: sources.find(({ type }) => type === 'model') ?? null,
    scores: scoresBehind(what.gates, archive),
    gates,
    anyway,
  }
}

/** Everything that something was made from. */
function behindOf(
  from: readonly Reference[],
  { stages }: Pipeline,
): { readonly stages: readonly Stage[]; readonly sources: ReadonlySet<string> } {
  const wanted = new Set<string>()
  const sources = new Set<string>()
  const note = (reference: Reference): void => {
    if (reference.type === 'stage') wanted.add(reference.stage)
    else sources.add(reference.source)
  }
  from.forEach(note)
  // Stages stand after what they read, so one walk from the end meets everything.
  for (const stage of [...stages].reverse())
    if (wanted.has(stage.name)) Object.values(stage.inputs).forEach(note)
  return { stages: stages.filter(({ name }) => wanted.has(name)), sources }
}

function artifactAt(from: Reference | undefined, { resultOf }: Archive): Artifact {
  const artifact = from?.type === 'stage' ? resultOf(from.stage)?.outputs[from.port] : undefined
  if (artifact === undefined) throw new Error('bug: there is nothing to export')
  return artifact
}

/** Of what the gates judged, and of their yardsticks. */
function scoresBehind(gates: readonly Stage[], archive: Archive): readonly ToldScores[] {
  const names = new Set(gates.flatMap(({ gate }) => (gate === null ? [] : [gate.judged, gate.baseline])))
  return archive.pipeline.stages.flatMap((stage): ToldScores[] => {
    const port = names.has(stage.name) ? metricsPort(stage) : null
    const artifact = port === null ? undefined : archive.resultOf(stage.name)?.outputs[port]
    const file = artifact === undefined ? null : readMetrics(artifact, archive.blobs)
    if (file === null || 'missing' in file) return []
    const { ruler, split, rows, metrics } = file
    return [{ stage: stage.name, ruler, split, rows, metrics }]
  })
}

/** The gates that have to be passed before a stage begins. */
export function gatesBefore(stage: Stage, { stages }: Pipeline): readonly Stage[] {
  const before = new Set(needsOf(stage))
  for (const each of [...stages].reverse())
    if (before.has(each.name)) for (const need of needsOf(each)) before.add(need)
  return stages.filter(({ name, gate }) => gate !== null && before.has(name))
}
