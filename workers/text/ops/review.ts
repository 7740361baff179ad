/** Writes the sheet of a review and turns filled sheets into metrics. */
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { valueOf } from '../../../metrics/catalogue.ts'
import { agreement, RATING_METRICS, type RatingMetric } from '../../../metrics/ratings.ts'
import { JobError, type Op, type OpContext } from '../../op.ts'
import type { InputFiles } from '../../protocol/messages.ts'
import { readRatings, type Rating } from '../read-ratings.ts'
import { drawItems, howToRate, sheetText, type Item, type Sample } from '../review-sheet.ts'

/** Below this the raters hardly mean the same by their numbers. */
const POOR_AGREEMENT = 0.2
/** Two people who give the same ratings this often are one sheet saved twice. */
const SUSPICIOUS = 8

/**
 * Inputs: `a`, `b` (optional) with `samples.jsonl`, `ratings` (optional) with sheets. Output `sheet`: `sheet.csv`,
 * `how-to-rate.txt` and, for who has rated some questions only, `rest-of-NAME.csv`. Output `metrics`: `metrics.json`,
 * `rows.jsonl` and `ratings.jsonl`. Until every question has its ratings, no metric has a value, so that nobody stops
 * at a number they like, and `waits` of the summary says what is missing.
 */
export const run: Op = async (context) => {
  const { low, high, raters, rows, blind, seed } = context.with
  const wanted = Number(raters)
  const a = await samplesOf(context.inputs['a'])
  const b = context.inputs['b'] === undefined ? null : await samplesOf(context.inputs['b'])
  const items = drawItems(a, b, { rows: Number(rows), blind: blind === true, seed: Number(seed) })
  const sides = b === null ? 1 : 2
  if (items.length === 0)
    throw new JobError(
      'input',
      a.length === 0 ? 'there are no answers to rate' : 'the two models answered different questions',
      'Let both evals measure the same split of the same rows.',
    )
  const scale = { low: Number(low), high: Number(high), sides }
  if (scale.low >= scale.high)
    throw new JobError(
      'input',
      `the scale ${String(scale.low)}..${String(scale.high)} has no room`,
      'scale: 1..5',
    )
  const sheets = context.inputs['ratings']
  const read = sheets === undefined ? { ratings: [], half: [] } : await readRatings(sheets, scale)
  const known = new Map(items.map((item) => [item.name, item]))
  const valid = read.ratings.filter(({ item }) => known.has(item))
  tellOdd(context, read.ratings, valid, read.half)

  const byItem = new Map(items.map((item) => [item, valid.filter((rating) => rating.item === item.name)]))
  const open = items.filter((item) => (byItem.get(item)?.length ?? 0) < wanted)
  const waits = open.length === 0 ? null : waitsFor(items, open, wanted, valid)
  await writeSheets(context, items, scale, waits === null ? [] : valid)
  const summary = await writeMetrics(context, byItem, sides, waits)
  const people = new Set(valid.map(({ rater }) => rater)).size
  return { items: items.length, raters: people, ...summary, ...(waits === null ? {} : { waits }) }
}

async function samplesOf(input: InputFiles | undefined): Promise<readonly Sample[]> {
  const text = await readFile(join(input?.dir ?? '', 'samples.jsonl'), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Sample)
}

function waitsFor(
  items: readonly Item[],
  open: readonly Item[],
  wanted: number,
  valid: readonly Rating[],
): string {
  const all = String(items.length)
  const people = wanted === 1 ? '1 rater' : `${String(wanted)} raters`
  if (valid.length === 0) return `${all} questions, ${people}, no ratings yet`
  const counts = [...countsOf(valid)].map(([rater, count]) => `${rater} ${String(count)}`)
  const done = String(items.length - open.length)
  return `${done} of ${all} questions have their ${people}; rated so far: ${counts.join(', ')}`
}

function countsOf(ratings: readonly Rating[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { rater } of ratings) counts.set(rater, (counts.get(rater) ?? 0) + 1)
  return new Map([...counts].sort(([x], [y]) => (x < y ? -1 : 1)))
}

/** What a person should know before trusting, or missing, a number. */
function tellOdd(
  context: OpContext,
  all: readonly Rating[],
  valid: readonly Rating[],
  half: readonly string[],
): void {
  const stale = countsOf(all.filter((rating) => !valid.includes(rating)))
  for (const [rater, count] of stale)
    context.note(
      'warning',
      `${String(count)} ratings of ${rater} are for answers that are not on the sheet now`,
    )
  if (half.length > 0)
    context.note('warning', `only one of the two answers is rated: ${half.slice(0, 5).join(', ')}`)
  const sheets = [...countsOf(valid).keys()].map((rater) => {
    const own = valid.filter((rating) => rating.rater === rater)
    return { rater, marks: own.map(({ item, scores }) => `${item} ${scores.join()}`).sort() }
  })
  for (const [at, one] of sheets.entries()) {
    const twin = sheets.slice(at + 1).find(({ marks }) => marks.join() === one.marks.join())
    if (twin !== undefined && one.marks.length >= SUSPICIOUS)
      context.note(
        'warning',
        `${one.rater} and ${twin.rater} gave the same ratings throughout: one sheet, saved twice?`,
      )
  }
}

async function writeSheets(
  context: OpContext,
  items: readonly Item[],
  { low, high, sides }: { readonly low: number; readonly high: number; readonly sides: number },
  ratings: readonly Rating[],
): Promise<void> {
  const dir = context.outputs['sheet'] ?? ''
  await writeFile(join(dir, 'sheet.csv'), sheetText(items))
  await writeFile(join(dir, 'how-to-rate.txt'), howToRate(low, high, sides))
  for (const rater of countsOf(ratings).keys()) {
    const done = new Set(ratings.filter((rating) => rating.rater === rater).map(({ item }) => item))
    const rest = items.filter(({ name }) => !done.has(name))
    const file = `rest-of-${rater.replaceAll(/[^\p{L}\p{N}_-]+/gu, '-')}.csv`
    if (rest.length > 0) await writeFile(join(dir, file), sheetText(rest, rater))
  }
}

/** A rating's scores as the sheet does not show them: the judged answer first. */
function unblinded({ scores }: Rating, { swapped }: Item): readonly number[] {
  return swapped ? [...scores].reverse() : scores
}

async function writeMetrics(
  context: OpContext,
  byItem: ReadonlyMap<Item, readonly Rating[]>,
  sides: number,
  waits: string | null,
): Promise<Readonly<Record<string, number | null>>> {
  const rated = [...byItem].map(([item, ratings]) => {
    const pairs = ratings.map((rating) => unblinded(rating, item))
    return { item, ratings, pairs: waits === null ? pairs : [] }
  })
  const names: readonly RatingMetric[] = sides === 1 ? ['mean'] : ['mean', 'baseline_mean', 'win_rate']
  const rows = rated.map(({ item: { id }, pairs }) => ({
    id,
    statistics: Object.fromEntries(names.map((name) => [name, statisticsOf(name, pairs)])),
  }))
  const agree = agreement(
    rated.flatMap(({ pairs }) =>
      [0, 1].map((side) => pairs.map((pair) => pair[side] ?? NaN)).slice(0, sides),
    ),
  )
  if (agree < POOR_AGREEMENT)
    context.note('warning', `the raters hardly agree (${agree.toFixed(2)}): their means say little`)
  const values: Record<string, number | null> = {}
  for (const name of names) {
    const value = valueOf(
      RATING_METRICS[name],
      rows.map(({ statistics }) => statistics[name] ?? []),
    )
    values[name] = Number.isFinite(value) ? value : null
  }
  values['agreement'] = Number.isFinite(agree) ? agree : null
  const measured = Object.entries(values).map(([name, value]) => {
    const why =
      value === null ? { note: waits ?? 'all ratings are the same, or nothing was rated twice' } : {}
    return [
      name,
      { value, unit: 'num', direction: 'higher', signature: 'ratings', n: rows.length, ...why },
    ] as const
  })
  const { low = null, high = null, blind = null } = context.with
  const questions = [...byItem.keys()].map(({ id, prompt }) => [id, prompt])
  const ruler = createHash('sha256')
    .update(JSON.stringify({ low, high, blind, sides, questions }))
    .digest('hex')
  const file = { format: 1, ruler, split: 'rated', rows: rows.length, metrics: Object.fromEntries(measured) }
  const dir = context.outputs['metrics'] ?? ''
  const lines = (each: readonly object[]) => each.map((row) => `${JSON.stringify(row)}\n`).join('')
  await writeFile(join(dir, 'rows.jsonl'), lines(rows))
  await writeFile(
    join(dir, 'ratings.jsonl'),
    lines(
      rated.flatMap(({ item, ratings, pairs }) =>
        pairs.map(([score, other], at) => ({
          id: item.id,
          rater: ratings[at]?.rater,
          score,
          ...(other === undefined ? {} : { baseline_score: other }),
          comment: ratings[at]?.comment,
        })),
      ),
    ),
  )
  await writeFile(join(dir, 'metrics.json'), `${JSON.stringify(file, null, 2)}\n`)
  return values
}

/** The question's numbers, as the columns of the metric name them. */
function statisticsOf(name: RatingMetric, pairs: readonly (readonly number[])[]): readonly number[] {
  const sum = (value: (pair: readonly number[]) => number) =>
    pairs.reduce((total, pair) => total + value(pair), 0)
  const side = (at: number) => (pair: readonly number[]) => pair[at] ?? NaN
  const win = ([score = 0, other = 0]: readonly number[]) => (score > other ? 1 : score === other ? 0.5 : 0)
  const total = { mean: () => sum(side(0)), baseline_mean: () => sum(side(1)), win_rate: () => sum(win) }[
    name
  ]()
  return [total, pairs.length]
}
