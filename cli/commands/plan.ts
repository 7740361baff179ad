/** `sluice plan`: what would run, and why; nothing is run or written. */
import { SURE } from '../../engine/plan/outlook.ts'
import type { Outlook } from '../../engine/plan/outlook.ts'
import type { Planned, Reason } from '../../engine/plan/plan.ts'
import { downloadsOf, downloadText } from '../hub-plan.ts'
import type { Command } from '../options.ts'
import { outlooksOf } from '../outlook.ts'
import { sayPower } from '../power.ts'
import { openPipeline, readBuild } from '../project.ts'
import type { Opened } from '../project.ts'
import { remoteOf } from '../remote.ts'
import { sharedPlan } from '../remote-plan.ts'
import { dependenceText, planText, reasonText } from '../reports/plan.ts'
import { painter, useColor } from '../reports/style.ts'
import { countsText } from '../reports/why.ts'
import { reasonsOf } from '../resuming.ts'
import { historyBehind } from '../source-history.ts'
import type { SourceHistory } from '../source-history.ts'
import { checkScope, wishOf } from '../wish.ts'
import { toType } from '../to-type.ts'

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
  const outlooks = await outlooksOf(opened, whole)
  const outlookOf = ({ stage }: Planned) => outlooks.get(stage.name) ?? SURE
  const running = planned.filter((entry) => entry.type === 'run' && outlookOf(entry).type === 'sure')
  await sayPower(opened, running, command, readBuild(buildDir).version)
  const say = await reasonsInWords(opened, planned)
  const { name } = opened.pipeline
  const downloads = downloadsOf(opened, planned)
  if (command.flags['json'] === true) {
    const stages = planned.map((entry) => plannedJson(entry, outlookOf(entry), say))
    process.stdout.write(`${JSON.stringify({ pipeline: name, stages, downloads, troubles }, null, 2)}\n`)
  } else {
    const lastMs = (stage: string) => opened.past.lastMs(stage)
    const paint = painter(useColor(process.stdout, command))
    process.stdout.write(`${planText(opened.pipeline, planned, { outlookOf, lastMs, say, paint })}\n`)
    if (downloads.length > 0) process.stdout.write(`\n${downloads.map(downloadText).join('\n')}\n`)
  }
  for (const text of troubles)
    process.stderr.write(
      `warning: remote cache ${text}; what it did not answer is planned as if it had nothing\n`,
    )
  // What hangs on a gate that cannot be judged here, as its metrics lie in the remote cache, may run.
  const stale = planned.some((entry) => entry.type === 'run' && outlookOf(entry).type !== 'left-out')
  return command.flags['check'] === true && stale ? STALE : 0
}

/** Where a source changed and an earlier run kept what it was, its files and rows are counted. */
async function reasonsInWords(
  opened: Opened,
  planned: readonly Planned[],
): Promise<(reason: Reason) => string> {
  const counted = new Map<Reason, string>()
  const histories = new Map<string, Promise<SourceHistory | null>>()
  for (const entry of planned)
    for (const reason of entry.type === 'run' ? entry.reasons : []) {
      const said = reasonsOf(opened, entry)(reason)
      if (said !== reasonText(reason)) counted.set(reason, said)
      if (reason.type !== 'changed') continue
      const { stage } = entry
      const port = reason.ingredient.slice('input.'.length)
      const from = stage.inputs[port]
      if (from?.type !== 'source') continue
      // Many stages may read the source that changed.
      const change = `${from.source} ${String(reason.before)}`
      const asked = histories.get(change) ?? historyBehind(opened, entry, reason)
      histories.set(change, asked)
      const history = await asked
      if (history === null) continue
      // Points of a matrix that run for one reason are counted together, so theirs names none of them.
      const more = stage.name === stage.base ? `   ${toType(`why ${stage.name}`, opened)}` : ''
      counted.set(reason, `the content of ${port} changed   ${countsText(history)}${more}`)
    }
  return (reason) => counted.get(reason) ?? reasonText(reason)
}

/** A stage that is left out says only why; `if` names what has to come true before it runs. */
export function plannedJson(entry: Planned, outlook: Outlook, say: (reason: Reason) => string): unknown {
  const name = { stage: entry.stage.name, uses: entry.stage.uses }
  if (outlook.type === 'left-out') return { ...name, status: 'left-out', because: outlook.because }
  const depends = outlook.type === 'depends' ? { if: outlook.on.map(dependenceText) } : {}
  const base = { ...name, status: entry.type, ...depends }
  if (entry.type === 'judge')
    return outlook.type === 'sure' && outlook.verdict !== null
      ? { ...base, verdict: outlook.verdict.verdict }
      : base
  if (entry.type === 'export') return { ...base, to: entry.stage.with['to'] ?? null }
  if (entry.type === 'choose') return { ...base, chosen: entry.result?.summary['chosen'] ?? null }
  if (entry.type === 'cached') return { ...base, key: entry.key, waitsFor: entry.waitsFor }
  if (entry.type === 'pull') return { ...base, status: 'cached-remote', key: entry.key, bytes: entry.bytes }
  return {
    ...base,
    key: entry.key,
    reasons: entry.reasons.map((reason) => ({ ...reason, span: undefined, text: say(reason) })),
  }
}
