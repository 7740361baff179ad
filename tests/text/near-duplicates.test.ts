/** Near duplicates: the same as comparing every text with every other, in any order, and a stated yardstick. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nearDuplicates } from '../../workers/text/near-duplicates.ts'
import { groupKey } from '../../workers/protocol/group-key.ts'

const RATIOS = [0.5, 0.55, 0.7, 0.9, 1]

function grams(text: string): ReadonlySet<string> {
  const characters = Array.from(groupKey(text))
  const starts = Array.from({ length: Math.max(1, characters.length - 2) }, (_, start) => start)
  return new Set(starts.map((start) => characters.slice(start, start + 3).join('')))
}

function jaccard(a: string, b: string): number {
  const [left, right] = [grams(a), grams(b)]
  const shared = [...left].filter((gram) => right.has(gram)).length
  return shared / (left.size + right.size - shared)
}

/** Every pair, in the documented order. */
function byHand(texts: readonly string[], ratio: number): readonly string[] {
  const key = (text: string): string => groupKey(text)
  const order = [...texts].sort(
    (a, b) => key(b).length - key(a).length || (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a < b ? -1 : 1),
  )
  const kept: string[] = []
  for (const text of order) if (!kept.some((other) => jaccard(text, other) >= ratio - 1e-9)) kept.push(text)
  return kept.sort()
}

function kept(texts: readonly string[], ratio: number): readonly string[] {
  const repeats = nearDuplicates(
    texts.map((text) => ({ text, rank: 0 })),
    ratio,
  )
  return texts.filter((_, index) => !repeats.has(index)).sort()
}

/** Pieces of a few sentences, with something put in: some are near each other. */
const text = fc
  .record({
    base: fc.constantFrom(
      '请问社保卡丢了怎么办理挂失手续',
      '社保卡丢了怎么办理挂失和补办',
      'abcabcabc养老金怎么领取',
    ),
    start: fc.nat(4),
    length: fc.nat(14),
    insert: fc.constantFrom('', '', '呢', '吗', '12', '。'),
  })
  .map(({ base, start, length, insert }) => {
    const piece = base.slice(start, start + length)
    return piece.slice(0, 6) + insert + piece.slice(6)
  })

test('what stays is what comparing all pairs leaves, whatever the order', () => {
  let dropped = 0
  fc.assert(
    fc.property(
      fc.uniqueArray(text, { minLength: 12, maxLength: 30 }).chain((all) =>
        fc.record({
          all: fc.constant(all),
          shuffled: fc.shuffledSubarray(all, { minLength: all.length }),
          ratio: fc.constantFrom(...RATIOS),
        }),
      ),
      ({ all, shuffled, ratio }) => {
        const expected = byHand(all, ratio)
        dropped += all.length - expected.length
        expect(kept(all, ratio)).toEqual(expected)
        expect(kept(shuffled, ratio)).toEqual(expected)
      },
    ),
    { numRuns: 300 },
  )
  expect(dropped).toBeGreaterThan(100)
})

test('whoever is named as the twin stays and is near', () => {
  const texts = Array.from(
    { length: 60 },
    (_, i) => `请问第${i % 12}号窗口几点开始办理社保卡挂失${'呢'.repeat(i % 5)}`,
  )
  const repeats = nearDuplicates(
    texts.map((each) => ({ text: each, rank: 0 })),
    0.7,
  )
  expect(repeats.size).toBeGreaterThan(30)
  for (const [index, twin] of repeats) {
    expect(repeats.has(twin)).toBe(false)
    expect(jaccard(texts[index] ?? '', texts[twin] ?? '')).toBeGreaterThanOrEqual(0.7)
  }
})

test('one character more at the end of a question is near at 80 %, another number in it is not', () => {
  const pairs = (a: string, b: string): number =>
    nearDuplicates(
      [
        { text: a, rank: 0 },
        { text: b, rank: 0 },
      ],
      0.8,
    ).size
  expect(pairs('如何办理社保开户', '如何办理社保开户呢？')).toBe(1)
  expect(pairs('2023年社保缴费基数是多少', '2024年社保缴费基数是多少')).toBe(0)
})

test('an earlier rank stays, even if it is the shorter one', () => {
  const [short, long] = ['如何办理社保开户', '如何办理社保开户呢']
  const repeats = nearDuplicates(
    [
      { text: long, rank: 1 },
      { text: short, rank: 0 },
    ],
    0.8,
  )
  expect([...repeats]).toEqual([[0, 1]])
})
