/** A verdict taken apart: what each part of a check came to, from the operands that the verdict holds. */
import { describe, expect, test } from 'vitest'
import { drawParts, outcomeText, verdictText } from '../../cli/reports/verdict.ts'
import { painter } from '../../cli/reports/style.ts'
import { explainCheck } from '../../dsl/explain-check.ts'
import { judge } from '../../dsl/judge.ts'
import type { Scores, Yardstick } from '../../dsl/judge.ts'
import { gateWith, pipelineWith } from './gate-fixture.ts'

const baseline: Yardstick = {
  ruler: 'r',
  origin: 'untuned',
  values: { perplexity: 20, bleu: 0.284, rouge_l: 0.402 },
}
const scores: Scores = {
  judged: { ruler: 'r', origin: 'eval', values: { perplexity: 11.42, bleu: 0.317, rouge_l: 0.41 } },
  spaces: {
    baseline,
    untuned: baseline,
    main: { missing: 'main has no passing run yet' },
    last: { ruler: 'other', origin: 'last', values: { bleu: 0.3 } },
  },
}

function explained(check: string) {
  const gate = gateWith([check])
  const [judged] = judge(gate, scores).checks
  const [written] = gate.checks
  if (judged === undefined || written === undefined) throw new Error('no check')
  return { explanation: explainCheck(written, judged), judged, written }
}

describe('a plain comparison shows both sides, and the sign that is true', () => {
  test.each([
    ['bleu >= 0.30', { type: 'sides', value: 0.317, sign: '≥', limit: 0.3 }],
    ['bleu >= 0.32', { type: 'sides', value: 0.317, sign: '<', limit: 0.32 }],
    ['perplexity better than baseline', { type: 'sides', value: 11.42, sign: '<', limit: 20 }],
    ['bleu no worse than baseline by 0.01', { type: 'sides', value: 0.317, sign: '≥', limit: 0.274 }],
    ['perplexity <= baseline.perplexity * 0.5', { type: 'sides', value: 11.42, sign: '>', limit: 10 }],
  ])('%s', (check, expected) => {
    const { explanation } = explained(check)
    expect(explanation).toMatchObject({ ...expected, limit: expect.closeTo(expected.limit) as number })
  })
})

test('anything longer shows the value under every part', () => {
  const { explanation, judged } = explained('bleu >= 0.30 and rouge_l - baseline.rouge_l > 0.02')
  if (explanation.type !== 'parts') throw new Error(explanation.type)
  expect(explanation.parts.map(({ at, value }) => [judged.text.slice(at, at + 4), value])).toEqual([
    ['bleu', 0.317],
    ['>= 0', true],
    ['roug', 0.41],
    ['- ba', expect.closeTo(0.008)],
    ['base', 0.402],
    ['> 0.', false],
  ])
  expect([judged.text, ...drawParts(explanation.parts)].join('\n')).toBe(
    [
      'bleu >= 0.30 and rouge_l - baseline.rouge_l > 0.02',
      '│    │           │       │ │                │',
      '│    true        0.410   │ 0.402            false',
      '0.317                    0.008',
    ].join('\n'),
  )
})

test('what is missing is shown as missing, with the reason', () => {
  const gate = pipelineWith(['not bleu >= main.bleu - 0.01']).stages.find(({ gate: each }) => each !== null)
  if (gate?.gate == null) throw new Error('no gate')
  expect(verdictText(gate, judge(gate.gate, scores), painter(false)).split('\n')).toEqual([
    'gate   UNDECIDED   judged: eval, yardstick: untuned',
    '',
    '  ? not bleu >= main.bleu - 0.01      t:12',
    '        │    │  │         │',
    '        │    │  missing   missing',
    '        │    missing',
    '        0.317',
    '      main has no passing run yet   (E207)',
  ])
})

test('nothing is claimed beyond what the verdict said', () => {
  // Measured by another ruler: the numbers are there, and yet they were not compared.
  const { explanation, judged } = explained('bleu >= last.bleu')
  expect(judged.outcome).toBe('unknown')
  expect(explanation).toEqual({ type: 'operands' })
})

test('numbers that differ never look the same', () => {
  const gate = gateWith(['bleu >= 0.30'])
  const close = { ...scores, judged: { ...scores.judged, values: { bleu: 0.29999 } } }
  const [judged] = judge(gate, close).checks
  if (judged === undefined) throw new Error('no check')
  expect(outcomeText(gate.checks[0], judged)).toBe('0.299990 < 0.300000, short by 1.00e-5 (0.0033 %)')
})

test('a check in quotes, folded or with Chinese names is drawn where it stands', () => {
  const quoted = explained('"bleu >= 0.9 or rouge_l >= 0.9"').explanation
  if (quoted.type !== 'parts') throw new Error(quoted.type)
  expect(quoted.parts[0]?.at).toBe(0)
  const folded = explained('>-\n          bleu >= 0.9\n          or rouge_l >= 0.9').explanation
  // The file has other characters between the parts than the check: the places would be guesses.
  expect(folded.type).toBe('operands')
})
