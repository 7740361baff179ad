/** `sluice plan`: what would run, and why; nothing is run or written. */
import type { Planned } from '../../engine/plan/plan.ts'
import type { Command } from '../options.ts'
import { openPipeline, planOf } from '../project.ts'
import { planText, reasonText } from '../reports/plan.ts'
import { painter, useColor } from '../reports/style.ts'
import { checkScope, wishOf } from '../wish.ts'

/** Exit code of `plan --check` when something would run. */
const STALE = 10

export async function planCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const wished = wishOf(command, opened.pipeline)
  const whole = planOf(opened, wished.forced)
  checkScope(wished, whole)
  const planned = whole.filter(({ stage }) => wished.takesPart.has(stage.name))
  if (command.flags['json'] === true) {
    process.stdout.write(
      `${JSON.stringify({ pipeline: opened.pipeline.name, stages: planned.map(plannedJson) }, null, 2)}\n`,
    )
  } else {
    const lastMs = (stage: string) => opened.past.lastMs(stage)
    process.stdout.write(
      `${planText(opened.pipeline.name, planned, lastMs, painter(useColor(process.stdout, command)))}\n`,
    )
  }
  const stale = planned.some((entry) => entry.type === 'run')
  return command.flags['check'] === true && stale ? STALE : 0
}

export function plannedJson(entry: Planned): unknown {
  const base = { stage: entry.stage.name, uses: entry.stage.uses, status: entry.type }
  if (entry.type === 'judge') return base
  if (entry.type === 'choose') return { ...base, chosen: entry.result?.summary['chosen'] ?? null }
  if (entry.type === 'cached') return { ...base, key: entry.key }
  return {
    ...base,
    key: entry.key,
    reasons: entry.reasons.map((reason) => ({ ...reason, span: undefined, text: reasonText(reason) })),
  }
}
