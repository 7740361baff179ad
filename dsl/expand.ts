/** Drafts and their wires become stages: one each, or one for every point of the matrices that reach it. */
import type { Diagnostic } from './diagnostic.ts'
import { readCondition } from './conditions.ts'
import type { ValueScope } from './expression/evaluate.ts'
import { computeValue, resolveOptions } from './options.ts'
import { own } from './own.ts'
import type { Condition, Gate, Reference, Selection, Stage, Watch } from './pipeline.ts'
import { faultOf, optionFaults } from './kind-faults.ts'
import * as expansion from './problems/expansion.ts'
import { kindFails } from './problems/graph.ts'
import { MOST_POINTS, type Point } from './read-matrix.ts'
import { NO_SETTINGS, type RunSettings } from './read-settings.ts'
import type { Workers } from './read-workers.ts'
import type { Json, JsonObject } from './stage-signature.ts'
import { isText, plainValue } from './tree.ts'
import { workerFor } from './workers.ts'
import type { Draft, Wiring } from './wiring.ts'

/** What the compiler has learnt of a stage besides its wires. */
export interface Decided {
  readonly gate: Gate | null
  readonly selection: Selection | null
  readonly watch: readonly Watch[]
  /** Stages that it waits for although no data flows, by the file's names. */
  readonly after: readonly string[]
}

export interface ExpandScope {
  readonly drafts: ReadonlyMap<string, Draft>
  readonly wiring: Wiring
  readonly decided: ReadonlyMap<string, Decided>
  /** The drafts' names, each after what it waits for. */
  readonly order: readonly string[]
  readonly values: ValueScope
  readonly defaults: RunSettings
  readonly workers: Workers
}

/** One point of each matrix that a stage follows. */
interface Instance {
  readonly name: string
  readonly label: string
  readonly point: JsonObject
  /** Matrix (by the stage that declares it) -> number of the point. */
  readonly at: ReadonlyMap<string, number>
}

/** All instances of a stage. */
interface Family {
  readonly instances: readonly Instance[]
  /** The one at the point of an instance that follows these matrices and perhaps more. */
  readonly at: (other: Instance) => Instance | undefined
}

function familyOf(matrices: readonly string[], instances: readonly Instance[]): Family {
  const place = (instance: Instance): string => matrices.map((matrix) => instance.at.get(matrix)).join(' ')
  const byPlace = new Map(instances.map((instance) => [place(instance), instance]))
  return { instances, at: (other) => byPlace.get(place(other)) }
}

/** Which matrices each stage follows, its own last; a port that takes many ends them. */
export function followedMatrices(
  scope: Pick<ExpandScope, 'drafts' | 'wiring' | 'order'>,
): ReadonlyMap<string, readonly string[]> {
  const followed = new Map<string, readonly string[]>()
  for (const name of scope.order) {
    const draft = scope.drafts.get(name)
    if (draft === undefined) continue
    const matrices = new Set<string>()
    for (const [port, wire] of Object.entries(scope.wiring.inputs.get(name) ?? {})) {
      if (wire.reference.type !== 'stage' || own(draft.kind.inputs, port)?.many === true) continue
      for (const matrix of followed.get(wire.reference.stage) ?? []) matrices.add(matrix)
    }
    if (draft.matrix !== null) matrices.add(name)
    followed.set(name, [...matrices])
  }
  return followed
}

/** Null after a mistake that leaves the list of stages unknown. */
export function expand(
  scope: ExpandScope,
  followed: ReadonlyMap<string, readonly string[]>,
  out: Diagnostic[],
): readonly Stage[] | null {
  const before = out.length
  const families = new Map<string, Family>()
  const stages: Stage[] = []
  for (const name of scope.order) {
    const draft = scope.drafts.get(name)
    if (draft === undefined) continue
    const matrices = followed.get(name) ?? []
    const mine = instancesOf(draft, matrices, scope, out)
    if (mine === null) return null
    families.set(name, familyOf(matrices, mine))
    for (const instance of mine) stages.push(stageOf(draft, instance, families, scope, out))
  }
  return out.slice(before).some((each) => each.severity === 'error') ? null : stages
}

function instancesOf(
  draft: Draft,
  matrices: readonly string[],
  scope: ExpandScope,
  out: Diagnostic[],
): readonly Instance[] | null {
  let points: { labels: readonly string[]; point: JsonObject; at: ReadonlyMap<string, number> }[] = [
    { labels: [], point: {}, at: new Map() },
  ]
  const seen = new Map<string, string>()
  for (const owner of matrices) {
    const matrix = scope.drafts.get(owner)?.matrix ?? null
    if (matrix === null) continue
    for (const axis of matrix.axes) {
      const first = seen.get(axis)
      if (first !== undefined) {
        out.push(expansion.sharedAxis(draft.span, draft.name, axis, first, owner))
        return null
      }
      seen.set(axis, owner)
    }
    const count = points.length * matrix.points.length
    if (count > MOST_POINTS) {
      out.push(expansion.tooManyPoints(draft.span, count, MOST_POINTS))
      return null
    }
    points = points.flatMap(({ labels, point, at }) =>
      matrix.points.map((each: Point, index) => ({
        labels: [...labels, each.label],
        point: { ...point, ...each.values },
        at: new Map([...at, [owner, index]]),
      })),
    )
  }
  return points.map(({ labels, point, at }) => {
    const label = labels.join(',')
    return { name: label === '' ? draft.name : `${draft.name}[${label}]`, label, point, at }
  })
}

function stageOf(
  draft: Draft,
  instance: Instance,
  families: ReadonlyMap<string, Family>,
  scope: ExpandScope,
  out: Diagnostic[],
): Stage {
  const { declaration, kind } = draft
  const settings = declaration?.settings ?? scope.defaults
  const decided = scope.decided.get(draft.name)
  const values = scopeAt(draft, instance.point, scope)
  const options = optionsAt(draft, values, out)
  const inputs: [string, Reference][] = []
  for (const [port, { reference }] of Object.entries(scope.wiring.inputs.get(draft.name) ?? {})) {
    if (reference.type === 'source') inputs.push([port, reference])
    else if (own(kind.inputs, port)?.many === true)
      for (const each of families.get(reference.stage)?.instances ?? [])
        inputs.push([
          each.label === '' ? port : `${port}[${each.label}]`,
          { type: 'stage', stage: each.name, port: reference.port },
        ])
    else {
      const from = families.get(reference.stage)?.at(instance)
      inputs.push([port, { type: 'stage', stage: from?.name ?? reference.stage, port: reference.port }])
    }
  }
  const read = new Set(inputs.map(([, each]) => (each.type === 'stage' ? each.stage : '')))
  const when = conditionOf(draft, values, families, scope, out)
  const after = [...(decided?.after ?? []), ...(when?.asks ?? [])]
    .flatMap((name) => (families.get(name)?.instances ?? []).map((each) => each.name))
    .filter((name) => !read.has(name))
  const { matrix } = draft
  return {
    name: instance.name,
    base: draft.name,
    point: instance.point,
    sweep:
      matrix === null
        ? null
        : { stage: draft.name, maxParallel: matrix.maxParallel, keepGoing: matrix.keepGoing },
    uses: kind.name,
    with: options,
    optionSpans: draft.optionSpans,
    inputs: Object.fromEntries(inputs),
    after: [...new Set(after)].sort(),
    outputs: draft.outputs,
    cache: settings.cache,
    also: alsoOf(settings, values, out),
    timeoutMs: settings.timeoutMs,
    retry: kind.decides === undefined ? settings.retry : null,
    resources: kind.decides === undefined ? settings.resources : NO_SETTINGS.resources,
    mutex: kind.decides === undefined ? settings.mutex : [],
    worker: workerFor(kind, options, settings.worker, scope.workers),
    when,
    watch: decided?.watch ?? [],
    span: draft.span,
    synthesised: draft.synthesised,
    gate: decided?.gate ?? null,
    selection: decided?.selection ?? null,
  }
}

function scopeAt(draft: Draft, point: JsonObject, scope: ExpandScope): ValueScope {
  return { ...scope.values, matrix: { point, declared: draft.matrix?.span ?? null, poisoned: false } }
}

/** The options at a point; only what depends on the matrix is computed again. */
function optionsAt(draft: Draft, values: ValueScope, out: Diagnostic[]): JsonObject {
  if (!draft.followsMatrix) return draft.with
  const found: Diagnostic[] = []
  const { value } = resolveOptions(draft.kind, draft.declaration?.with ?? null, draft.span, values, found)
  const fault = found.length === 0 ? faultOf(draft.kind, value) : null
  if (fault !== null) found.push(kindFails(draft.span, draft.kind.name, fault))
  else if (found.length === 0) found.push(...optionFaults(draft.kind, value, draft))
  if (found.length === 0) {
    const same = (a: JsonObject, b: JsonObject) =>
      JSON.stringify(Object.keys(a)) === JSON.stringify(Object.keys(b))
    const measures = draft.kind.measures
    if (
      !same(draft.kind.outputs(value), draft.outputs) ||
      (measures !== undefined &&
        !same(measures(value) as unknown as JsonObject, measures(draft.with) as unknown as JsonObject))
    )
      found.push(expansion.differentOutputs(draft.span, draft.name))
  }
  pushNew(found, out)
  return value
}

/** A mistake that every point makes is one mistake. */
export function pushNew(found: readonly Diagnostic[], out: Diagnostic[]): void {
  for (const each of found) {
    const { start, end } = each.primary.span
    const known = out.some(
      ({ code, primary }) => code === each.code && primary.span.start === start && primary.span.end === end,
    )
    if (!known) out.push(each)
  }
}

function conditionOf(
  draft: Draft,
  values: ValueScope,
  families: ReadonlyMap<string, Family>,
  scope: ExpandScope,
  out: Diagnostic[],
): Condition | null {
  const node = draft.declaration?.when ?? null
  if (node === null) return null
  const found: Diagnostic[] = []
  // A swept stage has no one fate to ask for.
  const single = [...scope.drafts.values()].filter(
    (each) => each.name !== draft.name && (families.get(each.name)?.instances.length ?? 1) === 1,
  )
  const askable = new Map(
    single.map((each): [string, 'gate' | 'stage'] => [
      each.name,
      each.kind.decides === 'gate' ? 'gate' : 'stage',
    ]),
  )
  const condition = readCondition(node, values, askable, found)
  pushNew(found, out)
  return condition
}

function alsoOf(settings: RunSettings, values: ValueScope, out: Diagnostic[]): readonly Json[] {
  return (settings.also?.items ?? []).flatMap((item) => {
    const found: Diagnostic[] = []
    const value =
      isText(item) && item.value.startsWith('=') && !item.value.startsWith('==')
        ? computeValue(item, values, found)
        : plainValue(item)
    pushNew(found, out)
    return value === undefined ? [] : [value]
  })
}
