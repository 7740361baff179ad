/** `sluice graph`, `show`, `logs`, `metrics`: look at what is there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { didYouMean } from '../../dsl/spelling.ts'
import type { Pipeline, Stage } from '../../dsl/pipeline.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { oneStage, openPipeline, planOf } from '../project.ts'
import type { Opened } from '../project.ts'
import { metricsText } from '../reports/metrics.ts'
import { summaryText } from '../reports/progress.ts'
import { bytes, duration, painter, useColor } from '../reports/style.ts'
import { metricsColumns } from './run.ts'

export async function graphCommand(command: Command, buildDir: string): Promise<number> {
  const { pipeline } = await openPipeline(command, buildDir)
  const edges = edgesOf(pipeline)
  if (command.flags['json'] === true)
    process.stdout.write(
      `${JSON.stringify({ stages: pipeline.stages.map((s) => s.name), edges }, null, 2)}\n`,
    )
  else if (command.flags['mermaid'] === true) {
    const lines = edges.map(
      ({ from, to, port }) => `  ${id(from)}["${from}"] -->|${port}| ${id(to)}["${to}"]`,
    )
    process.stdout.write(`flowchart LR\n${lines.join('\n')}\n`)
  } else {
    const text = pipeline.stages.map((stage) => {
      const into = edges
        .filter(({ to }) => to === stage.name)
        .map(({ from, port }) => `\n    ${port.padEnd(10)} ← ${from}`)
      return `  ${stage.name}${stage.uses === stage.name ? '' : ` (${stage.uses})`}${into.join('')}`
    })
    process.stdout.write(`${pipeline.name}\n${text.join('\n')}\n`)
  }
  return 0
}

const id = (name: string) => name.replaceAll(/[^\p{L}\d]/gu, '_')

function edgesOf(pipeline: Pipeline): readonly { from: string; to: string; port: string }[] {
  return pipeline.stages.flatMap((stage) => [
    ...Object.entries(stage.inputs).map(([port, from]) => ({
      from: from.type === 'source' ? `sources.${from.source}` : from.stage,
      to: stage.name,
      port,
    })),
    ...(stage.gate?.baseline == null
      ? []
      : [{ from: stage.gate.baseline, to: stage.name, port: 'baseline' }]),
    ...stage.after.map((from) => ({ from, to: stage.name, port: 'after' })),
  ])
}

async function openStage(command: Command, buildDir: string): Promise<{ opened: Opened; stage: Stage }> {
  const [name, ...rest] = command.args
  if (name === undefined || rest.length > 0)
    throw new Usage(`${command.verb} wants one stage\n  help: sluice ${command.verb} lora-train`, true)
  const opened = await openPipeline(command, buildDir)
  return { opened, stage: oneStage(name, opened.pipeline, didYouMean) }
}

export async function showCommand(command: Command, buildDir: string): Promise<number> {
  const { opened, stage } = await openStage(command, buildDir)
  const entry = planOf(opened, new Set()).find((other) => other.stage.name === stage.name)
  const result = entry?.type === 'cached' ? entry.result : null
  if (command.flags['json'] === true) {
    process.stdout.write(
      `${JSON.stringify({ stage: stage.name, uses: stage.uses, with: stage.with, inputs: stage.inputs, result }, null, 2)}\n`,
    )
    return 0
  }
  const lines = [
    `${stage.name}   ${stage.uses}   ${entry?.type === 'judge' ? 'a gate' : entry?.type === 'export' ? 'an export' : result === null ? 'not up to date: sluice plan' : `made in ${duration(result.durationMs)}`}`,
  ]
  for (const { from, port } of edgesOf({ ...opened.pipeline, stages: [stage] }))
    lines.push(`  in    ${port.padEnd(10)} ${from}`)
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

export async function logsCommand(command: Command, buildDir: string): Promise<number> {
  const { opened, stage } = await openStage(command, buildDir)
  const folder = lastAttempt(opened, stage.name)
  if (folder === null) {
    process.stderr.write(`${stage.name} has not run here yet\n`)
    return 0
  }
  process.stderr.write(`${relative(opened.root, folder)}\n`)
  const log = join(folder, 'log')
  process.stdout.write(existsSync(log) ? readFileSync(log, 'utf8') : '')
  if (!existsSync(log)) process.stderr.write('nothing was printed\n')
  return 0
}

/** The folder of a stage's newest attempt. */
function lastAttempt({ environment, past }: Opened, stage: string): string | null {
  const start = past.lastStart(stage)
  if (start === null) return null
  const folder = join(environment.stateDir, 'runs', start.run, stage)
  if (!existsSync(folder)) return null
  const newest = readdirSync(folder)
    .sort((a, b) => Number(a) - Number(b))
    .at(-1)
  return newest === undefined ? null : join(folder, newest)
}

export async function metricsCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const results = new Map(
    planOf(opened, new Set()).flatMap((entry) =>
      entry.type === 'cached' ? [[entry.stage.name, entry.result] as const] : [],
    ),
  )
  const columns = metricsColumns(opened, { results })
  if (command.flags['json'] === true)
    process.stdout.write(
      `${JSON.stringify(Object.fromEntries(columns.map(({ stage, metrics }) => [stage, metrics])), null, 2)}\n`,
    )
  else if (columns.length === 0) process.stdout.write('nothing is measured yet: sluice run\n')
  else {
    process.stdout.write(`${metricsText(columns, painter(useColor(process.stdout, command)))}\n`)
    const signatures = new Map(
      columns.flatMap(({ metrics }) =>
        Object.entries(metrics.metrics).map(([name, { signature }]) => [name, signature]),
      ),
    )
    for (const [name, signature] of signatures)
      if (signature !== '') process.stdout.write(`  ${name}: ${signature}\n`)
  }
  return 0
}
