/** Two snapshots -> in what they differ: settings, wiring, code, sources, metrics with better and worse. Pure. */
import type { Pipeline } from '../dsl/pipeline.ts'
import type { Json, MetricSchema } from '../dsl/stage-signature.ts'
import { canonicalJson } from '../engine/artifact.ts'
import { lockedOutput } from '../engine/lock/facts.ts'
import type { Facts } from '../engine/lock-file.ts'
import { metricsPort } from '../engine/run/gate.ts'
import type { Measurement } from '../engine/run/rows.ts'
import type { StageKind } from '../engine/stage-kind.ts'
import type { Snapshot } from './snapshot.ts'

export interface SettingChange {
  /** `lora-train.lr`, `eval inputs.adapter`. */
  readonly name: string
  readonly before: Json | null
  readonly after: Json | null
}

export interface MetricChange {
  readonly stage: string
  readonly metric: string
  readonly direction: 'higher' | 'lower'
  readonly before: number | null
  readonly after: number | null
  /** Null where one is missing, or they were measured by different rulers. */
  readonly change: 'better' | 'worse' | 'same' | null
  /** Both sides measured by one ruler. */
  readonly comparable: boolean
}

export interface RowsChange {
  /** A source or a stage that counts its rows. */
  readonly name: string
  readonly before: number | null
  readonly after: number | null
}

export interface Comparison {
  readonly settings: readonly SettingChange[]
  /** Stages whose code, kind or libraries differ. */
  readonly code: readonly string[]
  /** Sources whose content differs. */
  readonly sources: readonly string[]
  readonly rows: readonly RowsChange[]
  readonly metrics: readonly MetricChange[]
}

export function compare(
  before: Snapshot,
  after: Snapshot,
  pipeline: Pipeline,
  kinds: Readonly<Record<string, StageKind>>,
): Comparison {
  const [old, young] = [before.lock['stages'] ?? {}, after.lock['stages'] ?? {}]
  // A choice leaves no record of its own, so a run's log alone does not know its rules.
  const choices = pipeline.stages.flatMap(({ name, selection }) => (selection === null ? [] : [name]))
  const order = namesOf('stages', before, after, pipeline).filter(
    (name) => !choices.includes(name) || (old[name] !== undefined && young[name] !== undefined),
  )
  const settings = [
    ...order.flatMap((stage) => settingChanges(stage, old[stage], young[stage])),
    ...namesOf('wiring', before, after, pipeline).flatMap((stage) =>
      changesOf(before.lock['wiring']?.[stage], after.lock['wiring']?.[stage], `${stage} inputs.`),
    ),
  ]
  const code = order.filter((stage) => codeDiffers(old[stage], young[stage]))
  const sources = Object.keys({ ...before.lock['sources'], ...after.lock['sources'] })
    .filter((name) =>
      differ(before.lock['sources']?.[name]?.['digest'], after.lock['sources']?.[name]?.['digest']),
    )
    .sort()
  const rows = order.flatMap((stage): readonly RowsChange[] => {
    const [a, b] = [old[stage]?.['rows'], young[stage]?.['rows']]
    return a === undefined || b === undefined || a === b
      ? []
      : [{ name: stage, before: numberOf(a), after: numberOf(b) }]
  })
  return { settings, code, sources, rows, metrics: metricChanges(before, after, pipeline, kinds) }
}

/** In the order of the file, then what only a snapshot knows. */
function namesOf(section: string, before: Snapshot, after: Snapshot, pipeline: Pipeline): readonly string[] {
  const known = new Set([before, after].flatMap(({ lock }) => Object.keys(lock[section] ?? {})))
  const inFile = pipeline.stages.map(({ name }) => name).filter((name) => known.has(name))
  const others = [...known].filter((name) => !inFile.includes(name)).sort()
  return [...inFile, ...others]
}

/** Options only; a stage that one side does not have is one line. */
function settingChanges(
  stage: string,
  before: Facts | undefined,
  after: Facts | undefined,
): readonly SettingChange[] {
  if (before === undefined || after === undefined)
    return [
      {
        name: stage,
        before: before === undefined ? null : 'there',
        after: after === undefined ? null : 'there',
      },
    ]
  const options = (facts: Facts) =>
    Object.fromEntries(Object.entries(facts).filter(([fact]) => fact.startsWith('with.')))
  return changesOf(options(before), options(after), `${stage}.`).map((change) => ({
    ...change,
    name: change.name.replace(`${stage}.with.`, `${stage}.`),
  }))
}

function changesOf(
  before: Facts | undefined,
  after: Facts | undefined,
  prefix: string,
): readonly SettingChange[] {
  if (before === undefined || after === undefined) return []
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return names
    .filter((name) => differ(before[name], after[name]))
    .map((name) => ({ name: `${prefix}${name}`, before: before[name] ?? null, after: after[name] ?? null }))
}

function codeDiffers(before: Facts | undefined, after: Facts | undefined): boolean {
  // Of a stage that has not run the code is not in its facts.
  if (before?.['key'] === undefined || after?.['key'] === undefined) return false
  const code = (facts: Facts) =>
    Object.entries(facts).filter(([fact]) => /^(op|runtime)\.|^(kind|version)$/.test(fact))
  return canonicalJson(Object.fromEntries(code(before))) !== canonicalJson(Object.fromEntries(code(after)))
}

function metricChanges(
  before: Snapshot,
  after: Snapshot,
  pipeline: Pipeline,
  kinds: Readonly<Record<string, StageKind>>,
): readonly MetricChange[] {
  return namesOf('scores', before, after, pipeline).flatMap((stage) => {
    const [old, young] = [before.lock['scores']?.[stage], after.lock['scores']?.[stage]]
    const comparable = old !== undefined && young !== undefined && old['ruler'] === young['ruler']
    const schemas = schemasOf(stage, pipeline, kinds)
    const metrics = [...new Set([...Object.keys(old ?? {}), ...Object.keys(young ?? {})])]
      .filter((name) => name !== 'ruler' && name !== 'rows')
      .sort()
    return metrics.map((metric): MetricChange => {
      const [a, b] = [numberOf(old?.[metric]), numberOf(young?.[metric])]
      const direction = schemas[metric]?.direction ?? 'higher'
      const change = !comparable || a === null || b === null ? null : changeOf(a, b, direction)
      return { stage, metric, direction, before: a, after: b, change, comparable }
    })
  })
}

function changeOf(before: number, after: number, direction: 'higher' | 'lower'): 'better' | 'worse' | 'same' {
  if (before === after) return 'same'
  return after > before === (direction === 'higher') ? 'better' : 'worse'
}

function schemasOf(
  stage: string,
  pipeline: Pipeline,
  kinds: Readonly<Record<string, StageKind>>,
): Readonly<Record<string, MetricSchema>> {
  const uses = pipeline.stages.find(({ name }) => name === stage)?.uses
  if (uses !== undefined) return kinds[uses]?.measurable ?? {}
  return Object.assign({}, ...Object.values(kinds).map(({ measurable }) => measurable ?? {})) as Record<
    string,
    MetricSchema
  >
}

/** What a snapshot's eval left behind in the store; null if the snapshot does not say. */
export function measurementOf(snapshot: Snapshot, stage: string, pipeline: Pipeline): Measurement | null {
  const planned = pipeline.stages.find(({ name }) => name === stage)
  const port = planned === undefined ? null : metricsPort(planned)
  const facts = snapshot.lock['stages']?.[stage]
  const metrics = port === null ? null : lockedOutput(facts, port)
  const answers = Object.entries(planned?.outputs ?? {}).find(([, type]) => type === 'samples')?.[0]
  return metrics === null
    ? null
    : { metrics, samples: answers === undefined ? null : lockedOutput(facts, answers) }
}

function numberOf(value: Json | undefined): number | null {
  return typeof value === 'number' ? value : null
}

function differ(a: Json | undefined, b: Json | undefined): boolean {
  return a === undefined || b === undefined ? a !== b : canonicalJson(a) !== canonicalJson(b)
}
