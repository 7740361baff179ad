/** The gates of a pipeline, judged on the metrics that this machine has; nothing runs. */
import type { Verdict } from '../dsl/judge.ts'
import type { Stage } from '../dsl/pipeline.ts'
import { judgeGate, metricsPort, readMetrics } from '../engine/run/gate.ts'
import { openBecause } from '../engine/run/paused.ts'
import type { Result } from '../engine/store/results.ts'
import { yardsticksOf } from './baseline.ts'
import { Usage } from './options.ts'
import { planOf } from './project.ts'
import type { Opened } from './project.ts'

export interface JudgedGate {
  readonly stage: Stage
  readonly verdict: Verdict
  /** Where an operand comes from (`eval`, `main@4c2`) -> the ruler it was measured by. */
  readonly rulers: Readonly<Record<string, string>>
}

export interface Judged {
  readonly gates: readonly JudgedGate[]
  readonly exitCode: number
  /** Stage -> its result, for all that is up to date. */
  readonly results: ReadonlyMap<string, Result>
  /** Stage -> what people still have to do for it. */
  readonly paused: ReadonlyMap<string, string>
  /** Stages that measure, but have not for the file as it is. */
  readonly unmeasured: readonly string[]
}

/** Exit code while people have not done their part. */
const WAITING = 5

export async function judgeNow(opened: Opened): Promise<Judged> {
  const gated = opened.pipeline.stages.filter((stage) => stage.gate !== null)
  if (gated.length === 0) throw new Usage(`${opened.file} has no gate`, true)
  const { results, paused } = standing(opened)
  const resultOf = (name: string) => results.get(name) ?? null
  const rulers = rulersOf(opened, results)
  const yardsticks = await yardsticksOf(opened)
  const gates = gated.map((stage) => {
    const others = stage.gate === null ? {} : yardsticks(stage.gate)
    const known = Object.values(others).flatMap((each) =>
      'missing' in each || each.ruler === null ? [] : [[each.origin, each.ruler] as const],
    )
    const { pipeline, environment, stores, sources } = opened
    const { kinds } = environment
    const world = { stages: pipeline.stages, kinds, resultOf, paused, sources, blobs: stores.blobs }
    const verdict = judgeGate(stage, { ...world, yardsticks: others })
    return { stage, verdict, rulers: { ...rulers, ...Object.fromEntries(known) } }
  })
  const decided = gates.filter(({ stage, verdict }) => openBecause(stage, verdict, paused) === null)
  const code = exitCodeOf(decided.map(({ verdict }) => verdict))
  return {
    gates,
    exitCode: code === 0 && decided.length < gates.length ? WAITING : code,
    results,
    paused,
    unmeasured: opened.pipeline.stages.flatMap((stage) =>
      metricsPort(stage) !== null && !results.has(stage.name) && !paused.has(stage.name) ? [stage.name] : [],
    ),
  }
}

/** One that failed wins over one that is undecided. */
export function exitCodeOf(verdicts: readonly Verdict[]): number {
  const kinds = verdicts.map(({ verdict }) => verdict)
  return kinds.includes('fail') ? 3 : kinds.includes('undecided') ? 4 : 0
}

/** Stage -> the ruler by which it was measured. */
export function rulersOf(
  opened: Opened,
  results: ReadonlyMap<string, Result>,
): Readonly<Record<string, string>> {
  const rulers = opened.pipeline.stages.flatMap((stage) => {
    const port = metricsPort(stage)
    const artifact = port === null ? undefined : results.get(stage.name)?.outputs[port]
    const metrics = artifact === undefined ? null : readMetrics(artifact, opened.stores.blobs)
    return metrics === null || 'missing' in metrics ? [] : [[stage.name, metrics.ruler] as const]
  })
  return Object.fromEntries(rulers)
}

/** The results of all stages that would not run, and of choices that are made already. */
export function upToDate(opened: Opened): ReadonlyMap<string, Result> {
  return standing(opened).results
}

function standing(opened: Opened): {
  readonly results: ReadonlyMap<string, Result>
  readonly paused: ReadonlyMap<string, string>
} {
  const results = new Map<string, Result>()
  const paused = new Map<string, string>()
  for (const entry of planOf(opened, new Set())) {
    if (entry.type === 'cached' && entry.waitsFor !== null) paused.set(entry.stage.name, entry.waitsFor)
    else if ((entry.type === 'cached' || entry.type === 'choose') && entry.result !== null)
      results.set(entry.stage.name, entry.result)
  }
  return { results, paused }
}
