/** What a file names: its stages with their kinds and options, its parameters, its sources. */
import { flowMentioned, type FlowName } from '../dsl/expression/parse.ts'
import { own } from '../dsl/own.ts'
import type { Span } from '../dsl/source.ts'
import {
  ARTIFACT_TYPES,
  type ArtifactType,
  type Json,
  type JsonObject,
  type MetricSchema,
  type StageSignature,
} from '../dsl/stage-signature.ts'
import { entryOf, isText, plainValue, type MapEntry, type MapNode, type Node } from '../dsl/tree.ts'
import { isSchema } from './places.ts'
import { mapAt, nodeAt } from './tree-paths.ts'

export type Kinds = Readonly<Record<string, StageSignature>>

export interface StageOutline {
  readonly name: string
  /** Its key under `stages:`, or its first place in the flow line. */
  readonly span: Span
  /** Its settings; null if it stands in the flow line alone. */
  readonly entry: MapEntry | null
  /** Null if nobody knows the kind that it names. */
  readonly kind: StageSignature | null
  /** Its options as far as they are plain values, with the defaults of the others. */
  readonly options: JsonObject
}

export interface SourceOutline {
  readonly name: string
  readonly type: ArtifactType | null
  readonly span: Span
}

export interface Outline {
  readonly stages: ReadonlyMap<string, StageOutline>
  readonly params: ReadonlyMap<string, MapEntry>
  readonly sources: ReadonlyMap<string, SourceOutline>
  readonly flow: readonly FlowName[]
  /** Axes of all matrices, each with the stage that sweeps it. */
  readonly axes: ReadonlyMap<string, { readonly stage: string; readonly entry: MapEntry }>
}

const MATRIX_SETTINGS = ['include', 'exclude', 'max_parallel', 'keep_going']

export function outlineOf(tree: MapNode | null, kinds: Kinds): Outline {
  const flowNode = nodeAt(tree, ['flow'])
  const flow = flowNode !== null && isText(flowNode) ? flowMentioned(fragmentOf(flowNode)) : []
  const stages = new Map<string, StageOutline>()
  const axes = new Map<string, { stage: string; entry: MapEntry }>()
  for (const entry of mapAt(tree, ['stages'])?.entries ?? []) {
    stages.set(entry.key, stageOutline(entry, kinds))
    for (const axis of mapAt(entry.value, ['matrix'])?.entries ?? [])
      if (!MATRIX_SETTINGS.includes(axis.key)) axes.set(axis.key, { stage: entry.key, entry: axis })
  }
  for (const { name, span } of flow)
    if (!stages.has(name)) {
      const kind = own(kinds, name) ?? null
      stages.set(name, { name, span, entry: null, kind, options: defaultsOf(kind) })
    }
  const params = (mapAt(tree, ['params'])?.entries ?? []).map((entry) => [entry.key, entry] as const)
  return { stages, params: new Map(params), sources: sourcesOf(tree), flow, axes }
}

function stageOutline(entry: MapEntry, kinds: Kinds): StageOutline {
  const uses = nodeAt(entry.value, ['uses'])
  const written = uses !== null && isText(uses) ? uses.value : entry.key
  const kind = own(kinds, written.split('@')[0] ?? '') ?? null
  const node = nodeAt(entry.value, ['with'])
  const given = node?.type === 'map' ? plainOptions(node) : []
  return {
    name: entry.key,
    span: entry.keySpan,
    entry,
    kind,
    options: { ...defaultsOf(kind), ...Object.fromEntries(given) },
  }
}

/** What is computed with `=` is not known before the file is compiled. */
function plainOptions(node: MapNode): readonly (readonly [string, Json])[] {
  return node.entries.flatMap(({ key, value }) => {
    const plain = plainValue(value)
    const known =
      value.type !== 'poison' && plain !== null && !(typeof plain === 'string' && plain.startsWith('='))
    return known ? [[key, plain] as const] : []
  })
}

function defaultsOf(kind: StageSignature | null): JsonObject {
  const properties = kind?.options['properties']
  if (!isSchema(properties)) return {}
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, schema]) =>
      isSchema(schema) && schema['default'] !== undefined ? [[name, schema['default']]] : [],
    ),
  )
}

function sourcesOf(tree: MapNode | null): ReadonlyMap<string, SourceOutline> {
  const sources = new Map<string, SourceOutline>()
  for (const [key, type] of [
    ['model', 'model'],
    ['data', 'dataset'],
  ] as const) {
    const entry = tree === null ? undefined : entryOf(tree, key)
    if (entry !== undefined) sources.set(key, { name: key, type, span: entry.keySpan })
  }
  for (const { key, keySpan, value } of mapAt(tree, ['sources'])?.entries ?? []) {
    const node = nodeAt(value, ['type'])
    const written = node === null ? null : plainValue(node)
    const type = ARTIFACT_TYPES.find((each) => each === written) ?? null
    sources.set(key, { name: key, type, span: keySpan })
  }
  return sources
}

/** A text with the place of each of its characters, as the expression parser wants it. */
export function fragmentOf(node: Extract<Node, { type: 'scalar' }> & { readonly value: string }): {
  readonly source: Span['source']
  readonly text: string
  readonly offsets: readonly number[]
} {
  return { source: node.span.source, text: node.value, offsets: node.offsets }
}

/** Output ports of a stage and their types. */
export function outputsOf(stage: StageOutline): Readonly<Record<string, ArtifactType>> {
  return asked(() => stage.kind?.outputs(stage.options)) ?? {}
}

/** What a stage measures with the options that it has; null for a kind that measures nothing. */
export function measuredBy(stage: StageOutline): Readonly<Record<string, MetricSchema>> | null {
  return asked(() => stage.kind?.measures?.(stage.options)) ?? null
}

/** Half-written options may be more than a plugin's function can take. */
function asked<T>(question: () => T): T | undefined {
  try {
    return question()
  } catch {
    return undefined
  }
}

export function makes(stage: StageOutline, type: ArtifactType): boolean {
  return Object.values(outputsOf(stage)).includes(type)
}
