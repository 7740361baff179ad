/** `sluice why`: why a stage runs or ran, and where it parted from another time, down to options, files and rows. */
import { didYouMean } from '../../dsl/spelling.ts'
import { causesAgainst } from '../../engine/plan/against.ts'
import type { Cause } from '../../engine/plan/against.ts'
import { SURE } from '../../engine/plan/outlook.ts'
import type { Outlook } from '../../engine/plan/outlook.ts'
import type { Planned } from '../../engine/plan/plan.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { outlooksOf } from '../outlook.ts'
import { oneStage, openPipeline, stringFlag } from '../project.ts'
import type { Opened } from '../project.ts'
import { remoteOf } from '../remote.ts'
import { sharedPlan } from '../remote-plan.ts'
import { chosenText, dependenceText, pulledText } from '../reports/plan.ts'
import { duration } from '../reports/style.ts'
import { causeJson, causesText, historyLines } from '../reports/why.ts'
import type { ToldCause } from '../reports/why.ts'
import { reasonsOf } from '../resuming.ts'
import { snapshotOf } from '../snapshot.ts'
import type { FoundSnapshot } from '../snapshot.ts'
import { historyBehind, sourceHistory } from '../source-history.ts'
import { plannedJson } from './plan.ts'

export async function whyCommand(command: Command, buildDir: string): Promise<number> {
  const [name, ...rest] = command.args
  if (name === undefined || rest.length > 0)
    throw new Usage('why wants one stage\n  help: sluice why lora-train', true)
  const opened = await openPipeline(command, buildDir)
  oneStage(name, opened.pipeline, didYouMean)
  const against = stringFlag(command, 'against')
  const remote = await remoteOf(opened.root, opened.environment.stateDir, process.env)
  const { planned, troubles } = await sharedPlan(opened, new Set(), remote, new AbortController().signal)
  for (const text of troubles) process.stderr.write(`warning: remote cache ${text}\n`)
  const entry = planned.find(({ stage }) => stage.name === name)
  if (entry === undefined) throw new Error(`bug: ${name} is not in the plan`)
  if (against !== null) {
    if (entry.type === 'judge' || entry.type === 'export')
      throw new Usage(
        `${name} is ${entry.type === 'judge' ? 'a gate' : 'an export'}, made from nothing\n  help: sluice diff ${against}`,
        true,
      )
    const snapshot = await snapshotOf(opened, against)
    const causes = causesAgainst(name, opened.pipeline, planned, snapshot.lock)
    const told = await Promise.all(causes.map((cause) => tell(opened, cause, snapshot)))
    if (command.flags['json'] === true)
      process.stdout.write(
        `${JSON.stringify({ stage: name, against: snapshot.name, causes: told.map(causeJson) }, null, 2)}\n`,
      )
    else process.stdout.write(`${causesText(name, snapshot.name, told)}\n`)
    return 0
  }
  const start = opened.past.lastStart(name)
  const outlook = (await outlooksOf(opened, planned)).get(name) ?? SURE
  if (command.flags['json'] === true)
    process.stdout.write(
      `${JSON.stringify({ now: plannedJson(entry, outlook, reasonsOf(opened, entry)), last: start }, null, 2)}\n`,
    )
  else {
    const last = start === null ? [] : [`  last:  ran in ${start.run}; the reason then: ${start.reason}`]
    process.stdout.write(`${[name, ...(await nowLines(opened, entry, outlook)), ...last].join('\n')}\n`)
  }
  return 0
}

async function nowLines(opened: Opened, entry: Planned, outlook: Outlook): Promise<readonly string[]> {
  if (outlook.type === 'left-out') return [`  now:   left out: ${outlook.because}`]
  switch (entry.type) {
    case 'judge':
      return ['  a gate is judged on every run; it is never cached']
    case 'export':
      return ['  an export is written on every run that comes to it; it is never cached']
    case 'choose':
      return [`  ${chosenText(entry.result)}; a choice is made on every run`]
    case 'cached':
      return [
        entry.waitsFor === null
          ? `  now:   cached, key ${entry.key.slice(7, 19)}, made in ${duration(entry.result.durationMs)}`
          : `  now:   waits for people: ${entry.waitsFor}; what it asks them lies in the cache, key ${entry.key.slice(7, 19)}`,
      ]
    case 'pull':
      return [`  now:   ${pulledText(entry.bytes)}, key ${entry.key.slice(7, 19)}`]
    case 'run':
      return [
        ...(await reasonLines(opened, entry)),
        ...(outlook.type === 'depends'
          ? [`         if ${outlook.on.map(dependenceText).join(' and ')}`]
          : []),
      ]
  }
}

async function reasonLines(
  opened: Opened,
  entry: Planned & { readonly type: 'run' },
): Promise<readonly string[]> {
  const lines: string[] = []
  const say = reasonsOf(opened, entry)
  for (const [i, reason] of entry.reasons.entries()) {
    lines.push(`  ${i === 0 ? 'now:   will run:' : '                '} ${say(reason)}`)
    const history = reason.type === 'changed' ? await historyBehind(opened, entry, reason) : null
    if (history !== null) lines.push(...historyLines(history).map((line) => `                   ${line}`))
  }
  return lines
}

async function tell(opened: Opened, cause: Cause, { commit }: FoundSnapshot): Promise<ToldCause> {
  const history =
    cause.type === 'source' && cause.before !== null
      ? await sourceHistory(opened, cause.source, cause.before, commit)
      : null
  return { ...cause, history }
}
