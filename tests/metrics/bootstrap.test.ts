/** The bootstrap: the same as drawing rows one by one, paired, seeded, and as wide as theory says. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bleuStats } from '../../metrics/bleu.ts'
import { resample } from '../../metrics/bootstrap.ts'
import type { Series } from '../../metrics/bootstrap.ts'
import { METRIC_NAMES, METRICS, valueOf } from '../../metrics/catalogue.ts'
import type { RowStatistics } from '../../metrics/catalogue.ts'

/** The definition: choose rows, then measure the chosen rows as if they were the test set. */
function slowly(series: readonly Series[], seed: number, resamples: number): number[][] {
  let state = BigInt(seed)
  const next = (): number => {
    const [bits, u32] = [0xffffffffn, (value: bigint) => value & 0xffffffffn]
    state = u32(state + 0x9e3779b9n)
    let mixed = u32((state ^ (state >> 16n)) * 0x21f0aaadn)
    mixed = u32((mixed ^ (mixed >> 15n)) * 0x735a2d97n)
    return Number((mixed ^ (mixed >> 15n)) & bits) / 2 ** 32
  }
  const rows = series[0]?.rows.length ?? 0
  const values: number[][] = series.map(() => [])
  for (let draw = 0; draw < resamples; draw++) {
    const chosen = Array.from({ length: rows }, () => Math.floor(next() * rows))
    for (const [index, { metric, rows: all }] of series.entries()) {
      const those = chosen.flatMap((row) => (all[row] === null ? [] : [all[row]!]))
      values[index]!.push(valueOf(metric, those))
    }
  }
  return values
}

const WORDS = ['退款', '物流', '发票', ' to', ' be', '。']
let state = 5
const pick = (): number => (state = (state * 48271) % 0x7fffffff)
const text = (): string => Array.from({ length: 12 }, () => WORDS[pick() % WORDS.length]).join('')

function rowsOf(name: (typeof METRIC_NAMES)[number], count: number): RowStatistics[] {
  return Array.from({ length: count }, () => {
    const { columns } = METRICS[name]
    if (columns.length > 2) return bleuStats(text(), text(), 'zh')
    return columns.length === 2 ? [(pick() % 1000) / 100, 1 + (pick() % 9)] : [pick() % 2]
  })
}

test.each(METRIC_NAMES)('%s equals drawing rows one by one', (name) => {
  const series = [0, 1].map(() => ({ metric: METRICS[name], rows: rowsOf(name, 23) }))
  const fast = resample(series, { seed: 7, resamples: 50 })
  const slow = slowly(series, 7, 50)
  expect(fast.map((values) => values.length)).toEqual([50, 50])
  for (const [index, values] of slow.entries())
    for (const [draw, value] of values.entries()) expect(fast[index]![draw]).toBeCloseTo(value, 10)
})

test('all metrics of both sides at once are drawn from the same rows', () => {
  const series = [...METRIC_NAMES, ...METRIC_NAMES].map((name) => ({
    metric: METRICS[name],
    rows: rowsOf(name, 17),
  }))
  const together = resample(series, { seed: 3, resamples: 40 })
  for (const [index, each] of series.entries())
    expect(together[index]).toEqual(resample([each], { seed: 3, resamples: 40 })[0])
})

test('rows that a series leaves out do not count, and a draw without any has no value', () => {
  const all = [[1], [0], [1], [1]]
  const slice = [[1], null, null, null]
  const series = [all, slice].map((rows) => ({ metric: METRICS.exact_match, rows }))
  const [whole, part] = resample(series, { seed: 1, resamples: 200 })
  expect([...part!].every((value) => Number.isNaN(value) || value === 1)).toBe(true)
  // The row is missed by (3/4)^4 of the draws.
  const missed = [...part!].filter(Number.isNaN).length
  expect(missed).toBeGreaterThan(40)
  expect(missed).toBeLessThan(90)
  expect([...whole!]).toEqual(slowly(series, 1, 200)[0])
  expect([...part!]).toEqual(slowly(series, 1, 200)[1])
})

test('a row without a number makes exactly the draws that hold it not a number', () => {
  const torn = JSON.parse('[[null,3],[1,3],[2,3]]') as number[][]
  const series = [{ metric: METRICS.perplexity, rows: torn }]
  const values = resample(series, { seed: 9, resamples: 100 })[0]!
  const wanted = slowly(series, 9, 100)[0]!
  expect([...values].map(Number.isNaN)).toEqual(wanted.map(Number.isNaN))
  expect(new Set([...values].map(Number.isNaN)).size).toBe(2)
})

describe('what a gate makes of it', () => {
  const theirs = Array.from({ length: 80 }, (_, index) => (index * 37) % 10)
  /** Resampled mean(ours) - mean(theirs), and the one-sided p of "ours is greater". */
  function compare(ours: readonly number[], seed: number, resamples: number) {
    const series = [ours, theirs].map((values) => ({
      metric: METRICS.rouge_l,
      rows: values.map((value) => [value]),
    }))
    const [our, their] = resample(series, { seed, resamples })
    const differences = [...our!].map((value, draw) => value - their![draw]!)
    const notGreater = differences.filter((difference) => !(difference > 0)).length
    return { differences: differences.sort((a, b) => a - b), p: (1 + notGreater) / (resamples + 1) }
  }

  test('is the same for the same seed and not for another', () => {
    const ours = theirs.map((value, index) => value + (index % 3) - 0.9)
    expect(compare(ours, 42, 500)).toEqual(compare(ours, 42, 500))
    expect(compare(ours, 42, 500)).not.toEqual(compare(ours, 43, 500))
  })

  test('a constant gain is certain because rows are paired, and p is never 0', () => {
    const { differences, p } = compare(
      theirs.map((value) => value + 0.01),
      42,
      1000,
    )
    expect(differences[0]).toBeCloseTo(0.01, 12)
    expect(differences.at(-1)).toBeCloseTo(0.01, 12)
    expect(p).toBe(1 / 1001)
  })

  test('no gain at all has p 1', () => {
    expect(compare(theirs, 42, 1000).p).toBe(1)
  })

  test('the interval is as wide as theory says', () => {
    const { differences, p } = compare(
      theirs.map((value, index) => value + (index % 2 === 0 ? 1 : -1)),
      1,
      4000,
    )
    // Standard error 1/sqrt(80); 1.96 of it is 0.219.
    expect(differences[100]).toBeCloseTo(-0.219, 1)
    expect(differences[3899]).toBeCloseTo(0.219, 1)
    expect(p).toBeGreaterThan(0.4)
    expect(p).toBeLessThan(0.65)
  })

  test('under no true difference, p is below 5 % about as often as it should be', () => {
    let low = 0
    const experiments = 300
    for (let experiment = 0; experiment < experiments; experiment++) {
      const ours = theirs.map((value) => value + (pick() / 0x7fffffff - 0.5))
      if (compare(ours, experiment, 200).p < 0.05) low++
    }
    // 5 % of 300 is 15, standard error 3.8.
    expect(low).toBeGreaterThan(3)
    expect(low).toBeLessThan(31)
  })
})

test('every seed draws every row about equally often', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (seed) => {
      const rows = Array.from({ length: 8 }, (_, row) => [row])
      const values = resample([{ metric: METRICS.rouge_l, rows }], { seed, resamples: 1000 })[0]!
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      // Mean 3.5, standard error 2.29 / sqrt(8000) = 0.026.
      expect(Math.abs(mean - 3.5)).toBeLessThan(0.13)
    }),
    { numRuns: 30 },
  )
})

test('refuses rows that cannot be paired', () => {
  const one = { metric: METRICS.exact_match, rows: [[1]] }
  const two = { metric: METRICS.exact_match, rows: [[1], [0]] }
  const options = { seed: 1, resamples: 10 }
  expect(() => resample([one, two], options)).toThrow('1 against 2')
  expect(() => resample([{ ...one, rows: [] }], options)).toThrow(RangeError)
  expect(() => resample([], options)).toThrow(RangeError)
  expect(() => resample([one], { seed: 1, resamples: 0 })).toThrow(RangeError)
})
