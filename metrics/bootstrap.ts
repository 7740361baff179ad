/** Seeded paired bootstrap: the metrics of several sides on the same rows, drawn again and again. */
import { numberAt } from './catalogue.ts'
import type { RowStatistics, Summed } from './catalogue.ts'

/** One metric of one side. */
export interface Series {
  readonly metric: Summed
  /** In the order of the rows, which is the same for all series. `null` is a row that this one leaves out (a slice). */
  readonly rows: readonly (RowStatistics | null)[]
}

/**
 * Draws as many rows as there are, with replacement, `resamples` times, and gives each series' values, one a draw.
 * Every draw takes the same rows for all series, so whatever is computed from the values at one index is a paired
 * comparison. A draw without a row of a series' slice gives what its metric gives without rows (NaN, or 0 for BLEU).
 * Throws `RangeError` where rows cannot be paired or there is nothing to draw.
 */
export function resample(
  series: readonly Series[],
  options: { readonly seed: number; readonly resamples: number },
): readonly Float64Array[] {
  const { seed, resamples } = options
  const rows = series[0]?.rows.length ?? 0
  const other = series.find((each) => each.rows.length !== rows)
  if (other !== undefined)
    throw new RangeError(`a paired bootstrap needs the same rows: ${rows} against ${other.rows.length}`)
  if (rows === 0 || resamples < 1) throw new RangeError('a bootstrap needs at least one row and one resample')

  const { blocks, starts, width } = tabulate(series, rows)
  const sums = new Float64Array(width)
  const parts = series.map(({ metric }, index) => ({
    metric,
    sums: sums.subarray(starts[index], starts[index]! + metric.columns.length),
    count: starts[index]! + metric.columns.length,
    values: new Float64Array(resamples),
  }))
  const random = generator(seed)
  const drawn = new Int32Array(rows)
  for (let draw = 0; draw < resamples; draw++) {
    for (let taken = 0; taken < rows; taken++) drawn[taken] = BLOCK * Math.floor(random() * rows)
    for (const [index, block] of blocks.entries()) addUp(block, drawn, sums, index * BLOCK)
    for (const part of parts) part.values[draw] = part.metric.ofSums(part.sums, sums[part.count]!)
  }
  return parts.map(({ values }) => values)
}

/** Columns that are summed at once: as local variables they stay in registers, which makes it twice as fast. */
const BLOCK = 4

function addUp(block: Float64Array, drawn: Int32Array, sums: Float64Array, at: number): void {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  for (let taken = 0; taken < drawn.length; taken++) {
    const start = drawn[taken]!
    a += block[start]!
    b += block[start + 1]!
    c += block[start + 2]!
    d += block[start + 3]!
  }
  sums[at] = a
  sums[at + 1] = b
  sums[at + 2] = c
  sums[at + 3] = d
}

/** All series side by side, for each its columns and then 1 for a row that counts; in blocks of columns, row by row. */
function tabulate(series: readonly Series[], rows: number) {
  const starts: number[] = []
  let columns = 0
  for (const { metric } of series) {
    starts.push(columns)
    columns += metric.columns.length + 1
  }
  const width = Math.ceil(columns / BLOCK) * BLOCK
  const blocks = Array.from({ length: width / BLOCK }, () => new Float64Array(rows * BLOCK))
  const put = (row: number, column: number, value: number): void => {
    blocks[Math.floor(column / BLOCK)]![row * BLOCK + (column % BLOCK)] = value
  }
  for (const [index, { metric, rows: statistics }] of series.entries()) {
    const start = starts[index]!
    for (const [row, numbers] of statistics.entries()) {
      if (numbers === null) continue
      for (let column = 0; column < metric.columns.length; column++)
        put(row, start + column, numberAt(numbers, column))
      put(row, start + metric.columns.length, 1)
    }
  }
  return { blocks, starts, width }
}

/** A 32-bit counter with a mixing step: enough for choosing rows, and the same on every machine. */
function generator(seed: number): () => number {
  // Kept signed: numbers above 2^31 would be boxed by the engine, at three times the cost.
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}
