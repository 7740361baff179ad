/** `sluice diff`: two runs, revisions or files side by side, down to single answers. */
import { chanceOf, compareRows } from '../../engine/run/rows.ts'
import type { RowChange, RowsCompared } from '../../engine/run/rows.ts'
import { compare, measurementOf } from '../comparison.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { openPipeline, stringFlag } from '../project.ts'
import type { Opened } from '../project.ts'
import { answersText, diffText, sorted } from '../reports/diff.ts'
import type { Diff } from '../reports/diff.ts'
import { painter, useColor } from '../reports/style.ts'
import { snapshotOf } from '../snapshot.ts'
import type { Snapshot } from '../snapshot.ts'

export async function diffCommand(command: Command, buildDir: string): Promise<number> {
  const [first, second, more] = command.args
  if (first === undefined || more !== undefined)
    throw new Usage(
      'diff wants one or two of: main, last, a run, a git revision\n  help: sluice diff main',
      true,
    )
  const opened = await openPipeline(command, buildDir)
  const before = await snapshotOf(opened, first)
  const after = await snapshotOf(opened, second ?? null)
  const diff = diffOf(opened, before, after, stringFlag(command, 'by'))
  const wanted = stringFlag(command, 'rows')
  const chosen = wanted === null ? null : chosenRows(diff.rows, wanted)
  if (command.flags['json'] === true) {
    const { worse, better, same } =
      'missing' in diff.rows ? { worse: [], better: [], same: [] } : sorted(diff.rows)
    const rows =
      'missing' in diff.rows
        ? diff.rows
        : {
            metric: diff.rows.metric,
            unpaired: diff.rows.unpaired,
            worse: worse.length,
            better: better.length,
            same: same.length,
            ...(chosen === null ? {} : { shown: chosen }),
          }
    process.stdout.write(
      `${JSON.stringify({ before: before.name, after: after.name, ...diff.comparison, chances: diff.chances, rows }, null, 2)}\n`,
    )
    return 0
  }
  const paint = painter(useColor(process.stdout, command))
  if (chosen === null) process.stdout.write(`${diffText(diff, paint)}\n`)
  else if (chosen.length === 0) process.stdout.write(`no row is ${wanted ?? ''}\n`)
  else {
    const metric = 'missing' in diff.rows ? '' : diff.rows.metric
    process.stdout.write(
      `${answersText(chosen, metric, { before: before.name, after: after.name }, paint)}\n`,
    )
  }
  return 0
}

/** @param by the metric that rows are judged by; null chooses one */
export function diffOf(opened: Opened, before: Snapshot, after: Snapshot, by: string | null): Diff {
  const { pipeline, environment, stores } = opened
  const comparison = compare(before, after, pipeline, environment.kinds)
  const chances: Record<string, { p: number; rows: number }> = {}
  for (const { stage, metric, change } of comparison.metrics) {
    if (change !== 'better' && change !== 'worse') continue
    const [a, b] = [measurementOf(before, stage, pipeline), measurementOf(after, stage, pipeline)]
    const chance = a === null || b === null ? null : chanceOf(metric, a.metrics, b.metrics, stores.blobs)
    if (chance !== null) chances[`${stage}.${metric}`] = chance
  }
  return {
    before: before.name,
    after: after.name,
    comparison,
    chances,
    rows: rowsOf(opened, before, after, by),
  }
}

/** The rows of what the first gate judges. */
export function rowsOf(opened: Opened, before: Snapshot, after: Snapshot, by: string | null): Diff['rows'] {
  const { pipeline, stores } = opened
  const judged = pipeline.stages.find(({ gate }) => gate !== null)?.gate?.judged
  if (judged === undefined) return { missing: 'no gate says which answers count' }
  for (const snapshot of [before, after])
    if (measurementOf(snapshot, judged, pipeline) === null)
      return { missing: `${snapshot.name} has not measured ${judged}` }
  const [a, b] = [measurementOf(before, judged, pipeline), measurementOf(after, judged, pipeline)]
  if (a === null || b === null) throw new Error('bug: a measurement was found and lost')
  return compareRows(a, b, stores.blobs, by)
}

const MOST_ROWS = 20

/** `worse`, `better`, or rows by their number or the beginning of their id. */
function chosenRows(compared: Diff['rows'], wanted: string): readonly RowChange[] {
  if ('missing' in compared) throw new Usage(`rows cannot be shown: ${compared.missing}`, true)
  const { worse, better } = sorted(compared)
  if (wanted === 'worse') return worse.slice(0, MOST_ROWS)
  if (wanted === 'better') return better.slice(0, MOST_ROWS)
  return wanted.split(',').map((word) => rowCalled(compared, word.trim()))
}

function rowCalled({ rows }: RowsCompared, word: string): RowChange {
  const found = /^\d{1,7}$/.test(word)
    ? rows.find(({ row }) => row === Number(word))
    : rows.find(({ id }) => word !== '' && id.startsWith(word))
  if (found !== undefined) return found
  throw new Usage(
    `no row that both sides have is called '${word}'\n  help: --rows worse, --rows better, or numbers such as --rows 9,44`,
    true,
  )
}
