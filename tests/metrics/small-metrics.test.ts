/** The small metrics by hand: perplexity, means, exact match, the neighbour. */
import { describe, expect, test } from 'vitest'
import { METRIC_NAMES, METRICS, valueOf } from '../../metrics/catalogue.ts'
import { exactMatch } from '../../metrics/exact-match.ts'
import { neighbourSearch } from '../../metrics/neighbour.ts'

const { perplexity, bits_per_byte: bitsPerByte, exact_match: exact, rouge_l: rougeL, bleu } = METRICS

describe('perplexity', () => {
  test('weights tokens, not rows', () => {
    // 20 bits over 11 tokens and 40 bytes; the mean of the rows' perplexities would be 513.
    const [first, second] = [10 * Math.log(2), Math.log(1024)]
    expect(
      valueOf(perplexity, [
        [first, 10],
        [second, 1],
      ]),
    ).toBeCloseTo(2 ** (20 / 11), 12)
    expect(
      valueOf(bitsPerByte, [
        [first, 30],
        [second, 10],
      ]),
    ).toBeCloseTo(0.5, 12)
  })
  test('a uniform guess over k tokens is k', () => {
    expect(valueOf(perplexity, [[7 * Math.log(50), 7]])).toBeCloseTo(50, 10)
  })
  test('is not a number without tokens, bytes or a loss', () => {
    expect(valueOf(perplexity, [])).toBeNaN()
    expect(valueOf(bitsPerByte, [[1, 0]])).toBeNaN()
    expect(
      valueOf(perplexity, [
        [NaN, 1],
        [1, 1],
      ]),
    ).toBeNaN()
  })
})

test('means are plain, and without rows they are not a number', () => {
  expect(valueOf(exact, [[1], [0], [0], [1]])).toBe(0.5)
  expect(valueOf(rougeL, [[1], [0.5]])).toBe(0.75)
  expect(valueOf(exact, [])).toBeNaN()
})

test('a number that is missing in a row makes the metric not a number, never a zero', () => {
  for (const name of METRIC_NAMES) {
    const metric = METRICS[name]
    const whole = metric.columns.map(() => 1)
    expect(valueOf(metric, [whole, whole]), name).not.toBeNaN()
    // What JSON makes of NaN.
    const torn = JSON.parse(JSON.stringify([NaN, ...whole.slice(1)])) as number[]
    expect(valueOf(metric, [whole, torn]), name).toBeNaN()
  }
  expect(valueOf(bleu, [METRICS.bleu.columns.map(() => NaN)])).toBeNaN()
})

test('exact match forgives blanks at the ends and nothing else', () => {
  expect(exactMatch(' 好的。\n', '好的。')).toBe(1)
  expect(exactMatch('好的.', '好的。')).toBe(0)
  expect(exactMatch('Yes', 'yes')).toBe(0)
  expect(exactMatch('ＡＢ', 'AB')).toBe(0)
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
