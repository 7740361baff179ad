/** The judge: three-valued truth, margins, and everything that must never count as a pass. */
import { describe, expect, it } from 'vitest'
import { compile } from '../../dsl/compile.ts'
import { judge, type Scores, type Yardstick } from '../../dsl/judge.ts'
import type { Gate } from '../../dsl/pipeline.ts'
import { stageKinds } from '../../stages/catalogue.ts'

function gateOf(checks: readonly string[]): Gate {
  const text = [
    'version: 1',
    'name: t',
    'model: m',
    'data: d.jsonl',
    'flow: clean -> split -> tokenize -> lora-train -> eval -> gate',
    'stages:',
    '  split: { with: { train: 80%, validation: 10%, test: 10% } }',
    '  gate:',
    '    baseline: untuned',
    '    checks:',
    ...checks.map((check) => `      - ${check}`),
  ].join('\n')
  const { value, diagnostics } = compile({ path: 't', text }, stageKinds)
  const gate = value?.stages.find((stage) => stage.gate !== null)?.gate
  if (gate === undefined || gate === null)
    throw new Error(JSON.stringify(diagnostics.map((each) => each.message)))
  return gate
}

const baseline: Yardstick = {
  ruler: 'r1',
  origin: 'untuned',
  values: { perplexity: 20, bleu: 0.1, rouge_l: 0.2 },
}

function scores(values: Record<string, number | null>, spaces: Record<string, Yardstick> = {}): Scores {
  const judged = {
    ruler: 'r1',
    origin: 'eval',
    values: { perplexity: 10, bleu: 0.4, rouge_l: 0.5, ...values },
  }
  return {
    judged,
    spaces: { baseline, untuned: baseline, main: { missing: 'main has no passing run yet' }, ...spaces },
  }
}

function outcome(check: string, given: Scores): string {
  return judge(gateOf([check]), given).checks[0]?.outcome ?? 'none'
}

describe('comparisons', () => {
  it.each([
    ['bleu >= 0.30', 'pass'],
    ['bleu >= 0.41', 'fail'],
    ['bleu >= 40%', 'pass'],
    ['bleu > 0.4', 'fail'],
    ['perplexity better than baseline', 'pass'],
    ['perplexity better than baseline by 10', 'fail'],
    ['perplexity better than baseline by 9.5', 'pass'],
    ['perplexity better than baseline by 40%', 'pass'],
    ['perplexity better than baseline by 50%', 'fail'],
    ['bleu better than baseline by 0.2', 'pass'],
    ['bleu no worse than baseline by 2%', 'pass'],
    ['bleu between 0.4 and 0.5', 'pass'],
    ['perplexity <= baseline.perplexity * 0.5', 'pass'],
    ['bleu >= untuned.bleu', 'pass'],
    ['not bleu < 0.3', 'pass'],
    ['bleu >= main.bleu', 'unknown'],
    ['bleu >= main.bleu ?? 0.30', 'pass'],
    ['main.bleu is missing', 'pass'],
    ['bleu >= main.bleu or bleu >= 0.3', 'pass'],
    ['bleu >= main.bleu or bleu >= 0.9', 'unknown'],
    ['bleu >= main.bleu and bleu >= 0.9', 'fail'],
    ['bleu >= main.bleu and bleu >= 0.3', 'unknown'],
    ['not bleu >= main.bleu', 'unknown'],
    ['bleu / (baseline.bleu - baseline.bleu) > 3', 'unknown'],
  ])('%s -> %s', (check, expected) => {
    expect(outcome(check, scores({}))).toBe(expected)
  })
})

describe('what is not known never passes', () => {
  it.each([NaN, Infinity, -Infinity, null])('%s', (bad) => {
    const verdict = judge(gateOf(['bleu >= 0.30', 'perplexity <= 12']), scores({ bleu: bad }))
    expect(verdict.verdict).toBe('undecided')
    expect(verdict.checks.map((check) => check.outcome)).toEqual(['unknown', 'pass'])
    expect(verdict.checks[0]?.reason).not.toBeNull()
  })

  it('refuses scores of another ruler', () => {
    const other: Yardstick = { ruler: 'r2', origin: 'main@4c2', values: { bleu: 0.1 } }
    const verdict = judge(gateOf(['bleu >= main.bleu']), scores({}, { main: other }))
    expect(verdict.verdict).toBe('undecided')
    expect(verdict.checks[0]?.reason).toMatch(/different ruler/)
    const same = { ...other, ruler: 'r1' }
    expect(judge(gateOf(['bleu >= main.bleu']), scores({}, { main: same })).verdict).toBe('pass')
  })
})

describe('verdict', () => {
  it.each([
    [['bleu >= 0.3'], 'pass'],
    [['bleu >= 0.9', 'bleu >= main.bleu'], 'fail'],
    [['bleu >= 0.3', 'bleu >= main.bleu'], 'undecided'],
    [['bleu >= 0.3', 'warn: bleu >= 0.9'], 'pass'],
    [['bleu >= 0.3', 'warn: bleu >= main.bleu'], 'pass'],
  ])('%j -> %s', (checks, expected) => {
    expect(judge(gateOf(checks), scores({})).verdict).toBe(expected)
  })

  it('is not a pass for a gate that requires nothing', () => {
    const gate = { ...gateOf(['bleu >= 0.3']), checks: [] }
    expect(judge(gate, scores({})).verdict).toBe('undecided')
  })

  it('says what was compared, and by how much it was missed', () => {
    const [check] = judge(gateOf(['perplexity better than baseline by 10.5']), scores({})).checks
    expect(check?.margin).toBeCloseTo(-0.5)
    expect(check?.operands).toEqual([
      { text: 'perplexity', value: 10, source: 'eval' },
      { text: 'baseline.perplexity', value: 20, source: 'untuned' },
    ])
    expect(judge(gateOf(['bleu >= 0.30']), scores({})).checks[0]?.margin).toBeCloseTo(0.1)
  })
})
