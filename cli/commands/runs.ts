/** `sluice runs` and `sluice metrics --all`: what was tried on this machine, and how it went. */
import type { PastRun } from '../../engine/lock/of-run.ts'
import { pastRuns } from '../../engine/lock/of-run.ts'
import { canonicalJson } from '../../engine/artifact.ts'
import { didYouMean } from '../../dsl/spelling.ts'
import { findMain } from '../baseline.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { openPipeline, stringFlag } from '../project.ts'
import type { Opened } from '../project.ts'
import { metricsTableText, runsText, settingIn } from '../reports/runs.ts'
import type { RunRow } from '../reports/runs.ts'
import { painter, useColor } from '../reports/style.ts'

/** More than anybody reads in a table. */
const MOST_RUNS = 50

export async function runsCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const rows = await rowsOf(opened)
  if (command.flags['json'] === true) process.stdout.write(`${JSON.stringify(rows.map(rowJson), null, 2)}\n`)
  else process.stdout.write(`${runsText(rows, new Date(), painter(useColor(process.stdout, command)))}\n`)
  return 0
}

export async function allMetricsCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const { pipeline, environment } = opened
  const gate = pipeline.stages.find((stage) => stage.gate !== null)?.gate
  if (gate == null) throw new Usage(`${opened.file} has no gate, so no metrics are judged`, true)
  const measured = (await rowsOf(opened)).filter(({ run }) => run.lock['scores']?.[gate.judged] !== undefined)
  const rows = sortedBy(measured, gate.judged, stringFlag(command, 'sort'), gate.metrics)
  const uses = pipeline.stages.find(({ name }) => name === gate.judged)?.uses ?? ''
  const measurable = environment.kinds[uses]?.measurable ?? {}
  const known = new Set(rows.flatMap(({ run }) => Object.keys(run.lock['scores']?.[gate.judged] ?? {})))
  const metrics = Object.entries(measurable)
    .filter(([name]) => known.has(name))
    .map(([name, { direction }]) => ({ name, direction }))
  const settings = settingsThatDiffer(
    rows.map(({ run }) => run),
    opened,
  )
  if (command.flags['json'] === true) {
    const json = rows.map((row) => ({
      ...rowJson(row),
      settings: Object.fromEntries(settings.map((name) => [name, settingIn(row.run, name)])),
      metrics: row.run.lock['scores']?.[gate.judged] ?? {},
    }))
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`)
  } else {
    const table = { rows, settings, metrics, judged: gate.judged }
    process.stdout.write(
      `${metricsTableText(table, new Date(), painter(useColor(process.stdout, command)))}\n`,
    )
  }
  return 0
}

async function rowsOf(opened: Opened): Promise<readonly RunRow[]> {
  const runs = pastRuns(opened.environment.stateDir, opened.pipeline.name, opened.stores, MOST_RUNS)
  const main = await findMain(opened)
  const named = main.git.type === 'passing' ? main.git.passing.run : null
  return runs.map((run) => ({ run, main: run.run === named ? main.origin : null }))
}

/** The best first, whichever way the metric goes. */
function sortedBy(
  rows: readonly RunRow[],
  judged: string,
  metric: string | null,
  metrics: Readonly<Record<string, { readonly direction: 'higher' | 'lower' }>>,
): readonly RunRow[] {
  if (metric === null) return rows
  const direction = metrics[metric]?.direction
  if (direction === undefined) {
    const near = didYouMean(metric, Object.keys(metrics))
    const guess = near === null ? '' : `; did you mean '${near}'?`
    throw new Usage(
      `${judged} measures no '${metric}'${guess}\n  help: --sort ${Object.keys(metrics).join(', ')}`,
      true,
    )
  }
  const valueOf = ({ run }: RunRow) => {
    const value = run.lock['scores']?.[judged]?.[metric]
    return typeof value === 'number' ? value : direction === 'higher' ? -Infinity : Infinity
  }
  return [...rows].sort((a, b) =>
    direction === 'higher' ? valueOf(b) - valueOf(a) : valueOf(a) - valueOf(b),
  )
}

/** Options whose value is not the same in all of these runs, in the order of the file. */
function settingsThatDiffer(runs: readonly PastRun[], { pipeline }: Opened): readonly string[] {
  return pipeline.stages.flatMap(({ name }) => {
    const options = [...new Set(runs.flatMap(({ lock }) => Object.keys(lock['stages']?.[name] ?? {})))]
    return options
      .filter((fact) => fact.startsWith('with.'))
      .map((fact) => `${name}.${fact.slice('with.'.length)}`)
      .filter((setting) => new Set(runs.map((run) => canonicalJson(settingIn(run, setting)))).size > 1)
      .sort()
  })
}

function rowJson({ run, main }: RunRow): Readonly<Record<string, unknown>> {
  const { lock, ...facts } = run
  return { ...facts, gates: lock['gates'] ?? {}, main }
}
