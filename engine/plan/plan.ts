/** Pipeline + kinds + source digests + what is in the store -> which stages will run, and why. */
import { hubAddress } from '../../dsl/hub-address.ts'
import type { Pipeline, Stage } from '../../dsl/pipeline.ts'
import type { Span } from '../../dsl/source.ts'
import type { Digest } from '../artifact.ts'
import type { Environment, FoundSource } from '../environment.ts'
import { lockedManifest } from '../lock/facts.ts'
import type { Lock } from '../lock-file.ts'
import type { Step } from '../stage-kind.ts'
import { stepsOf } from '../steps.ts'
import type { Lookup, Result } from '../store/results.ts'
import { waitsFor } from '../run/paused.ts'
import { differences, keyOf, manifestOf } from './manifest.ts'
import type { Manifest } from './manifest.ts'
import { namingWorkers } from './worker-change.ts'

export type Reason =
  | { readonly type: 'never-run' }
  | { readonly type: 'forced'; readonly by: string }
  | { readonly type: 'lost'; readonly what: string }
  | {
      readonly type: 'changed'
      /** `with.lr`, `input.data`, `op.kernel/score`, `version`, `runtime.onnxruntime-node`, `worker`. */
      readonly ingredient: string
      readonly before: string | null
      readonly after: string | null
      /** Where the option is written. */
      readonly span: Span | null
    }
  /** An input is made by a stage that will run; if it comes out the same, this one is reused. */
  | { readonly type: 'upstream'; readonly port: string; readonly stage: string }
  /** An input lies on a hub that nobody has asked yet what it holds. */
  | { readonly type: 'unasked'; readonly port: string; readonly from: string }

export type Planned =
  | {
      readonly type: 'cached'
      readonly stage: Stage
      readonly key: Digest
      readonly result: Result
      /** What people still have to do for it; null if it is done. */
      readonly waitsFor: string | null
    }
  /** Made by others: the remote cache has it, the store lacks `bytes` of it. */
  | {
      readonly type: 'pull'
      readonly stage: Stage
      readonly key: Digest
      readonly result: Result
      readonly bytes: number
    }
  | {
      readonly type: 'run'
      readonly stage: Stage
      /** Null while an input is not made yet. */
      readonly key: Digest | null
      /** What is known of its ingredients. */
      readonly manifest: Manifest
      readonly reasons: readonly Reason[]
    }
  | { readonly type: 'judge'; readonly stage: Stage }
  /** Written on every run that comes to it. */
  | { readonly type: 'export'; readonly stage: Stage }
  /** A choice among trials; null while one of them is not made yet. */
  | { readonly type: 'choose'; readonly stage: Stage; readonly result: Result | null }

export interface PlanInputs {
  readonly pipeline: Pipeline
  readonly environment: Environment
  readonly sources: Readonly<Record<string, FoundSource>>
  readonly lock: Lock | null
  readonly find: (key: Digest) => Lookup
  readonly read: (key: Digest) => Result | null
  /** What the remote cache is known to have of a key. */
  readonly shared: (key: Digest) => { readonly result: Result; readonly bytes: number } | null
  /** The result that a stage of this pipeline had last on this machine. */
  readonly last: (stage: string) => Result | null
  readonly forced: ReadonlySet<string>
  /** Decides a `select` whose candidates are all there. */
  readonly choose: (stage: Stage, resultOf: (stage: string) => Result | null) => Result | null
}

export function makePlan(inputs: PlanInputs): readonly Planned[] {
  const planned = new Map<string, Planned>()
  for (const stage of inputs.pipeline.stages) planned.set(stage.name, planStage(stage, planned, inputs))
  return [...planned.values()]
}

function planStage(stage: Stage, planned: ReadonlyMap<string, Planned>, inputs: PlanInputs): Planned {
  const kind = inputs.environment.kinds[stage.uses]
  if (kind?.decides === 'gate') return { type: 'judge', stage }
  if (kind?.decides === 'export') return { type: 'export', stage }
  if (kind?.decides === 'select') {
    // The metrics of a trial that is only in the remote cache cannot be read yet.
    const resultOf = (name: string) =>
      planned.get(name)?.type === 'pull' ? null : resultIn(planned.get(name))
    const open = Object.values(stage.inputs).some(
      (from) => from.type === 'stage' && resultOf(from.stage) === null,
    )
    return { type: 'choose', stage, result: open ? null : inputs.choose(stage, resultOf) }
  }
  const digests: Record<string, Digest> = {}
  const unasked: Reason[] = []
  const made: Reason[] = []
  for (const [port, reference] of Object.entries(stage.inputs)) {
    if (reference.type === 'source') {
      const found = inputs.sources[reference.source]
      const from = inputs.pipeline.sources[reference.source]?.from
      if (found !== undefined) digests[port] = found.digest
      else if (typeof from === 'string' && hubAddress(from) !== null)
        unasked.push({ type: 'unasked', port, from })
      continue
    }
    const tree = resultIn(planned.get(reference.stage))?.outputs[reference.port]?.tree
    if (tree !== undefined) digests[port] = tree
    else made.push({ type: 'upstream', port, stage: reference.stage })
  }
  const upstream = [...unasked, ...made]
  const known = stageManifest(stage, digests, inputs.environment)
  const force = forceOf(stage, inputs.forced)
  if (upstream.length > 0) {
    if (force !== null) return { type: 'run', stage, key: null, manifest: known, reasons: [force] }
    const changed = changes(stage, known, inputs).filter((reason) => !isUpstream(reason, upstream))
    return { type: 'run', stage, key: null, manifest: known, reasons: [...changed, ...upstream] }
  }
  const key = keyOf(known)
  const lookup = inputs.find(key)
  if (lookup.type === 'hit' && force === null) {
    const { result } = lookup
    return { type: 'cached', stage, key, result, waitsFor: waitsFor(stage, result, inputs.environment.kinds) }
  }
  if (force !== null) return { type: 'run', stage, key, manifest: known, reasons: [force] }
  const shared = inputs.shared(key)
  if (shared !== null) return { type: 'pull', stage, key, ...shared }
  if (lookup.type === 'miss' && lookup.lost !== null) {
    return { type: 'run', stage, key, manifest: known, reasons: [{ type: 'lost', what: lookup.lost }] }
  }
  const reasons = changes(stage, known, inputs)
  const none: Reason =
    inputs.lock?.['stages']?.[stage.name] === undefined
      ? { type: 'never-run' }
      : { type: 'lost', what: 'the lock knows this result, the store of this machine does not have it' }
  return { type: 'run', stage, key, manifest: known, reasons: reasons.length > 0 ? reasons : [none] }
}

/** What a planned stage has to offer already. */
function resultIn(planned: Planned | undefined): Result | null {
  return planned !== undefined && 'result' in planned ? planned.result : null
}

/** Why a stage runs although its key may be known: asked for on the command line, or by `cache:`. */
export function forceOf(stage: Stage, forced: ReadonlySet<string>): Reason | null {
  if (forced.has(stage.name) || forced.has(stage.base)) return { type: 'forced', by: '--force' }
  return stage.cache === 'auto' ? null : { type: 'forced', by: `cache: ${stage.cache}` }
}

export function stageManifest(
  stage: Stage,
  digests: Readonly<Record<string, Digest>>,
  environment: Environment,
): Manifest {
  const kind = environment.kinds[stage.uses]
  if (kind === undefined)
    throw new Error(`bug: stage ${stage.name} uses ${stage.uses}, which is not installed`)
  const steps = stepsOf(stage, environment)
  const codeOf = ({ on, op }: Step): string => {
    const code = environment.ops[`${on}/${op}`] ?? environment.ops[`${on}/*`]
    if (code === undefined) throw new Error(`bug: there is no op ${on}/${op}`)
    return code
  }
  // Whose code it is the digest says; that a worker is called otherwise, or is another one with the same code, it does not.
  const nameOf = ({ on, op }: Step) => `${on.startsWith('workers.') ? 'kernel' : on}/${op}`
  const runtimes = steps.map(({ on }) => environment.runtimes[on] ?? {})
  return manifestOf({
    kind: kind.name,
    version: kind.version,
    with: stage.with,
    also: stage.also,
    inputs: digests,
    ops: Object.fromEntries(steps.map((step) => [nameOf(step), codeOf(step)])),
    runtime: Object.assign({}, ...runtimes) as Record<string, string>,
  })
}

/** Differences to the lock's entry, else to what the stage had last on this machine. */
function changes(stage: Stage, manifest: Manifest, inputs: PlanInputs): readonly Reason[] {
  const before = timeBefore(stage, inputs)
  if (before === null) return []
  const workers = { now: stage.worker, then: before.worker }
  return namingWorkers(differences(before.manifest, manifest), workers).map(
    ({ ingredient, before: old, after }) => ({
      type: 'changed',
      ingredient,
      before: old,
      after,
      span: ingredient.startsWith('with.')
        ? (stage.optionSpans[ingredient.slice('with.'.length)] ?? null)
        : null,
    }),
  )
}

/** What a stage was made from the last time, and by whose worker; undefined where nobody kept that. */
function timeBefore(
  stage: Stage,
  inputs: PlanInputs,
): { readonly manifest: Manifest; readonly worker: string | null | undefined } | null {
  const of = ({ manifest, provenance: { worker } }: Result) => ({
    manifest,
    worker: typeof worker === 'string' ? worker : null,
  })
  const facts = inputs.lock?.['stages']?.[stage.name]
  if (facts === undefined) {
    const last = inputs.last(stage.name)
    return last === null ? null : of(last)
  }
  const key = facts['key']
  const known = typeof key === 'string' ? inputs.read(key as Digest) : null
  return known === null ? { manifest: lockedManifest(facts), worker: undefined } : of(known)
}

function isUpstream(reason: Reason, upstream: readonly Reason[]): boolean {
  return (
    reason.type === 'changed' &&
    upstream.some((other) => 'port' in other && reason.ingredient === `input.${other.port}`)
  )
}
