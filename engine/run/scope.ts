/** What was asked for on the command line -> the stages that take part in a run, and those of them that may do work. */
import type { Pipeline, Stage } from '../../dsl/pipeline.ts'
import { needsOf } from './fate.ts'

export interface Wish {
  /** Stages to end with; none means all. */
  readonly targets: readonly string[]
  /** Stages to begin with; what lies before them is taken as it is. */
  readonly from: readonly string[]
  /** The targets alone: what they need is taken as it is. */
  readonly only: boolean
}

export interface Scope {
  /** Stages to bring up to date, by name; what they need takes part, too. Null is the whole pipeline. */
  readonly targets: readonly string[] | null
  /** Stages that may run; the others that take part have to be there already. Null: all may. */
  readonly mayRun: ReadonlySet<string> | null
}

/** Names without a point mean all instances. An empty `mayRun` says that nothing lies between `from` and the targets. */
export function scopeOf(pipeline: Pipeline, { targets, from, only }: Wish): Scope {
  const called = (names: readonly string[]) =>
    pipeline.stages.filter(({ name, base }) => names.includes(name) || names.includes(base))
  const until = targets.length === 0 ? pipeline.stages : wantedStages(pipeline, targets)
  if (!only && from.length === 0) return { targets: targets.length === 0 ? null : targets, mayRun: null }
  const later = only ? null : downstreamOf(pipeline, namesOf(called(from)))
  const chosen = later === null ? called(targets) : until.filter(({ name }) => later.has(name))
  return { targets: namesOf(chosen), mayRun: new Set(namesOf(chosen)) }
}

/** The stages asked for and everything they need, in topological order. */
export function wantedStages(pipeline: Pipeline, targets: readonly string[] | null): readonly Stage[] {
  if (targets === null) return pipeline.stages
  const asked = new Set(targets)
  const wanted = new Set(
    pipeline.stages.flatMap(({ name, base }) => (asked.has(name) || asked.has(base) ? [name] : [])),
  )
  for (const stage of [...pipeline.stages].reverse()) {
    if (wanted.has(stage.name)) for (const before of needsOf(stage)) wanted.add(before)
  }
  return pipeline.stages.filter((stage) => wanted.has(stage.name))
}

/** These stages and everything that depends on them; names without a point mean all instances. */
export function downstreamOf(pipeline: Pipeline, names: readonly string[]): ReadonlySet<string> {
  const asked = new Set(names)
  const later = new Set<string>()
  for (const stage of pipeline.stages)
    if (asked.has(stage.name) || asked.has(stage.base) || needsOf(stage).some((need) => later.has(need)))
      later.add(stage.name)
  return later
}

function namesOf(stages: readonly Stage[]): readonly string[] {
  return stages.map(({ name }) => name)
}
