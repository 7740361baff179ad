/** `sluice plan`: what would run, and why; nothing is run or written. */
import type { Planned } from '../../engine/plan/plan.ts'
import type { Command } from '../options.ts'
import { sayPower } from '../power.ts'
import { openPipeline, readBuild } from '../project.ts'
import { remoteOf } from '../remote.ts'
import { sharedPlan } from '../remote-plan.ts'
import { planText, reasonText } from '../reports/plan.ts'
import { painter, useColor } from '../reports/style.ts'
import { checkScope, wishOf } from '../wish.ts'

/** Exit code of `plan --check` when something would run. */
const STALE = 10

export async function planCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const wished = wishOf(command, opened.pipeline)
  const remote = await remoteOf(opened.root, opened.environment.stateDir, process.env)
  const { planned: whole, troubles } = await sharedPlan(
    opened,
    wished.forced,
    remote,
    new AbortController().signal,
  )
  checkScope(wished, whole)
  const planned = whole.filter(({ stage }) => wished.takesPart.has(stage.name))
  await sayPower(opened, planned, command, readBuild(buildDir).version)
  if (command.flags['json'] === true) {
    process.stdout.write(
      `${JSON.stringify({ pipeline: opened.pipeline.name, stages: planned.map(plannedJson), troubles }, null, 2)}\n`,
    )
  } else {
    const lastMs = (stage: string) => opened.past.lastMs(stage)
    process.stdout.write(
      `${planText(opened.pipeline.name, planned, lastMs, painter(useColor(process.stdout, command)))}\n`,
    )
  }
  for (const text of troubles)
    process.stderr.write(
      `warning: remote cache ${text}; what it did not answer is planned as if it had nothing\n`,
    )
  const stale = planned.some((entry) => entry.type === 'run')
  return command.flags['check'] === true && stale ? STALE : 0
}

export function plannedJson(entry: Planned): unknown {
  const base = { stage: entry.stage.name, uses: entry.stage.uses, status: entry.type }
  if (entry.type === 'judge') return base
  if (entry.type === 'choose') return { ...base, chosen: entry.result?.summary['chosen'] ?? null }
  if (entry.type === 'cached') return { ...base, key: entry.key, waitsFor: entry.waitsFor }
  if (entry.type === 'pull') return { ...base, status: 'cached-remote', key: entry.key, bytes: entry.bytes }
  return {
    ...base,
    key: entry.key,
    reasons: entry.reasons.map((reason) => ({ ...reason, span: undefined, text: reasonText(reason) })),
  }
}
