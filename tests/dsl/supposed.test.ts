/** Gates judged by made-up scores: which checks can block at all, and that nothing missing ever opens one. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { operandsOf } from '../../dsl/expression/names.ts'
import { judge } from '../../dsl/judge.ts'
import type { Scores } from '../../dsl/judge.ts'
import { strengthOf } from '../../dsl/mutate.ts'
import { judgeSupposed } from '../../dsl/supposed.ts'
import { gateWith } from './gate-fixture.ts'

describe('strengthOf', () => {
  const strength = (check: string) => strengthOf(gateWith([check, 'bleu >= 0.1'])).checks[0]

  test.each([
    ['bleu >= 0.30', 'fails'],
    ['bleu between 0.4 and 0.5', 'fails'],
    ['bleu != 0.5', 'fails'],
    ['perplexity better than baseline', 'fails'],
    ['bleu no worse than main by 2%', 'fails'],
    ['bleu > baseline.bleu with p < 0.05', 'fails'],
    ['bleu >= main.bleu ?? 0.30', 'fails'],
    ['not (bleu is missing)', 'missing-only'],
    ['bleu is not missing', 'missing-only'],
    ['bleu < 0.6 or bleu > 0.4', 'missing-only'],
    ['bleu >= -1 or bleu is missing', 'never'],
    ['main.bleu is missing or main.bleu >= -1', 'never'],
    ['main.bleu is missing or bleu >= main.bleu - 1', 'missing-only'],
  ])('%s: %s', (check, expected) => {
    expect(strength(check)?.strength).toBe(expected)
  })

  test('says what makes it fail, and that is true', () => {
    const gate = gateWith(['bleu > baseline.bleu + 0.02'])
    const [found] = strengthOf(gate).checks
    expect(found?.blockedBy).not.toBeNull()
    expect(judgeSupposed(gate, found?.blockedBy ?? {}).verdict).toBe('fail')
  })

  test('names the metrics that no required check reads', () => {
    expect(strengthOf(gateWith(['bleu >= 0.3', 'warn: rouge_l >= 0.3'])).unguarded).toEqual([
      'bits_per_byte',
      'exact_match',
      'perplexity',
      'rouge_l',
    ])
  })

  test('a check over more names than can be tried in full is still seen to fail', () => {
    const names = [
      'bleu',
      'rouge_l',
      'exact_match',
      'baseline.bleu',
      'baseline.rouge_l',
      'main.bleu',
      'main.rouge_l',
    ]
    const check = names.map((name) => `${name} >= 0.1`).join(' and ')
    expect(strength(check)?.strength).toBe('fails')
  })
})

describe('what needs rows or slices is one number to whoever makes scores up', () => {
  const gate = gateWith(['worst(bleu by topic) >= 0.2', 'size(adapter) <= 20MB'], '{ slices: [topic] }')

  test('by the text of the call', () => {
    expect(gate.checks.flatMap(({ expression }) => operandsOf(expression))).toEqual([
      'worst(bleu by topic)',
      'size(adapter)',
    ])
    const given = { 'worst(bleu by topic)': 0.3, 'size(adapter)': 1e6 }
    expect(judgeSupposed(gate, given).verdict).toBe('pass')
    expect(judgeSupposed(gate, { ...given, 'worst(bleu by topic)': 0.1 }).verdict).toBe('fail')
    expect(judgeSupposed(gate, { 'size(adapter)': 1e6 }).verdict).toBe('undecided')
  })
})

/** Checks as people write them, without the words that make missing scores acceptable. */
const operand = fc.constantFrom(
  'bleu',
  'rouge_l',
  'exact_match',
  'baseline.bleu',
  'main.bleu',
  'main.rouge_l',
  'untuned.exact_match',
)
const limit = fc.constantFrom('0.1', '0.25', '30%', '0.5', '0.9')
const sum = fc.oneof(
  operand,
  fc
    .tuple(operand, fc.constantFrom('+', '-', '*', '/'), fc.oneof(operand, limit))
    .map((parts) => parts.join(' ')),
  fc
    .tuple(fc.constantFrom('min', 'max', 'mean'), operand, operand)
    .map(([name, a, b]) => `${name}(${a}, ${b})`),
)
const comparison = fc.oneof(
  fc.tuple(sum, fc.constantFrom('<', '<=', '>', '>='), fc.oneof(sum, limit)).map((parts) => parts.join(' ')),
  fc
    .tuple(operand, fc.constantFrom('better than', 'no worse than'), fc.constantFrom('baseline', 'main'))
    .map((parts) => parts.join(' ')),
  operand.map((name) => `${name} between 0.2 and 0.7`),
)
const check = fc.oneof(
  comparison,
  comparison.map((inner) => `not (${inner})`),
  fc.tuple(comparison, comparison).map(([a, b]) => `${a} and ${b}`),
  fc.tuple(comparison, comparison).map(([a, b]) => `not (${a} and ${b})`),
)
const score = fc.constantFrom(0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.9, 1)

test('taking a score away never turns a check that did not pass into one that does', () => {
  let judged = 0
  fc.assert(
    fc.property(
      check,
      fc.array(score, { minLength: 12, maxLength: 12 }),
      fc.nat(11),
      (text, values, pick) => {
        let gate
        try {
          gate = gateWith([JSON.stringify(text)])
        } catch {
          // The compiler refuses it (a comparison with itself, never true): then it cannot stand in a file.
          return
        }
        const names = gate.checks.flatMap(({ expression }) => operandsOf(expression))
        const gone = names[pick % names.length]
        const given = Object.fromEntries(names.map((name, i) => [name, values[i % values.length] ?? 0]))
        const before = judgeSupposed(gate, given)
        const { [gone ?? '']: _taken, ...rest } = given
        const after = judgeSupposed(gate, rest)
        judged++
        if (before.verdict !== 'pass') expect(after.verdict, `${text} without ${gone ?? ''}`).not.toBe('pass')
        // What stays known keeps its outcome, whatever is missing beside it.
        if (after.verdict !== 'undecided') expect(after.verdict).toBe(before.verdict)
      },
    ),
    { numRuns: 300 },
  )
  expect(judged).toBeGreaterThan(150)
})

test('the same holds for the judge of real scores, whole yardsticks included', () => {
  const gate = gateWith(['bleu > main.bleu', 'not (rouge_l < baseline.rouge_l)'])
  const set = (values: Record<string, number>) => ({ ruler: 'r', origin: 'x', values })
  const scores: Scores = {
    judged: set({ bleu: 0.4, rouge_l: 0.4 }),
    spaces: { main: set({ bleu: 0.3 }), baseline: set({ rouge_l: 0.3 }) },
  }
  expect(judge(gate, scores).verdict).toBe('pass')
  for (const name of ['main', 'baseline'])
    expect(
      judge(gate, { ...scores, spaces: { ...scores.spaces, [name]: { missing: 'gone' } } }).verdict,
    ).toBe('undecided')
  expect(judge(gate, { ...scores, judged: set({ bleu: 0.4 }) }).verdict).toBe('undecided')
})
