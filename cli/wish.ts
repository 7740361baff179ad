/** The flags of `run` and `plan` that say what takes part -> a scope, or why they contradict each other. */
import { didYouMean } from '../dsl/spelling.ts'
import type { Pipeline } from '../dsl/pipeline.ts'
import type { Planned } from '../engine/plan/plan.ts'
import type { OnFailure } from '../engine/run/fate.ts'
import { downstreamOf, scopeOf, wantedStages } from '../engine/run/scope.ts'
import type { Scope } from '../engine/run/scope.ts'
import type { Command } from './options.ts'
import { Usage } from './options.ts'
import { checkStages, listFlag } from './project.ts'
import { reasonText } from './reports/plan.ts'

export interface Wished {
  readonly scope: Scope
  readonly forced: ReadonlySet<string>
  readonly onFailure: OnFailure
  /** Names of the stages that take part. */
  readonly takesPart: ReadonlySet<string>
}

export function wishOf(command: Command, pipeline: Pipeline): Wished {
  const from = listFlag(command, 'from')
  const targets = [...command.args, ...listFlag(command, 'until')]
  const only = command.flags['only'] === true
  const force = listFlag(command, 'force')
  const forceDown = listFlag(command, 'force-downstream')
  checkStages([...targets, ...from, ...force, ...forceDown], pipeline, didYouMean)
  if (only && targets.length === 0)
    throw new Usage('--only wants the stages that may run\n  help: sluice run eval --only', true)
  if (only && from.length > 0)
    throw new Usage(
      '--only and --from contradict each other: --only runs the named stages and nothing after them\n  help: name more stages with --only, or an end: --from tokenize --until eval',
      true,
    )
  const scope = scopeOf(pipeline, { targets, from, only })
  if (scope.mayRun?.size === 0)
    throw new Usage(
      `nothing lies between ${from.join(', ')} and ${targets.join(', ')}\n  help: sluice graph shows what follows what`,
      true,
    )
  const takesPart = new Set(wantedStages(pipeline, scope.targets).map(({ name }) => name))
  const mayRun = scope.mayRun ?? takesPart
  const forced = new Set([...namesOf(pipeline, force), ...downstreamOf(pipeline, forceDown)])
  for (const name of namesOf(pipeline, [...force, ...forceDown]))
    if (!mayRun.has(name))
      throw new Usage(
        `${name} is forced, but it is not among the stages of this run\n  help: leave out the force, or name ${name}, too`,
        true,
      )
  return { scope, forced, onFailure: onFailureOf(command), takesPart }
}

/** What may not run has to be there; refuses before anything runs. */
export function checkScope({ scope: { mayRun }, takesPart }: Wished, planned: readonly Planned[]): void {
  if (mayRun === null) return
  const missing = planned.flatMap((entry) =>
    entry.type === 'run' && takesPart.has(entry.stage.name) && !mayRun.has(entry.stage.name) ? [entry] : [],
  )
  const [first, ...others] = missing
  if (first === undefined) return
  const [reason] = first.reasons
  const why = reason === undefined ? '' : ` (${reasonText(reason)})`
  const more = others.length === 0 ? '' : `, and ${String(others.length)} more`
  throw new Usage(
    `${first.stage.name} would have to run first${why}${more}, and it is not among the stages of this run\n  help: leave out --only or --from, or run it: sluice run ${first.stage.name}`,
    true,
  )
}

function onFailureOf({ flags }: Command): OnFailure {
  const stop = flags['fail-fast'] === true
  const goOn = flags['keep-going'] === true
  if (stop && goOn)
    throw new Usage('--fail-fast and --keep-going contradict each other\n  help: leave one out', true)
  return stop ? 'stop' : goOn ? 'keep-going' : 'as-written'
}

function namesOf({ stages }: Pipeline, names: readonly string[]): readonly string[] {
  return stages.flatMap(({ name, base }) => (names.includes(name) || names.includes(base) ? [name] : []))
}
