/** `sluice gate --what-if CHECK --history N`: checks that do not stand in the file, now and on earlier runs. */
import type { Check, Stage } from '../../dsl/pipeline.ts'
import { checkInstead } from '../../dsl/what-if.ts'
import { metricsPort } from '../../engine/run/gate.ts'
import { exitCodeOf, judgeNow } from '../judging.ts'
import { pastLocks, rejudge } from '../looking-back.ts'
import type { Rejudged } from '../looking-back.ts'
import { languageOf } from '../language.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { FileProblem, listFlag, stringFlag } from '../project.ts'
import type { Opened } from '../project.ts'
import { renderDiagnostics } from '../reports/diagnostics.ts'
import { gatesJson } from '../reports/gate-json.ts'
import { painter, useColor } from '../reports/style.ts'
import { verdictText } from '../reports/verdict.ts'
import { historyText } from '../reports/what-if.ts'

/** Exit code of the present verdict, as if the checks stood in the file: a question must not open a gate either. */
export async function whatIfCommand(command: Command, opened: Opened): Promise<number> {
  const texts = listFlag(command, 'what-if')
  const stages = opened.pipeline.stages.filter((stage) => stage.gate !== null)
  const [stage, second] = stages
  if (stage?.gate == null) throw new Usage(`${opened.file} has no gate`, true)
  if (second !== undefined && texts.length > 0)
    throw new Usage(
      `--what-if wants a file with one gate; ${opened.file} has ${stages.map(({ name }) => name).join(', ')}`,
      true,
    )
  const asked = texts.map((text) => checkOf(text, stage, opened, command))
  const most = historyLength(command)
  const past = most === null ? null : pastLocks(opened, most)
  const portOf = (name: string) => {
    const measuring = opened.pipeline.stages.find((other) => other.name === name)
    return measuring === undefined ? null : metricsPort(measuring)
  }
  const store = { blobs: opened.stores.blobs, portOf }
  const results =
    past === null || most === null
      ? null
      : stagesToAsk(stages, asked).map(({ name, gate, checks }) => {
          const rejudged = rejudge({ gate, name, checks, store }, past, most)
          return { name, checks, rejudged }
        })
  const asIf = { ...opened, pipeline: withChecks(opened.pipeline, stage, asked) }
  const judged = await judgeNow(asIf)
  const exitCode = exitCodeOf(judged.gates.map(({ verdict }) => verdict))
  if (command.flags['json'] === true) {
    const history = results?.map(({ name, rejudged }) => ({ gate: name, runs: rejudged.map(rejudgedJson) }))
    process.stdout.write(
      `${JSON.stringify({ pipeline: opened.pipeline.name, exitCode, gates: gatesJson(judged.gates), ...(history === undefined ? {} : { history }) }, null, 2)}\n`,
    )
    return exitCode
  }
  const paint = painter(useColor(process.stdout, command))
  const parts = judged.gates.map((gate) => verdictText(gate.stage, gate.verdict, paint))
  for (const { name, checks, rejudged } of results ?? []) {
    const title =
      asked.length === 0 ? `${name} as it is` : `what if ${checks.map(({ text }) => text).join(' and ')}`
    parts.push(historyText(title, checks, rejudged, paint))
  }
  process.stdout.write(`${parts.join('\n\n')}\n`)
  return exitCode
}

/** With no check of its own the question is put to the gates as they are. */
function stagesToAsk(stages: readonly Stage[], asked: readonly Check[]) {
  return stages.flatMap(({ name, gate }) =>
    gate === null ? [] : [{ name, gate, checks: asked.length === 0 ? gate.checks : asked }],
  )
}

function checkOf(text: string, gate: Stage, opened: Opened, command: Command): Check {
  const { value, diagnostics } = checkInstead(opened.pipeline, gate.name, text, opened.environment.kinds, {
    params: opened.pipeline.params,
    env: process.env,
  })
  if (value === undefined) throw new FileProblem(diagnostics, opened.root)
  if (diagnostics.length > 0)
    process.stderr.write(
      `${renderDiagnostics(diagnostics, { color: useColor(process.stderr, command), language: languageOf(process.env) })}\n`,
    )
  return value
}

function withChecks(pipeline: Opened['pipeline'], at: Stage, checks: readonly Check[]): Opened['pipeline'] {
  const stages = pipeline.stages.map((stage) =>
    stage.name === at.name && stage.gate !== null
      ? { ...stage, gate: { ...stage.gate, checks: [...stage.gate.checks, ...checks] } }
      : stage,
  )
  return { ...pipeline, stages }
}

const MOST_RUNS = 1000

function historyLength(command: Command): number | null {
  const written = stringFlag(command, 'history')
  if (written === null) return null
  const number = Number(written)
  if (Number.isInteger(number) && number >= 1 && number <= MOST_RUNS) return number
  throw new Usage(`--history wants a number of runs from 1 to ${String(MOST_RUNS)}, not '${written}'`, true)
}

function rejudgedJson({ past: { commit, at, run }, was, now }: Rejudged): unknown {
  return { commit, at, run, was, now: now.verdict, checks: now.checks }
}
