/** The gates of a pipeline, judged on the metrics that this machine has; nothing runs. */
import type { Verdict } from '../dsl/judge.ts'
import type { Stage } from '../dsl/pipeline.ts'
import type { Artifact } from '../engine/artifact.ts'
import { judgeGate, readMetrics } from '../engine/run/gate.ts'
import { metricsPort } from '../engine/run/run.ts'
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
  /** Stages that measure, but have not for the file as it is. */
  readonly unmeasured: readonly string[]
}

export async function judgeNow(opened: Opened): Promise<Judged> {
  const gated = opened.pipeline.stages.filter((stage) => stage.gate !== null)
  if (gated.length === 0) throw new Usage(`${opened.file} has no gate`, true)
  const results = upToDate(opened)
  const measuring = opened.pipeline.stages.filter((stage) => metricsPort(stage) !== null)
  const metricsOf = (name: string): Artifact | null => {
    const stage = measuring.find((other) => other.name === name)
    const port = stage === undefined ? null : metricsPort(stage)
    return port === null ? null : (results.get(name)?.outputs[port] ?? null)
  }
  const names = measuring.map((stage) => stage.name)
  const measuredRulers = names.flatMap((name) => {
    const artifact = metricsOf(name)
    const metrics = artifact === null ? null : readMetrics(artifact, opened.stores.blobs)
    return metrics === null || 'missing' in metrics ? [] : [[name, metrics.ruler] as const]
  })
  const yardsticks = await yardsticksOf(opened)
  const gates = gated.map((stage) => {
    const others = stage.gate === null ? {} : yardsticks(stage.gate)
    const known = Object.values(others).flatMap((each) =>
      'missing' in each ? [] : [[each.origin, each.ruler] as const],
    )
    const verdict = judgeGate(stage, metricsOf, names, others, opened.stores.blobs)
    return { stage, verdict, rulers: Object.fromEntries([...measuredRulers, ...known]) }
  })
  return {
    gates,
    exitCode: exitCodeOf(gates.map(({ verdict }) => verdict)),
    results,
    unmeasured: names.filter((name) => metricsOf(name) === null),
  }
}

/** One that failed wins over one that is undecided. */
export function exitCodeOf(verdicts: readonly Verdict[]): number {
  const kinds = verdicts.map(({ verdict }) => verdict)
  return kinds.includes('fail') ? 3 : kinds.includes('undecided') ? 4 : 0
}

/** The results of all stages that would not run. */
export function upToDate(opened: Opened): ReadonlyMap<string, Result> {
  return new Map(
    planOf(opened, new Set()).flatMap((entry) =>
      entry.type === 'cached' ? [[entry.stage.name, entry.result] as const] : [],
    ),
  )
}
