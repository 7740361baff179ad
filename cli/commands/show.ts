/** `sluice show`: a stage as it stands, a run, or whatever in the store begins with a hash. */
import { join } from 'node:path'
import { Others } from '../../engine/run/others.ts'
import { readLog, runIds } from '../../engine/run/log.ts'
import { fold, newRun } from '../../engine/run/state.ts'
import { didYouMean } from '../../dsl/spelling.ts'
import { Lineage } from '../lineage.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { oneStage, openPipeline, planOf } from '../project.ts'
import { edgesOf } from '../reports/graph.ts'
import { foundJson, foundLine, foundText } from '../reports/lineage.ts'
import { summaryText } from '../reports/progress.ts'
import { runText } from '../reports/run.ts'
import { bytes, duration, painter, useColor } from '../reports/style.ts'
import { viewStore } from '../store.ts'

/** The end of a run's id, or all of it. */
const RUN = /^(\d{8}-\d{6}-)?[0-9a-f]{4}$/
/** Fewer digits could be the name of a stage. */
const HASH = /^(sha256:)?(?<digits>[0-9a-f]{6,64})\u2026?$/

export async function showCommand(command: Command, buildDir: string): Promise<number> {
  const [word, ...rest] = command.args
  if (word === undefined || rest.length > 0)
    throw new Usage(
      'show wants one stage, run or hash\n  help: sluice show lora-train, sluice show 7f3a, sluice show 9d402be0',
      true,
    )
  // These need no pipeline file, and there may be several.
  if (RUN.test(word) && showRun(word, command)) return 0
  const digits = HASH.exec(word)?.groups?.['digits']
  if (digits !== undefined && showHash(digits, command)) return 0
  return await showStage(word, command, buildDir)
}

/** False if no run is called so. */
function showRun(word: string, command: Command): boolean {
  const { stateDir } = viewStore(command)
  const run = runIds(stateDir).findLast((id) => id === word || id.endsWith(`-${word}`))
  if (run === undefined) return false
  const state = readLog(join(stateDir, 'runs', run, 'run.jsonl')).reduce(fold, newRun)
  const isUnderWay = state.exitCode === null && new Others(stateDir).isUnderWay(run)
  if (command.flags['json'] === true)
    process.stdout.write(
      `${JSON.stringify({ ...state, run, isUnderWay, stages: [...state.stages.values()] }, null, 2)}\n`,
    )
  else {
    const paint = painter(useColor(process.stdout, command))
    process.stdout.write(`${runText({ ...state, run }, isUnderWay, new Date(), paint)}\n`)
  }
  return true
}

/** False if nothing begins so. */
function showHash(digits: string, command: Command): boolean {
  const lineage = new Lineage(viewStore(command))
  const found = lineage.find(digits)
  const [only, second] = found
  if (only === undefined) return false
  if (command.flags['json'] === true)
    process.stdout.write(
      `${JSON.stringify(
        found.map((each) => foundJson(each, lineage)),
        null,
        2,
      )}\n`,
    )
  else if (second === undefined) process.stdout.write(`${foundText(only, lineage)}\n`)
  else {
    const lines = found.map((each) => foundLine(each, lineage))
    process.stdout.write(
      `${String(found.length)} things begin with ${digits}:\n${lines.join('\n')}\n  help: type more of it\n`,
    )
  }
  return true
}

async function showStage(word: string, command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  if (RUN.test(word) || HASH.test(word)) {
    const names = opened.pipeline.stages.flatMap(({ name, base }) => [name, base])
    if (!names.includes(word))
      throw new Usage(
        `no stage, run or hash here is called '${word}'\n  help: sluice runs, sluice cache ls; of a hash at least 6 digits`,
        true,
      )
  }
  const stage = oneStage(word, opened.pipeline, didYouMean)
  const entry = planOf(opened, new Set()).find((other) => other.stage.name === stage.name)
  const result = entry?.type === 'cached' ? entry.result : null
  if (command.flags['json'] === true) {
    process.stdout.write(
      `${JSON.stringify({ stage: stage.name, uses: stage.uses, with: stage.with, inputs: stage.inputs, result }, null, 2)}\n`,
    )
    return 0
  }
  const standing =
    entry?.type === 'judge'
      ? 'a gate'
      : entry?.type === 'export'
        ? 'an export'
        : result === null
          ? 'not up to date: sluice plan'
          : `made in ${duration(result.durationMs)}`
  const lines = [`${stage.name}   ${stage.uses}   ${standing}`]
  for (const { from, port } of edgesOf([stage])) lines.push(`  in    ${port.padEnd(10)} ${from}`)
  for (const [name, value] of Object.entries(stage.with))
    lines.push(`  with  ${name.padEnd(10)} ${JSON.stringify(value)}`)
  for (const [port, artifact] of Object.entries(result?.outputs ?? {})) {
    lines.push(
      `  out   ${port.padEnd(10)} ${bytes(artifact.bytes)}  ${artifact.tree.slice(7, 19)}  .sluice/out/${opened.pipeline.name}/${stage.name}/${port}`,
    )
  }
  const resumedFrom = result?.provenance['resumedFrom']
  if (typeof resumedFrom === 'number')
    lines.push(`  made  from step ${String(resumedFrom)} on, which an earlier attempt had reached`)
  if (result !== null)
    lines.push(`  made  ${summaryText(result.summary)}`, `  key   ${result.key.slice(7, 19)}`)
  const start = opened.past.lastStart(stage.name)
  if (start !== null) lines.push(`  ran   in ${start.run} because: ${start.reason}`)
  process.stdout.write(`${lines.join('\n')}\n`)
  return 0
}
