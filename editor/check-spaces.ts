/** What the names of a check may mean at a place of the file: the judged metrics, and the spaces to compare with. */
import { TOTAL, UNTUNED } from '../dsl/gates.ts'
import { own } from '../dsl/own.ts'
import type { Pipeline } from '../dsl/pipeline.ts'
import type { MetricSchema } from '../dsl/stage-signature.ts'
import { isText, type MapNode } from '../dsl/tree.ts'
import { isGate } from '../dsl/wiring.ts'
import type { Path } from './cursor.ts'
import { makes, measuredBy, type Outline, type StageOutline } from './outline.ts'
import { stageIn } from './places.ts'
import { nodeAt } from './tree-paths.ts'

type Metrics = Readonly<Record<string, MetricSchema>>

export interface Space {
  /** The stage whose values these are; null for values of several stages, and of none. */
  readonly stage: string | null
  readonly metrics: Metrics
}

export interface Spaces {
  /** What a bare name means. */
  readonly judged: Space
  readonly named: Readonly<Record<string, Space>>
  /** Row fields for `worst(bleu by field)`. */
  readonly slices: readonly string[]
}

/** Good enough to complete and to explain; whether a check is right is decided by the compiler alone. */
export function spacesAt(
  path: Path,
  tree: MapNode | null,
  outline: Outline,
  pipeline: Pipeline | null,
): Spaces {
  const name = stageIn(path) ?? ''
  const stage = outline.stages.get(name)
  if (path[2] === 'watch') {
    const live: Space = { stage: name, metrics: stage?.kind?.live ?? {} }
    return { judged: live, named: { train: live }, slices: [] }
  }
  const measuring = [...outline.stages.values()].filter((each) => measuredBy(each) !== null)
  const baseline = textAt(tree, ['stages', name, 'baseline'])
  const judgedName = judgedBy(name, tree, pipeline)
  const judgedStages = outline.stages.has(judgedName ?? '')
    ? measuring.filter((each) => each.name === judgedName)
    : measuring.filter((each) => each.name !== baseline)
  const [first, ...others] = judgedStages
  const judged: Space = {
    stage: others.length === 0 ? (first?.name ?? null) : null,
    metrics: merged(judgedStages.map((each) => measuredBy(each) ?? {})),
  }
  const slices = judgedStages.flatMap((each) => each.kind?.slices?.(each.options) ?? [])
  if (stage?.kind === null || stage === undefined || !isGate(stage.kind)) return { judged, named: {}, slices }
  // A stage that is called `train` means itself.
  const named: Record<string, Space> = { main: judged, last: judged, ...factSpaces(outline) }
  for (const each of outline.stages.values()) {
    const values = measuredBy(each) ?? each.kind?.facts
    if (values !== undefined && each.name !== name) named[each.name] = { stage: each.name, metrics: values }
  }
  named['total'] = { stage: null, metrics: TOTAL.metrics }
  if (baseline !== null) {
    const yardstick = named[baseline] ?? { ...judged, stage: baseline }
    named['baseline'] = yardstick
    if (baseline === UNTUNED) named[UNTUNED] ??= yardstick
  }
  return { judged: path[2] === 'budget' ? { stage: null, metrics: TOTAL.metrics } : judged, named, slices }
}

function factSpaces(outline: Outline): Readonly<Record<string, Space>> {
  const knowing = [...outline.stages.values()].filter((each) => each.kind?.facts !== undefined)
  const spaces = { data: knowing.filter((each) => !trains(each)), train: knowing.filter(trains) }
  return Object.fromEntries(
    Object.entries(spaces).flatMap(([name, stages]) =>
      stages.length === 0
        ? []
        : [[name, { stage: null, metrics: merged(stages.map((each) => each.kind?.facts ?? {})) }]],
    ),
  )
}

function trains(stage: StageOutline): boolean {
  return makes(stage, 'adapter')
}

function judgedBy(gate: string, tree: MapNode | null, pipeline: Pipeline | null): string | null {
  const written =
    textAt(tree, ['stages', gate, 'metrics']) ?? textAt(tree, ['stages', gate, 'inputs', 'metrics'])
  if (written !== null) return written.split('.')[0] ?? null
  return pipeline?.stages.find((each) => each.name === gate)?.gate?.judged ?? null
}

function textAt(tree: MapNode | null, path: Path): string | null {
  const node = nodeAt(tree, path)
  return node !== null && isText(node) ? node.value.trim() : null
}

function merged(all: readonly Metrics[]): Metrics {
  return Object.fromEntries(all.flatMap((each) => Object.entries(each)))
}

/** The metric that a name means, and whose it is. */
export function metricOf(
  path: readonly string[],
  spaces: Spaces,
): { metric: MetricSchema; space: Space } | null {
  const [first = '', second] = path
  const space = second === undefined ? spaces.judged : own(spaces.named, first)
  const metric = space === undefined ? undefined : own(space.metrics, second ?? first)
  return space === undefined || metric === undefined || path.length > 2 ? null : { metric, space }
}
