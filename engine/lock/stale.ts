/** Pipeline file + locked outputs -> in what the lock does not say what the file says; nothing has to run for that. */
import { hubAddress } from '../../dsl/hub-address.ts'
import type { Pipeline, Stage } from '../../dsl/pipeline.ts'
import { canonicalJson } from '../artifact.ts'
import type { Digest } from '../artifact.ts'
import type { Environment, FoundSource } from '../environment.ts'
import type { Facts, Lock, Section } from '../lock-file.ts'
import { differences, keyOf } from '../plan/manifest.ts'
import type { Manifest } from '../plan/manifest.ts'
import { stageManifest } from '../plan/plan.ts'
import { namingWorkers } from '../plan/worker-change.ts'
import { needsOf } from '../run/fate.ts'
import { lockedManifest, lockedOutput, rulesOf, wiringFacts } from './facts.ts'
import type { Reason } from '../plan/plan.ts'

export type Stale = { readonly stage: string } & (
  | { readonly type: 'not-locked' }
  /** The lock knows it, the file does not. */
  | { readonly type: 'not-in-file' }
  | { readonly type: 'changed'; readonly reasons: readonly Extract<Reason, { type: 'changed' }>[] }
  | {
      readonly type: 'wiring'
      readonly port: string
      readonly before: string | null
      readonly after: string | null
    }
  /** An input is made by a stage whose output is not in the lock. */
  | { readonly type: 'no-input'; readonly port: string; readonly from: string }
  /** A gate without a verdict, as a merge leaves it. */
  | { readonly type: 'not-judged' }
)

export interface Compared {
  readonly pipeline: Pipeline
  readonly environment: Environment
  readonly sources: Readonly<Record<string, FoundSource>>
}

/**
 * In the order of the file. Inputs count as the lock has them, so a changed stage is named once and not again by
 * everything after it.
 */
export function staleness(now: Compared, lock: Lock): readonly Stale[] {
  const names = new Set(now.pipeline.stages.map((stage) => stage.name))
  const known = new Set([lock['stages'], lock['gates'], lock['wiring']].flatMap((s) => Object.keys(s ?? {})))
  const gone = [...known].filter((name) => !names.has(name)).sort()
  return [
    ...now.pipeline.stages.flatMap((stage) => staleStage(stage, now, lock)),
    ...gone.map((stage): Stale => ({ stage, type: 'not-in-file' })),
  ]
}

function staleStage(stage: Stage, now: Compared, lock: Lock): readonly Stale[] {
  const { name } = stage
  const exports = now.environment.kinds[stage.uses]?.decides === 'export'
  const locked = (stage.gate === null && !exports ? lock['stages'] : lock['wiring'])?.[name]
  if (locked === undefined)
    return mayBeAbsent(stage, now.pipeline) ? [] : [{ stage: name, type: 'not-locked' }]
  const rewired = wiringChanges(stage, lock)
  if (rewired.length > 0 || exports) return rewired
  if (stage.gate !== null)
    return lock['gates']?.[name] === undefined ? [{ stage: name, type: 'not-judged' }] : []
  if (stage.selection !== null) {
    const before = Object.fromEntries(Object.entries(locked).filter(([fact]) => fact.startsWith('with.')))
    return changed(stage, inText(before), inText(rulesOf(stage)))
  }
  const inputs = lockedInputs(stage, now, lock['stages'] ?? {})
  if ('missing' in inputs) return [{ stage: name, type: 'no-input', ...inputs.missing }]
  const manifest = stageManifest(stage, inputs.digests, now.environment)
  const before = lockedManifest(locked)
  if (keyOf(manifest) === locked['key'] && keyOf(before) === locked['key']) return []
  const differ = changed(stage, before, manifest)
  return differ.length > 0 ? differ : [{ stage: name, type: 'changed', reasons: [] }]
}

function changed(stage: Stage, before: Manifest, after: Manifest): readonly Stale[] {
  const workers = { now: stage.worker, then: undefined }
  const reasons = namingWorkers(differences(before, after), workers).map(
    ({ ingredient, before: old, after: young }) => {
      const option = ingredient.startsWith('with.') ? ingredient.slice('with.'.length) : null
      const span = option === null ? null : (stage.optionSpans[option] ?? null)
      return { type: 'changed' as const, ingredient, before: old, after: young, span }
    },
  )
  return reasons.length === 0 ? [] : [{ stage: stage.name, type: 'changed', reasons }]
}

function inText(facts: Facts): Manifest {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, canonicalJson(value)]))
}

/** A stage with a condition, or behind a gate, need not have run in a complete run; nor what reads it. */
function mayBeAbsent(stage: Stage, pipeline: Pipeline): boolean {
  if (stage.when !== null) return true
  return needsOf(stage).some((name) => {
    const before = pipeline.stages.find((other) => other.name === name)
    return (
      stage.gate === null && before !== undefined && (before.gate !== null || mayBeAbsent(before, pipeline))
    )
  })
}

function wiringChanges(stage: Stage, lock: Lock): readonly Stale[] {
  const before = lock['wiring']?.[stage.name] ?? {}
  const after = wiringFacts(stage)
  const ports = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return ports
    .filter((port) => before[port] !== after[port])
    .map((port) => {
      const old = before[port]
      return {
        stage: stage.name,
        type: 'wiring',
        port,
        before: typeof old === 'string' ? old : null,
        after: after[port] ?? null,
      }
    })
}

export type LockedInputs =
  | { readonly digests: Readonly<Record<string, Digest>> }
  | { readonly missing: { readonly port: string; readonly from: string } }

/** Content of a stage's inputs: sources as they are here, all else as the lock's stages have it. */
export function lockedInputs(
  stage: Stage,
  now: Pick<Compared, 'sources' | 'pipeline'>,
  stages: Section,
): LockedInputs {
  const digests: Record<string, Digest> = {}
  for (const [port, from] of Object.entries(stage.inputs)) {
    if (from.type === 'source') {
      const found = now.sources[from.source]
      if (found !== undefined) digests[port] = found.digest
      // What nobody has asked the hub for yet is not the same as an optional source that is empty.
      else if (hubAddress(now.pipeline.sources[from.source]?.from) !== null)
        return { missing: { port, from: `sources.${from.source}` } }
      continue
    }
    const made = lockedOutput(stages[from.stage], from.port)
    if (made === null) return { missing: { port, from: `${from.stage}.${from.port}` } }
    digests[port] = made
  }
  return { digests }
}
