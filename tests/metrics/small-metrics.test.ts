import { describe, expect, test } from 'vitest'
import { pairedBootstrap } from '../../metrics/bootstrap.ts'
import { exactMatch, meanExactMatch } from '../../metrics/exact-match.ts'
import { neighbourSearch } from '../../metrics/neighbour.ts'
import { bitsPerByte, perplexity } from '../../metrics/perplexity.ts'

describe('perplexity', () => {
  test('weights tokens, not rows', () => {
    const rows = [
      { nll: 10 * Math.log(2), tokens: 10, bytes: 30 },
      { nll: Math.log(1024), tokens: 1, bytes: 10 },
    ]
    // 20 bits over 11 tokens and 40 bytes; the mean of the rows' perplexities would be 513.
    expect(perplexity(rows)).toBeCloseTo(2 ** (20 / 11), 12)
    expect(bitsPerByte(rows)).toBeCloseTo(0.5, 12)
  })
  test('a uniform guess over k tokens is k', () => {
    expect(perplexity([{ nll: 7 * Math.log(50), tokens: 7, bytes: 1 }])).toBeCloseTo(50, 10)
  })
  test('is not a number without tokens, bytes or a loss', () => {
    expect(perplexity([])).toBeNaN()
    expect(bitsPerByte([{ nll: 1, tokens: 1, bytes: 0 }])).toBeNaN()
    expect(perplexity([{ nll: NaN, tokens: 1, bytes: 1 }])).toBeNaN()
  })
})

test('exact match forgives blanks at the ends and nothing else', () => {
  expect(exactMatch(' 好的。\n', '好的。')).toBe(1)
  expect(exactMatch('好的.', '好的。')).toBe(0)
  expect(exactMatch('Yes', 'yes')).toBe(0)
  expect(exactMatch('ＡＢ', 'AB')).toBe(0)
  expect(meanExactMatch([1, 0, 0, 1])).toBe(0.5)
})

describe('neighbour', () => {
  const rows = [
    { id: 'refund', prompt: '怎么申请退款？', response: 'A' },
    { id: 'ship', prompt: '怎么查询物流？', response: 'B' },
    { id: 'ship again', prompt: '怎么查询物流？', response: 'C' },
    { id: 'phone', prompt: 'How do I reset my phone?', response: 'D' },
  ]
  const search = neighbourSearch(rows)
  test('finds itself with similarity 1, the first of equals', () => {
    expect(search('怎么查询物流？')?.row.id).toBe('ship')
    expect(search('怎么查询物流？')?.similarity).toBeCloseTo(1, 12)
    expect(search('怎么申请退款？')?.row.id).toBe('refund')
  })
  test('rare grams weigh more than common ones', () => {
    expect(search('怎么 退款')?.row.id).toBe('refund')
    expect(search('RESET')?.row.id).toBe('phone')
  })
  test('nothing in common is no neighbour', () => {
    expect(search('龘')).toBeNull()
    expect(search('')).toBeNull()
    expect(neighbourSearch([])('x')).toBeNull()
  })
  test('cosine by hand', () => {
    // Two rows, grams a (both rows), b and ab (one row each): idf 1 and 1 + ln 1.5.
    const idf = 1 + Math.log(1.5)
    const found = neighbourSearch([
      { id: '1', prompt: 'ab', response: '' },
      { id: '2', prompt: 'a', response: '' },
    ])('a')
    expect(found?.row.id).toBe('2')
    const other = neighbourSearch([
      { id: '1', prompt: 'ab', response: '' },
      { id: '2', prompt: 'ac', response: '' },
    ])('ab')
    expect(other?.row.id).toBe('1')
    const weak = neighbourSearch([
      { id: '1', prompt: 'ab', response: '' },
      { id: '2', prompt: 'ax', response: '' },
    ])('a')
    expect(weak?.similarity).toBeCloseTo(1 / Math.sqrt(1 + 2 * idf ** 2), 12)
  })
})

describe('paired bootstrap', () => {
  const mean = (rows: readonly number[]) => rows.reduce((sum, value) => sum + value, 0) / rows.length
  const theirs = Array.from({ length: 80 }, (_, index) => (index * 37) % 10)
  const options = { seed: 42, resamples: 1000 }
  test('is the same for the same seed and not for another', () => {
    const ours = theirs.map((value, index) => value + (index % 3) - 0.9)
    expect(pairedBootstrap(ours, theirs, mean, options)).toEqual(pairedBootstrap(ours, theirs, mean, options))
    expect(pairedBootstrap(ours, theirs, mean, { ...options, seed: 43 })).not.toEqual(
      pairedBootstrap(ours, theirs, mean, options),
    )
  })
  test('a constant gain is certain because rows are paired', () => {
    const { difference, interval, p } = pairedBootstrap(
      theirs.map((value) => value + 0.01),
      theirs,
      mean,
      options,
    )
    expect(difference).toBeCloseTo(0.01, 12)
    expect(interval[0]).toBeCloseTo(0.01, 12)
    expect(interval[1]).toBeCloseTo(0.01, 12)
    expect(p).toBe(1 / 1001)
  })
  test('the interval is as wide as theory says', () => {
    const ours = theirs.map((value, index) => value + (index % 2 === 0 ? 1 : -1))
    const { interval, p } = pairedBootstrap(ours, theirs, mean, { seed: 1, resamples: 4000 })
    // Standard error 1/sqrt(80); 1.96 of it is 0.219.
    expect(interval[0]).toBeCloseTo(-0.219, 1)
    expect(interval[1]).toBeCloseTo(0.219, 1)
    expect(p).toBeGreaterThan(0.4)
    expect(p).toBeLessThan(0.65)
  })
  test('refuses rows that cannot be paired', () => {
    expect(() => pairedBootstrap([1], [1, 2], mean, options)).toThrow('1 against 2')
    expect(() => pairedBootstrap([], [], mean, options)).toThrow(RangeError)
  })
})
