/** A plan -> what would really become of each stage: gates and conditions that can be decided now are decided. */
import { conditionText, holdsNow } from '../../dsl/condition-facts.ts'
import type { ConditionFacts } from '../../dsl/condition-facts.ts'
import { namesIn } from '../../dsl/expression/syntax.ts'
import type { Verdict } from '../../dsl/judge.ts'
import type { Condition, Stage } from '../../dsl/pipeline.ts'
import { factsOf, fateOf, isOver, needsOf, newlyFinished } from '../run/fate.ts'
import type { Finished } from '../run/fate.ts'
import { openBecause } from '../run/paused.ts'
import type { Planned } from './plan.ts'

/** What cannot be known before something has run. */
export type Dependence =
  | { readonly type: 'gate'; readonly gate: string }
  | { readonly type: 'when'; readonly text: string }
  | { readonly type: 'people'; readonly stage: string }

export type Outlook =
  /** It comes to it: the stage is run, taken from the cache or judged, as planned. */
  | { readonly type: 'sure'; readonly verdict: Verdict | null }
  | { readonly type: 'depends'; readonly on: readonly Dependence[] }
  | { readonly type: 'left-out'; readonly because: string }

export const SURE: Outlook = { type: 'sure', verdict: null }

export interface Prospect {
  /** `run.branch` and its like. */
  readonly facts: ConditionFacts
  /** Judges a gate whose metrics are all on this machine. */
  readonly judge: (gate: Stage, finished: Finished) => Promise<Verdict>
  /** Whether a stage that has run may still wait for people. */
  readonly asksPeople: (stage: Stage) => boolean
}

/** Plays the run through without running anything: what is there has finished, what would run stays open. */
export async function outlookOf(
  planned: readonly Planned[],
  { facts, judge, asksPeople }: Prospect,
): Promise<ReadonlyMap<string, Outlook>> {
  const byName = new Map(planned.map(({ stage }) => [stage.name, stage]))
  const request = { facts, signal: new AbortController().signal, onFailure: 'as-written' } as const
  const finished = newlyFinished()
  const outlooks = new Map<string, Outlook>()
  const leaveOut = (stage: Stage, because: string) => {
    finished.skipped.add(stage.name)
    outlooks.set(stage.name, { type: 'left-out', because })
  }
  for (const [at, entry] of planned.entries()) {
    const { stage } = entry
    const fate = fateOf(stage, finished, new Set(), byName, request)
    if (fate.type === 'skip') {
      leaveOut(stage, fate.because)
      continue
    }
    if (fate.type === 'wait') {
      const holds = stage.when === null ? true : decided(stage.when, finished, byName, facts)
      if (stage.when !== null && holds === false) {
        leaveOut(stage, conditionText(stage.when, facts))
        continue
      }
      const on = needsOf(stage).flatMap((name) =>
        stage.when?.asks.includes(name) === true || isOver(name, finished)
          ? []
          : dependence(name, byName, outlooks, asksPeople),
      )
      if (stage.when !== null && holds === null) on.push({ type: 'when', text: stage.when.text })
      outlooks.set(stage.name, on.length === 0 ? SURE : { type: 'depends', on: distinct(on) })
      continue
    }
    outlooks.set(stage.name, SURE)
    if (entry.type === 'judge') {
      if (!isFollowed(stage, planned) || !isHere(stage, planned.slice(0, at), finished)) continue
      const verdict = await judge(stage, finished)
      const because = openBecause(stage, verdict, finished.paused)
      if (because !== null) leaveOut(stage, because)
      else {
        finished.verdicts.set(stage.name, verdict)
        outlooks.set(stage.name, { type: 'sure', verdict })
      }
    } else if (entry.type === 'cached' && entry.waitsFor !== null) {
      finished.paused.set(stage.name, entry.waitsFor)
    } else if (entry.type !== 'run' && entry.type !== 'export' && entry.result !== null) {
      finished.results.set(stage.name, entry.result)
      if (entry.type !== 'choose') finished.cached.add(stage.name)
    }
  }
  return outlooks
}

function dependence(
  need: string,
  byName: ReadonlyMap<string, Stage>,
  outlooks: ReadonlyMap<string, Outlook>,
  asksPeople: Prospect['asksPeople'],
): Dependence[] {
  const stage = byName.get(need)
  if (stage?.gate != null) return [{ type: 'gate', gate: need }]
  const outlook = outlooks.get(need)
  const own = outlook?.type === 'depends' ? outlook.on : []
  return stage !== undefined && asksPeople(stage) ? [...own, { type: 'people', stage: need }] : [...own]
}

function distinct(on: readonly Dependence[]): readonly Dependence[] {
  return [...new Map(on.map((each) => [JSON.stringify(each), each])).values()]
}

/** Whether a stage hangs on the verdict; nobody else needs it before the run. */
function isFollowed(gate: Stage, planned: readonly Planned[]): boolean {
  return planned.some(
    ({ stage }) => needsOf(stage).includes(gate.name) || stage.when?.asks.includes(gate.name) === true,
  )
}

/** Whether all that the gate's checks read is on this machine; `before` is what comes before it in running order. */
function isHere({ gate, name }: Stage, before: readonly Planned[], finished: Finished): boolean {
  if (gate === null) throw new Error(`bug: ${name} is no gate`)
  const spaces = new Set(
    gate.checks.flatMap(({ expression }) => namesIn(expression).map(({ path }) => path[0])),
  )
  // What all stages took together is not known while one of them will run.
  if (spaces.has('total') && !before.every(({ stage }) => isOver(stage.name, finished))) return false
  const facts = (['data', 'train'] as const).flatMap((space) => (spaces.has(space) ? gate.facts[space] : []))
  const read = new Set([gate.judged, ...(gate.baseline === null ? [] : [gate.baseline]), ...facts, ...spaces])
  return before.every(
    ({ type, stage }) => !read.has(stage.name) || (type !== 'pull' && isOver(stage.name, finished)),
  )
}

/** What may become of a stage or gate, as the names that are then true. */
const STAGE_FATES = [['done', 'ran'], ['done', 'cached'], ['failed'], ['skipped']]
const GATE_FATES = [['passed'], ['failed'], ['undecided'], ['skipped']]
/** So many open stages are tried out in all their fates. */
const MOST_OPEN = 4

/** What a condition says whatever becomes of the stages that it asks for; null if that depends on them. */
function decided(
  condition: Condition,
  finished: Finished,
  byName: ReadonlyMap<string, Stage>,
  ofRun: ConditionFacts,
): boolean | null {
  const asked = condition.asks.flatMap((name) => byName.get(name) ?? [])
  const open = asked.filter(({ name }) => !isOver(name, finished))
  if (open.length > MOST_OPEN) return null
  let worlds: ConditionFacts[] = [factsOf(finished, asked, ofRun)]
  for (const { name, gate } of open)
    worlds = worlds.flatMap((world) =>
      (gate === null ? STAGE_FATES : GATE_FATES).map((fate) => ({
        ...world,
        ...Object.fromEntries(fate.map((state) => [`${name}.${state}`, true])),
      })),
    )
  const answers = new Set(
    worlds.map((world) => {
      const holds = holdsNow(condition, world)
      return 'value' in holds && holds.value
    }),
  )
  const [answer, another] = answers
  return another === undefined ? (answer ?? null) : null
}
