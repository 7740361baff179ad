/** Two measurements of the same test rows, row by row: which answers became better, which worse. */
import { isMetricName, METRICS, valueOf } from '../../metrics/catalogue.ts'
import type { MetricName, RowStatistics } from '../../metrics/catalogue.ts'
import type { Artifact, Digest } from '../artifact.ts'
import type { BlobStore } from '../store/blobs.ts'
import { resampler } from './resample.ts'

/** What an eval left behind: its metrics with the statistics of every row, and its answers. */
export interface Measurement {
  readonly metrics: Digest
  /** Null if the stage keeps no answers. */
  readonly samples: Digest | null
}

export interface RowChange {
  readonly id: string
  /** Its place in the test split, counted from 1. */
  readonly row: number
  readonly before: number
  readonly after: number
  /** Positive where it became better, whichever way the metric goes. */
  readonly gain: number
  readonly prompt: string | null
  readonly reference: string | null
  readonly answers: { readonly before: string | null; readonly after: string | null }
}

export interface RowsCompared {
  /** The metric that a single row is judged by. */
  readonly metric: MetricName
  /** In the order of the split; only rows that both sides have. */
  readonly rows: readonly RowChange[]
  /** Rows of only one side. */
  readonly unpaired: number
}

/** What says most of a single answer first; corpus metrics such as BLEU are rough on one row. */
const BY_ROW: readonly MetricName[] = ['rouge_l', 'exact_match', 'bleu', 'perplexity', 'bits_per_byte']

/** @param wanted the metric to compare by; null takes the first that both sides have and by which a row moved */
export function compareRows(
  before: Measurement,
  after: Measurement,
  blobs: BlobStore,
  wanted: string | null,
): RowsCompared | { readonly missing: string } {
  const old = readRows(before.metrics, blobs)
  const young = readRows(after.metrics, blobs)
  if ('missing' in old) return old
  if ('missing' in young) return young
  const both = BY_ROW.filter((name) => old.metrics.has(name) && young.metrics.has(name))
  const answers = { before: readAnswers(before.samples, blobs), after: readAnswers(after.samples, blobs) }
  const compared = both
    .filter((name) => wanted === null || name === wanted)
    .map((name) => changesBy(name, old, young, answers))
  // A metric by which no row moved says nothing where another one does.
  const telling = compared.find(({ rows }) => rows.some(({ gain }) => gain !== 0)) ?? compared[0]
  if (telling !== undefined) return telling
  return {
    missing: `rows cannot be compared by ${wanted ?? 'any metric'}; both sides have: ${both.join(', ') || 'none'}`,
  }
}

interface Answers {
  readonly before: ReadonlyMap<string, Answer>
  readonly after: ReadonlyMap<string, Answer>
}

function changesBy(metric: MetricName, old: Rows, young: Rows, answers: Answers): RowsCompared {
  const { direction } = METRICS[metric]
  const value = (row: RowStatistics) => valueOf(METRICS[metric], [row])
  const rows = [...young.rows].flatMap(([id, { row, statistics }]): readonly RowChange[] => {
    const theirs = old.rows.get(id)?.statistics[metric]
    const ours = statistics[metric]
    if (theirs === undefined || ours === undefined) return []
    const [a, b] = [value(theirs), value(ours)]
    const text = answers.after.get(id) ?? answers.before.get(id)
    return [
      {
        id,
        row,
        before: a,
        after: b,
        gain: direction === 'higher' ? b - a : a - b,
        prompt: text?.prompt ?? null,
        reference: text?.reference ?? null,
        answers: {
          before: answers.before.get(id)?.output ?? null,
          after: answers.after.get(id)?.output ?? null,
        },
      },
    ]
  })
  return { metric, rows, unpaired: old.rows.size + young.rows.size - 2 * rows.length }
}

/**
 * How often chance alone would show such a change: the share of draws of the rows in which it is not there, one-sided
 * as `with p` is. Null where rows cannot be paired.
 */
export function chanceOf(
  metric: string,
  before: Digest,
  after: Digest,
  blobs: BlobStore,
): { readonly p: number; readonly rows: number } | null {
  if (!isMetricName(metric)) return null
  const artifact = (tree: Digest): Artifact => ({ type: 'metrics', tree, bytes: 0 })
  const other = `before.${metric}`
  const drawn = resampler((space) => artifact(space === null ? after : before), blobs)([metric, other])
  if ('missing' in drawn) return null
  const [ours, theirs] = [drawn.values[metric], drawn.values[other]]
  if (ours === undefined || theirs === undefined) return null
  const differences = ours.map((value, draw) => value - (theirs[draw] ?? NaN))
  const up = differences.filter((difference) => difference > 0).length
  const down = differences.filter((difference) => difference < 0).length
  return { p: (1 + differences.length - Math.max(up, down)) / (1 + differences.length), rows: drawn.rows }
}

interface Rows {
  readonly metrics: ReadonlySet<string>
  readonly rows: ReadonlyMap<
    string,
    { readonly row: number; readonly statistics: Readonly<Record<string, RowStatistics>> }
  >
}

function readRows(tree: Digest, blobs: BlobStore): Rows | { readonly missing: string } {
  const lines = linesOf(tree, 'rows.jsonl', blobs)
  if (lines === null)
    return { missing: `the rows of ${tree.slice(0, 19)} are not in the store of this machine` }
  const rows = new Map<string, { row: number; statistics: Readonly<Record<string, RowStatistics>> }>()
  const metrics = new Set<string>()
  for (const [index, line] of lines.entries()) {
    const { id, statistics } = JSON.parse(line) as { id: string; statistics: Record<string, RowStatistics> }
    rows.set(id, { row: index + 1, statistics })
    for (const name of Object.keys(statistics)) metrics.add(name)
  }
  return { metrics, rows }
}

interface Answer {
  readonly prompt: string
  readonly reference: string
  readonly output: string
}

function readAnswers(tree: Digest | null, blobs: BlobStore): ReadonlyMap<string, Answer> {
  const lines = tree === null ? null : linesOf(tree, 'samples.jsonl', blobs)
  return new Map(
    (lines ?? []).map((line) => {
      const answer = JSON.parse(line) as Answer & { readonly id: string }
      return [answer.id, answer]
    }),
  )
}

/** Null if the store does not have them. */
function linesOf(digest: Digest, file: string, blobs: BlobStore): readonly string[] | null {
  const tree = blobs.openTree(digest)
  const text = 'lost' in tree ? null : blobs.readFile(tree, file)
  return text === null ? null : text.split('\n').filter((line) => line !== '')
}
