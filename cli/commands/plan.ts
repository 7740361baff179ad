/** `sluice plan` and `sluice why`: what would run, and why; nothing is run or written. */
import { didYouMean } from '../../dsl/spelling.ts'
import type { Planned } from '../../engine/plan/plan.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { sayPower } from '../power.ts'
import { checkStages, openPipeline, planOf, readBuild } from '../project.ts'
import { remoteOf } from '../remote.ts'
import { sharedPlan } from '../remote-plan.ts'
import { chosenText, planText, reasonText } from '../reports/plan.ts'
import { duration, painter, useColor } from '../reports/style.ts'
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

export async function whyCommand(command: Command, buildDir: string): Promise<number> {
  const [name, ...rest] = command.args
  if (name === undefined || rest.length > 0)
    throw new Usage('why wants one stage\n  help: sluice why lora-train', true)
  const opened = await openPipeline(command, buildDir)
  checkStages([name], opened.pipeline, didYouMean)
  const entry = planOf(opened, new Set()).find(({ stage }) => stage.name === name)
  const start = opened.past.lastStart(name)
  if (entry === undefined) throw new Error(`bug: ${name} is not in the plan`)
  if (command.flags['json'] === true) {
    process.stdout.write(`${JSON.stringify({ now: plannedJson(entry), last: start }, null, 2)}\n`)
    return 0
  }
  const lines = [name]
  if (entry.type === 'judge') lines.push('  a gate is judged on every run; it is never cached')
  if (entry.type === 'choose') lines.push(`  ${chosenText(entry.result)}; a choice is made on every run`)
  if (entry.type === 'cached') {
    if (entry.waitsFor !== null) lines.push(`  now:   waits for people: ${entry.waitsFor}`)
    lines.push(`  now:   cached, key ${entry.key.slice(7, 19)}, made in ${duration(entry.result.durationMs)}`)
  }
  if (entry.type === 'run')
    lines.push(
      ...entry.reasons.map(
        (reason, i) => `  ${i === 0 ? 'now:   will run:' : '                '} ${reasonText(reason)}`,
      ),
    )
  if (start !== null) lines.push(`  last:  ran in ${start.run} because: ${start.reason}`)
  process.stdout.write(`${lines.join('\n')}\n`)
  return 0
}

function plannedJson(entry: Planned): unknown {
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
