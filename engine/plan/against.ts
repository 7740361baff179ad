/** A stage as it is planned, and the facts of another time -> where the two parted: the first causes, upstream first. */
import type { Pipeline, Stage } from '../../dsl/pipeline.ts'
import type { Json } from '../../dsl/stage-signature.ts'
import { canonicalJson } from '../artifact.ts'
import type { Digest } from '../artifact.ts'
import { lockedManifest, rulesOf, wiringFacts } from '../lock/facts.ts'
import type { Facts, Lock } from '../lock-file.ts'
import { differences } from './manifest.ts'
import type { Manifest } from './manifest.ts'
import type { Planned, Reason } from './plan.ts'
import { namingWorkers } from './worker-change.ts'

export type Cause = { readonly stage: string } & (
  | { readonly type: 'changed'; readonly reason: Extract<Reason, { type: 'changed' }> }
  | {
      readonly type: 'wiring'
      readonly port: string
      readonly before: string | null
      readonly after: string | null
    }
  /** A source has other content; null where the other side had none. */
  | {
      readonly type: 'source'
      readonly source: string
      readonly before: Digest | null
      readonly after: Digest | null
    }
  /** The other side does not know the stage. */
  | { readonly type: 'not-there' }
  /** A stage before it was made from the same and came out otherwise, as on other hardware. */
  | { readonly type: 'other-bytes'; readonly port: string; readonly from: string }
)

export function causesAgainst(
  name: string,
  { stages }: Pipeline,
  planned: readonly Planned[],
  before: Lock,
): readonly Cause[] {
  const byName = new Map(stages.map((stage) => [stage.name, stage]))
  const plans = new Map(planned.map((entry) => [entry.stage.name, entry]))
  const seen = new Map<string, boolean>()
  const found: Cause[] = []

  /** Finds what is different in a stage or before it; false if nothing is. */
  const visit = (stage: Stage): boolean => {
    const known = seen.get(stage.name)
    if (known !== undefined) return known
    const entry = plans.get(stage.name)
    const facts = before['stages']?.[stage.name]
    let differs = false
    const add = (cause: Cause): void => {
      differs = true
      found.push(cause)
    }
    if (facts === undefined || entry === undefined) {
      add({ stage: stage.name, type: 'not-there' })
      seen.set(stage.name, differs)
      return differs
    }
    const [old, young] = [beforeOf(facts), manifestNow(entry)]
    for (const port of portsOf(stage, old)) {
      const [a, b] = [old[`input.${port}`], young[`input.${port}`]]
      if (a !== undefined && a === b) continue
      const wiring = rewired(stage, port, before)
      const reference = stage.inputs[port]
      if (wiring !== null) add(wiring)
      else if (reference?.type === 'source')
        add({
          stage: stage.name,
          type: 'source',
          source: reference.source,
          before: digestIn(a),
          after: digestIn(b),
        })
      else if (reference?.type === 'stage') {
        const upstream = byName.get(reference.stage)
        const earlier = upstream !== undefined && visit(upstream)
        differs ||= earlier
        if (!earlier && b !== undefined && entry.type !== 'choose')
          add({ stage: stage.name, type: 'other-bytes', port, from: reference.stage })
      }
    }
    for (const { ingredient, before: was, after: is } of namingWorkers(differences(old, young), {
      now: stage.worker,
      then: undefined,
    })) {
      if (ingredient.startsWith('input.')) continue
      const option = ingredient.startsWith('with.') ? ingredient.slice('with.'.length) : ''
      const span = stage.optionSpans[option] ?? null
      add({
        stage: stage.name,
        type: 'changed',
        reason: { type: 'changed', ingredient, before: was, after: is, span },
      })
    }
    seen.set(stage.name, differs)
    return differs
  }

  const stage = byName.get(name)
  if (stage !== undefined) visit(stage)
  return found
}

/** A choice has facts, but is made from its rules alone. */
function beforeOf(facts: Facts): Manifest {
  const manifest = lockedManifest(facts)
  return facts['chosen'] === undefined ? manifest : rulesIn(manifest)
}

function manifestNow(entry: Planned): Manifest {
  switch (entry.type) {
    case 'cached':
    case 'pull':
      return entry.result.manifest
    case 'run':
      return entry.manifest
    case 'choose':
      return rulesIn(Object.fromEntries(Object.entries(rulesOf(entry.stage)).map(([k, v]) => [k, text(v)])))
    case 'judge':
    case 'export':
      return {}
  }
}

const text = (value: Json) => canonicalJson(value)

function rulesIn(manifest: Manifest): Manifest {
  return Object.fromEntries(Object.entries(manifest).filter(([name]) => name.startsWith('with.')))
}

function portsOf(stage: Stage, before: Manifest): readonly string[] {
  const old = Object.keys(before).flatMap((name) =>
    name.startsWith('input.') ? [name.slice('input.'.length)] : [],
  )
  return [...new Set([...Object.keys(stage.inputs), ...old])].sort()
}

/** Only where the other side says how it was wired, or the port is only on one side. */
function rewired(stage: Stage, port: string, before: Lock): Cause | null {
  const after = wiringFacts(stage)[port] ?? null
  const wiring = before['wiring']?.[stage.name]
  if (wiring === undefined) return after === null ? wiringCause(stage, port, 'something', null) : null
  const was = wiring[port]
  const old = typeof was === 'string' ? was : null
  return old === after ? null : wiringCause(stage, port, old, after)
}

function wiringCause(stage: Stage, port: string, before: string | null, after: string | null): Cause {
  return { stage: stage.name, type: 'wiring', port, before, after }
}

function digestIn(value: string | undefined): Digest | null {
  return value === undefined ? null : (JSON.parse(value) as Digest)
}
