/** Gathers what a gate compares: the metrics of the judged stage and of its yardsticks. */
import type { Stage } from '../../dsl/pipeline.ts'
import { judge } from '../../dsl/judge.ts'
import type { Scores, ScoreSet, Verdict, Yardstick } from '../../dsl/judge.ts'
import type { Artifact } from '../artifact.ts'
import type { BlobStore } from '../store/blobs.ts'

/** The metrics artifact as `metrics.json` holds it. */
export interface MetricsFile {
  readonly ruler: string
  readonly split: string
  readonly rows: number
  readonly metrics: Readonly<
    Record<
      string,
      {
        readonly value: number | null
        readonly unit: string
        readonly direction: 'higher' | 'lower'
        readonly signature: string
        readonly n: number
      }
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

export function scoreSet(metrics: MetricsFile, origin: string): ScoreSet {
  const values = Object.entries(metrics.metrics).map(([name, { value }]) => [name, value] as const)
  return { ruler: metrics.ruler, origin, values: Object.fromEntries(values) }
}

/**
 * Judges a gate. `metricsOf` gives a stage's metrics artifact, or null if it has none in this run; `yardsticks`
 * are those that do not come from this run (`main`, `last`).
 */
export function judgeGate(
  stage: Stage,
  metricsOf: (stage: string) => Artifact | null,
  stagesWithMetrics: readonly string[],
  yardsticks: Readonly<Record<string, Yardstick>>,
  blobs: BlobStore,
): Verdict {
  const gate = stage.gate
  if (gate === null) throw new Error(`bug: ${stage.name} is no gate`)
  const scoresOf = (name: string): Yardstick => {
    const artifact = metricsOf(name)
    if (artifact === null) return { missing: `${name} has no metrics in this run` }
    const metrics = readMetrics(artifact, blobs)
    return 'missing' in metrics ? metrics : scoreSet(metrics, name)
  }
  const judged = scoresOf(gate.judged)
  const spaces: Record<string, Yardstick> = { ...yardsticks }
  for (const name of stagesWithMetrics) spaces[name] = scoresOf(name)
  if (gate.baseline !== null) spaces['baseline'] = scoresOf(gate.baseline)
  const none: ScoreSet = { ruler: '', origin: gate.judged, values: {} }
  const scores: Scores = { judged: 'missing' in judged ? none : judged, spaces }
  return judge(gate, scores)
}
