/** Decides whether a stage can start, has to wait, or never will. Pure: what has finished goes in, a fate comes out. */
import { conditionText, holdsNow } from '../../dsl/condition-facts.ts'
import type { ConditionFacts } from '../../dsl/condition-facts.ts'
import type { Verdict } from '../../dsl/judge.ts'
import type { Stage } from '../../dsl/pipeline.ts'
import type { Json } from '../../dsl/stage-signature.ts'
import type { Result } from '../store/results.ts'
import type { FailureCause } from './events.ts'

/** What has become of the stages so far. */
export interface Finished {
  readonly results: Map<string, Result>
  readonly verdicts: Map<string, Verdict>
  readonly failures: Map<string, FailureCause>
  /** Stage -> what it waits for; it has no result yet, but what it made so far can be seen. */
  readonly paused: Map<string, string>
  readonly skipped: Set<string>
  readonly cached: Set<string>
}

export function newlyFinished(): Finished {
  return {
    results: new Map(),
    verdicts: new Map(),
    failures: new Map(),
    paused: new Map(),
    skipped: new Set(),
    cached: new Set(),
  }
}

/** Whether it is known what became of a stage. */
export function isOver(name: string, finished: Finished): boolean {
  return (
    finished.results.has(name) ||
    finished.verdicts.has(name) ||
    finished.failures.has(name) ||
    finished.paused.has(name) ||
    finished.skipped.has(name)
  )
}

/**
 * What a failed stage means for the others. What needs it never runs; all else goes on, except that
 * - `as-written`: the other points of its matrix do not, unless the file says `keep_going`;
 * - `keep-going`: no exception;
 * - `stop`: nothing does, and what runs is stopped.
 */
export type OnFailure = 'as-written' | 'keep-going' | 'stop'

/** Stages that must have finished before this one starts. */
export function needsOf(stage: Stage): readonly string[] {
  const read = Object.values(stage.inputs).flatMap((reference) =>
    reference.type === 'stage' ? [reference.stage] : [],
  )
  const judged =
    stage.gate === null
      ? []
      : [stage.gate.judged, ...(stage.gate.baseline === null ? [] : [stage.gate.baseline])]
  return [...new Set([...read, ...stage.after, ...judged])]
}

export type Fate =
  | { readonly type: 'go' }
  /** For another stage to end: one that it needs, or any of its matrix. */
  | { readonly type: 'wait'; readonly for: 'needs' | 'turn' }
  | { readonly type: 'skip'; readonly because: string }

const skip = (because: string): Fate => ({ type: 'skip', because })

export function fateOf(
  stage: Stage,
  finished: Finished,
  running: ReadonlySet<string>,
  byName: ReadonlyMap<string, Stage>,
  request: { readonly facts: ConditionFacts; readonly signal: AbortSignal; readonly onFailure: OnFailure },
): Fate {
  if (request.signal.aborted) return skip('the run was stopped')
  const [failure] = finished.failures.keys()
  if (failure !== undefined && request.onFailure === 'stop')
    return skip(`${failure} failed, and the run stops at the first failure`)
  const needs = needsOf(stage)
  // A choice is made among those trials that came through, and a condition may ask for a failure.
  const soft = stage.selection !== null ? needs : (stage.when?.asks ?? [])
  for (const name of needs) {
    if (soft.includes(name)) continue
    // A gate that fails whatever people say need not wait for them.
    if (stage.gate !== null && finished.paused.has(name)) continue
    const because = reasonToSkip(name, finished)
    if (because !== null) return skip(because)
  }
  const { sweep } = stage
  if (sweep !== null && !sweep.keepGoing && request.onFailure !== 'keep-going') {
    const failed = [...finished.failures.keys()].find(
      (name) => byName.get(name)?.sweep?.stage === sweep.stage,
    )
    if (failed !== undefined) return skip(`${failed} failed and the matrix does not keep going`)
  }
  if (!needs.every((name) => isOver(name, finished))) return { type: 'wait', for: 'needs' }
  if (sweep?.maxParallel != null) {
    const siblings = [...running].filter((name) => byName.get(name)?.sweep?.stage === sweep.stage)
    if (siblings.length >= sweep.maxParallel) return { type: 'wait', for: 'turn' }
  }
  if (stage.when !== null) {
    const asked = stage.when.asks.flatMap((name) => byName.get(name) ?? [])
    const holds = holdsNow(stage.when, factsOf(finished, asked, request.facts))
    if ('missing' in holds) return skip(`when: ${holds.missing} is not known here`)
    if (!holds.value) return skip(conditionText(stage.when, request.facts))
  }
  return { type: 'go' }
}

function reasonToSkip(need: string, finished: Finished): string | null {
  if (finished.failures.has(need)) return `${need} failed`
  if (finished.paused.has(need)) return `${need} waits for people`
  if (finished.skipped.has(need)) return `${need} was not run`
  return (finished.verdicts.get(need)?.verdict ?? 'pass') === 'pass'
    ? null
    : `${gateCalled(need)} did not pass`
}

/** `the gate`, or `the gate quality` if it has a name of its own. */
export function gateCalled(name: string): string {
  return name === 'gate' ? 'the gate' : `the gate ${name}`
}

/** What a `when:` may ask for at this moment. */
export function factsOf(finished: Finished, asked: readonly Stage[], ofRun: ConditionFacts): ConditionFacts {
  const facts: Record<string, Json> = { ...ofRun }
  for (const { name, gate } of asked) {
    const verdict = finished.verdicts.get(name)?.verdict
    if (gate !== null) {
      facts[`${name}.passed`] = verdict === 'pass'
      facts[`${name}.undecided`] = verdict === 'undecided'
      facts[`${name}.failed`] = verdict === 'fail'
    } else {
      facts[`${name}.done`] = finished.results.has(name)
      facts[`${name}.cached`] = finished.cached.has(name)
      facts[`${name}.ran`] = finished.results.has(name) && !finished.cached.has(name)
      facts[`${name}.failed`] = finished.failures.has(name)
    }
    facts[`${name}.skipped`] = finished.skipped.has(name)
  }
  return facts
}
