/** Two versions of a lock that git could not merge -> the facts that fit the merged pipeline file. */
import type { Stage } from '../../dsl/pipeline.ts'
import { canonicalJson } from '../artifact.ts'
import type { Digest } from '../artifact.ts'
import type { Stores } from '../environment.ts'
import type { Facts, Lock, Section } from '../lock-file.ts'
import { keyOf } from '../plan/manifest.ts'
import { stageManifest } from '../plan/plan.ts'
import { metricsPort, readMetrics } from '../run/gate.ts'
import type { Result } from '../store/results.ts'
import { needsOf } from '../run/fate.ts'
import { choose } from '../run/select.ts'
import {
  choiceFacts,
  lockedManifest,
  rulesOf,
  scoreFacts,
  sourceFacts,
  stageFacts,
  wiringFacts,
} from './facts.ts'
import { lockedInputs } from './stale.ts'
import type { Compared } from './stale.ts'

export interface Resolved {
  readonly lock: Lock
  /** Taken from one of the sides. */
  readonly kept: readonly string[]
  /** In neither side, but in this machine's cache. */
  readonly refilled: readonly string[]
  /** Not known until the next run. */
  readonly dropped: readonly string[]
}

/**
 * A stage's facts are kept from the side whose key is the one that the merged file gives, inputs taken from what was
 * resolved before it. Where both sides have that key and differ nevertheless (another machine trained to other
 * bytes), the smaller text wins, so that both merging directions give the same file.
 */
export function resolveLock(sides: readonly Lock[], now: Compared, stores: Stores): Resolved {
  const stages: Record<string, Facts> = {}
  const scores: Record<string, Facts> = {}
  const kept: string[] = []
  const refilled: string[] = []
  const dropped: string[] = []
  for (const stage of now.pipeline.stages) {
    if (stage.gate !== null) continue
    const { name } = stage
    const found =
      stage.selection === null
        ? made(stage, stages, sides, now, stores)
        : chosen(stage, stages, sides, now, stores)
    if (found === null) {
      dropped.push(name)
      continue
    }
    stages[name] = found.facts
    ;(found.from === 'side' ? kept : refilled).push(name)
    if (found.scores !== null) scores[name] = found.scores
  }
  const wiring = Object.fromEntries(now.pipeline.stages.map((stage) => [stage.name, wiringFacts(stage)]))
  const sources = Object.fromEntries(
    Object.entries(now.sources).map(([name, found]) => [name, sourceFacts(found)]),
  )
  // A verdict stands only with the very scores that it was spoken on.
  const judged = sides.filter((side) => canonicalJson(side['scores'] ?? {}) === canonicalJson(scores))
  const gates = now.pipeline.stages.flatMap((stage) => {
    const agreed = smallest(entries(judged, 'gates', stage.name))
    return stage.gate === null || agreed === null || disagree(sides, stage.name)
      ? []
      : [[stage.name, agreed] as const]
  })
  return {
    lock: { gates: Object.fromEntries(gates), scores, sources, stages, wiring },
    kept,
    refilled,
    dropped,
  }
}

/** What the sides say of a source; where they differ, the same one whichever way round they are merged. */
export function lockedSource(sides: readonly Lock[], name: string): Facts | undefined {
  return smallest(entries(sides, 'sources', name)) ?? undefined
}

/** Whether the facts have this key and are what it was made from: a line edited by hand is found out. */
function isWhole(facts: Facts | undefined, key: Digest): boolean {
  return facts?.['key'] === key && keyOf(lockedManifest(facts)) === key
}

/** Two verdicts on one gate: its checks may have been merged, too, so neither is taken over. */
function disagree(sides: readonly Lock[], gate: string): boolean {
  return new Set(sides.map((side) => side['gates']?.[gate]?.['verdict'])).size > 1
}

interface Found {
  readonly from: 'side' | 'cache'
  readonly facts: Facts
  readonly scores: Facts | null
}

function made(
  stage: Stage,
  stages: Section,
  sides: readonly Lock[],
  now: Compared,
  stores: Stores,
): Found | null {
  const inputs = lockedInputs(stage, now, stages)
  if ('missing' in inputs) return null
  const key = keyOf(stageManifest(stage, inputs.digests, now.environment))
  const kept = fromSide(stage.name, (facts) => isWhole(facts, key), sides)
  if (kept !== null) return kept
  const lookup = stores.results.find(key)
  if (lookup.type === 'miss') return null
  const { result } = lookup
  return { from: 'cache', facts: stageFacts(result), scores: scoresOf(stage, result, stores) }
}

/** A choice stands if its rules and all its trials are what they were; else it is made again from the trials here. */
function chosen(
  stage: Stage,
  stages: Section,
  sides: readonly Lock[],
  now: Compared,
  stores: Stores,
): Found | null {
  const trials = needsOf(stage)
  if (trials.some((name) => stages[name] === undefined)) return null
  const rules = rulesOf(stage)
  const fits = (facts: Facts, side: Lock) =>
    Object.entries(rules).every(
      ([name, value]) => canonicalJson(facts[name] ?? null) === canonicalJson(value),
    ) &&
    trials.every((name) => canonicalJson(side['stages']?.[name] ?? {}) === canonicalJson(stages[name] ?? {}))
  const kept = fromSide(stage.name, fits, sides)
  if (kept !== null) return kept
  const resultOf = (name: string) => {
    const key = stages[name]?.['key']
    return typeof key === 'string' ? stores.results.read(key as Digest) : null
  }
  const pointOf = (name: string) => now.pipeline.stages.find((other) => other.name === name)?.point ?? {}
  const choice = choose(stage, resultOf, pointOf, stores.blobs)
  if (choice.type === 'none') return null
  const { result } = choice
  return { from: 'cache', facts: choiceFacts(result, stage), scores: scoresOf(stage, result, stores) }
}

/** The facts of the side, or of the smaller text where several sides fit, with the scores beside them. */
function fromSide(
  name: string,
  fits: (facts: Facts, side: Lock) => boolean,
  sides: readonly Lock[],
): Found | null {
  const fitting = sides.filter((side) => {
    const facts = side['stages']?.[name]
    return facts !== undefined && fits(facts, side)
  })
  const facts = smallest(entries(fitting, 'stages', name))
  if (facts === null) return null
  const theirs = fitting.filter(
    (side) => canonicalJson(side['stages']?.[name] ?? {}) === canonicalJson(facts),
  )
  return { from: 'side', facts, scores: smallest(entries(theirs, 'scores', name)) }
}

function entries(locks: readonly Lock[], section: string, name: string): readonly Facts[] {
  return locks.map((lock) => lock[section]?.[name]).filter((facts) => facts !== undefined)
}

function smallest(facts: readonly Facts[]): Facts | null {
  const [first] = facts
    .map((each) => ({ each, text: canonicalJson(each) }))
    .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
  return first?.each ?? null
}

function scoresOf(stage: Stage, result: Result, stores: Stores): Facts | null {
  const port = metricsPort(stage)
  const artifact = port === null ? undefined : result.outputs[port]
  const metrics = artifact === undefined ? null : readMetrics(artifact, stores.blobs)
  return metrics === null || 'missing' in metrics ? null : scoreFacts(metrics)
}
