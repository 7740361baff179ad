/** Gathers what a gate compares: the metrics of the judged stage, its yardsticks, and the facts around them. */
import type { Stage } from '../../dsl/pipeline.ts'
import { judge } from '../../dsl/judge.ts'
import type { Scores, ScoreSet, Slices, Verdict, Yardstick } from '../../dsl/judge.ts'
import type { Artifact, Digest } from '../artifact.ts'
import type { FoundSource } from '../environment.ts'
import type { StageKind } from '../stage-kind.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { Result } from '../store/results.ts'
import { resampler } from './resample.ts'
import { sizesOf } from './sizes.ts'

interface Measured {
  readonly value: number | null
  readonly n: number
}

/** The metrics artifact as `metrics.json` holds it. */
export interface MetricsFile {
  readonly ruler: string
  readonly split: string
  readonly rows: number
  readonly metrics: Readonly<
    Record<
      string,
      Measured & {
        readonly unit: string
        readonly direction: 'higher' | 'lower'
        readonly signature: string
      }
    >
  >
  /** Row field -> its value -> the metrics of those rows. */
  readonly slices?: Readonly<
    Record<
      string,
      Readonly<
        Record<string, { readonly rows: number; readonly metrics: Readonly<Record<string, Measured>> }>
      >
    >
  >
}

export function readMetrics(
  artifact: Artifact,
  blobs: BlobStore,
): MetricsFile | { readonly missing: string } {
  const tree = blobs.openTree(artifact.tree)
  if ('lost' in tree) return { missing: tree.lost }
  const text = blobs.readFile(tree, 'metrics.json')
  return text === null ? { missing: 'the stage wrote no metrics.json' } : (JSON.parse(text) as MetricsFile)
}

export function scoreSet(file: MetricsFile, origin: string): ScoreSet {
  const values = mapValues(file.metrics, ({ value }) => value)
  const counts = mapValues(file.metrics, ({ n }) => n)
  const slices: Slices = mapValues(file.slices ?? {}, (field) =>
    mapValues(field, ({ rows, metrics }) => ({ rows, values: mapValues(metrics, ({ value }) => value) })),
  )
  return { ruler: file.ruler, origin, values, counts, slices }
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

/** What is known when a gate is judged. */
export interface GateWorld {
  readonly stages: readonly Stage[]
  readonly kinds: Readonly<Record<string, StageKind>>
  /** What a stage made, or null if it has not run. */
  readonly resultOf: (stage: string) => Result | null
  /** Stage -> what it waits for, if people have not done their part yet. */
  readonly paused: ReadonlyMap<string, string>
  /** Scores that do not come from this run: `main`, `last`. */
  readonly yardsticks: Readonly<Record<string, Yardstick>>
  /** What the pipeline's sources are on this machine, as far as somebody has looked. */
  readonly sources: Readonly<Record<string, FoundSource>>
  readonly blobs: BlobStore
}

export function judgeGate(stage: Stage, world: GateWorld): Verdict {
  const { gate } = stage
  if (gate === null) throw new Error(`bug: ${stage.name} is no gate`)
  const judged = scoresOf(gate.judged, world)
  const spaces: Record<string, Yardstick> = { ...world.yardsticks, total: totals(world) }
  for (const { name } of world.stages) spaces[name] = scoresOf(name, world)
  for (const space of ['data', 'train'] as const)
    // A stage of that name speaks for itself.
    if (gate.facts[space].length > 0 || spaces[space] === undefined)
      spaces[space] = mergedFacts(space, gate.facts[space], world)
  if (gate.baseline !== null) spaces['baseline'] = scoresOf(gate.baseline, world)
  const none: ScoreSet = { ruler: null, origin: gate.judged, values: {} }
  const scores: Scores = {
    judged: 'missing' in judged ? none : judged,
    spaces,
    sizes: sizesOf(gate, stageOf(gate.judged, world), world),
    resample: resampler((space) => {
      const name = space === null ? gate.judged : space === 'baseline' ? gate.baseline : space
      return name === null ? null : (metricsOf(name, world) ?? keptArtifact(world.yardsticks[name]))
    }, world.blobs),
  }
  return judge(gate, scores)
}

/** The port on which a stage gives metrics, if it does. */
export function metricsPort(stage: Stage): string | null {
  return Object.entries(stage.outputs).find(([, type]) => type === 'metrics')?.[0] ?? null
}

function stageOf(name: string, { stages }: GateWorld): Stage | null {
  return stages.find((each) => each.name === name) ?? null
}

function metricsOf(name: string, world: GateWorld): Artifact | null {
  const stage = stageOf(name, world)
  const port = stage === null ? null : metricsPort(stage)
  return port === null ? null : (world.resultOf(name)?.outputs[port] ?? null)
}

/** The metrics that `main` or `last` were read from; whether this store has their rows is another question. */
function keptArtifact(scores: Yardstick | undefined): Artifact | null {
  if (scores === undefined || 'missing' in scores || scores.artifact === undefined) return null
  return { type: 'metrics', tree: scores.artifact as Digest, bytes: 0 }
}

function scoresOf(name: string, world: GateWorld): Yardstick {
  const stage = stageOf(name, world)
  const waits = world.paused.get(name)
  if (waits !== undefined) return { missing: `${name} waits for people: ${waits}` }
  if (stage !== null && metricsPort(stage) === null) return factsOf(stage, world)
  const artifact = metricsOf(name, world)
  if (artifact === null) return { missing: `${name} has no metrics in this run` }
  const metrics = readMetrics(artifact, world.blobs)
  return 'missing' in metrics ? metrics : scoreSet(metrics, name)
}

/** What a stage says of its work, as far as its kind declares it. */
function factsOf(stage: Stage, world: GateWorld): Yardstick {
  const result = world.resultOf(stage.name)
  if (result === null) return { missing: `${stage.name} has not run` }
  const names = Object.keys(world.kinds[stage.uses]?.facts ?? {})
  const said = names.filter((name) => Object.hasOwn(result.summary, name))
  const values = said.map((name) => {
    const value = result.summary[name]
    return [name, typeof value === 'number' ? value : null] as const
  })
  return { ruler: null, origin: stage.name, values: Object.fromEntries(values) }
}

/** The nearest stage that says a fact is listed first and counts. */
function mergedFacts(space: string, names: readonly string[], world: GateWorld): Yardstick {
  const values: Record<string, number | null> = {}
  for (const name of [...names].reverse()) {
    const scores = scoresOf(name, world)
    if (!('missing' in scores)) Object.assign(values, scores.values)
  }
  return { ruler: null, origin: space, values }
}

/** Seconds that all stages took when they were made, whether just now or earlier. */
function totals(world: GateWorld): ScoreSet {
  let [duration, gpuTime] = [0, 0]
  for (const { name, resources } of world.stages) {
    const seconds = (world.resultOf(name)?.durationMs ?? 0) / 1000
    duration += seconds
    gpuTime += seconds * (resources.gpu ?? 0)
  }
  return { ruler: null, origin: 'total', values: { duration, gpu_time: gpuTime } }
}
