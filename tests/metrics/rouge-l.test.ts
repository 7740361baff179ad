import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { commonSubsequence, rougeL, rougeTokens } from '../../metrics/rouge-l.ts'

const fixture = JSON.parse(readFileSync(new URL('../fixtures/rouge-l.json', import.meta.url), 'utf8')) as {
  readonly output: string
  readonly reference: string
  readonly f: number
}[]

test('English rows equal rouge_score', () => {
  expect(fixture.length).toBeGreaterThan(60)
  for (const { output, reference, f } of fixture) {
    expect(Math.abs(rougeL(output, reference) - f), `${output} / ${reference}`).toBeLessThan(1e-12)
  }
})

test('Chinese counts by character, Latin and digits by word', () => {
  expect(rougeTokens('请更新App到V2.0。𠮷')).toEqual([...'请更新', 'app', '到', 'v2', '0', '𠮷'])
  // 退款会到账 against 退款将到账: four of five characters in order.
  expect(rougeL('退款会到账。', '退款将到账！')).toBeCloseTo(0.8, 12)
})

const words = fc.array(fc.constantFrom('a', 'b', 'c', '的'), { maxLength: 8 })

/** The definition, without a table: the longest choice of tokens of `a` that `b` has in the same order. */
function slowCommon(a: readonly string[], b: readonly string[]): number {
  const [head, ...rest] = a
  if (head === undefined) return 0
  const at = b.indexOf(head)
  return Math.max(slowCommon(rest, b), at < 0 ? 0 : 1 + slowCommon(rest, b.slice(at + 1)))
}

test('the subsequence is the longest, the score symmetric and in 0..1', () => {
  fc.assert(
    fc.property(words, words, (a, b) => {
      expect(commonSubsequence(a, b)).toBe(slowCommon(a, b))
      const value = rougeL(a.join(' '), b.join(' '))
      expect(value).toBe(rougeL(b.join(' '), a.join(' ')))
      expect(value >= 0 && value <= 1).toBe(true)
      expect(rougeL(a.join(' '), a.join(' '))).toBe(a.length > 0 ? 1 : 0)
    }),
  )
})
