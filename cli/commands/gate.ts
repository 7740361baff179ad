/** `sluice gate`: judges the gates on the metrics that exist, on made-up ones, or on the past; nothing runs. */
import { resolve } from 'node:path'
import { writeAtomic } from '../../engine/store/atomic.ts'
import { sayUndecided } from '../afterwards.ts'
import { announce } from '../announce.ts'
import { findMain, namesMain } from '../baseline.ts'
import { judgeNow } from '../judging.ts'
import type { Judged, JudgedGate } from '../judging.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { listFlag, openPipeline, stringFlag } from '../project.ts'
import type { Opened } from '../project.ts'
import { sorted } from '../reports/diff.ts'
import { gatesJson, worst } from '../reports/gate-json.ts'
import { junitText } from '../reports/junit.ts'
import { shortened } from '../reports/markdown.ts'
import { painter, useColor } from '../reports/style.ts'
import { distinctTexts, verdictText } from '../reports/verdict.ts'
import { presentSnapshot } from '../snapshot.ts'
import { rowsOf } from './diff.ts'

export async function gateCommand(command: Command, buildDir: string): Promise<number> {
  const [action, ...rest] = command.args
  if (action === 'verify') return (await import('./attest.ts')).verifyCommand(command, rest)
  if (action !== undefined)
    throw new Usage(`gate knows one word after it: verify, not '${action}'\n  help: sluice gate --help`, true)
  if (command.flags['test'] === true || command.flags['mutate'] === true)
    return (await import('./gate-tests.ts')).gateTestsCommand(command, buildDir)
  const opened = await openPipeline(command, buildDir)
  if (listFlag(command, 'what-if').length > 0 || stringFlag(command, 'history') !== null)
    return (await import('./what-if.ts')).whatIfCommand(command, opened)
  const judged = await judgeNow(opened)
  tell(command, opened, judged)
  if (command.flags['json'] !== true) await tellWorst(opened)
  const report = stringFlag(command, 'junit')
  if (report !== null) writeAtomic(resolve(report), junitText(opened.pipeline.name, judged.gates))
  const attestation = stringFlag(command, 'attest')
  if (attestation !== null)
    await (await import('./attest.ts')).writeAttestation(command, opened, judged, attestation)
  return judged.exitCode
}

function tell(command: Command, opened: Opened, judged: Judged): void {
  const { gates, exitCode } = judged
  if (command.flags['json'] === true) {
    const verdict = worst(gates.map((gate) => gate.verdict))
    const json = { pipeline: opened.pipeline.name, verdict, exitCode, gates: gatesJson(gates) }
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`)
  } else {
    const paint = painter(useColor(process.stdout, command))
    process.stdout.write(
      `${gates.map(({ stage, verdict }) => verdictText(stage, verdict, paint)).join('\n\n')}\n`,
    )
    // Before a run, and before people have done their part, every check is undecided, and the reason is the same.
    if (judged.unmeasured.length === 0 && judged.paused.size === 0) sayUndecided(gates, command)
  }
  for (const line of nextSteps(judged)) process.stderr.write(`  help: ${line}\n`)
  announce(gates, { root: opened.root, pipeline: opened.pipeline.name, environment: process.env })
}

const WORST_SHOWN = 3

/** Where a gate compares with main, the answers that suffered most since: people approve answers, not scores. */
async function tellWorst(opened: Opened): Promise<void> {
  if (!opened.pipeline.stages.some(({ gate }) => gate !== null && namesMain(gate))) return
  const main = await findMain(opened)
  if (main.lock === null) return
  const before = { name: main.origin, lock: main.lock }
  const rows = rowsOf(opened, before, presentSnapshot(opened), null)
  const worse = 'missing' in rows ? [] : sorted(rows).worse.slice(0, WORST_SHOWN)
  if (worse.length === 0) return
  const words = worse.map(({ row, prompt, before, after }) => {
    const [old, young] = distinctTexts(before, after)
    return `row ${String(row)} ${shortened(prompt ?? '', 24)} ${old} → ${young}`
  })
  const numbers = worse.map(({ row }) => String(row)).join(',')
  process.stdout.write(
    `\n  worst changes against ${main.origin}:  ${words.join('   ')}\n  see both answers:  sluice diff main --rows ${numbers}\n`,
  )
}

/** What would settle an undecided gate. */
export function nextSteps({ gates, unmeasured, paused }: Judged): readonly string[] {
  const unlike = gates.some(measuredOtherwise)
  return [
    ...(unmeasured.length > 0 ? ['some metrics are not measured yet: sluice run'] : []),
    ...[...paused].map(([stage, waitsFor]) => `${stage} waits for people: ${waitsFor}`),
    ...(unlike ? ["measure main's own model by the present ruler: sluice baseline rescore"] : []),
  ]
}

/** Whether a check compares with a `main` that another ruler measured. */
function measuredOtherwise({ stage, verdict, rulers }: JudgedGate): boolean {
  const own = stage.gate === null ? undefined : rulers[stage.gate.judged]
  return verdict.checks.some(({ operands }) =>
    operands.some(({ text, source }) => {
      const ruler = rulers[source]
      return text.startsWith('main.') && own !== undefined && ruler !== undefined && ruler !== own
    }),
  )
}
