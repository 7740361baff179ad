/** What a verdict says and shows is what a plain evaluation of the same check by other code comes to. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compile } from '../../dsl/compile.ts'
import { judge, type ScoreSet } from '../../dsl/judge.ts'
import { stageKinds } from '../../stages/catalogue.ts'

type Sum =
  | { readonly type: 'number'; readonly value: number }
  | { readonly type: 'metric'; readonly space: 'judged' | 'baseline'; readonly name: string }
  | { readonly type: 'sum'; readonly sign: '+' | '-' | '*'; readonly left: Sum; readonly right: Sum }
type Check =
  | {
      readonly type: 'compare'
      readonly sign: '<' | '<=' | '>' | '>='
      readonly left: Sum
      readonly right: Sum
    }
  | { readonly type: 'missing'; readonly value: Sum }
  | { readonly type: 'not'; readonly inner: Check }
  | { readonly type: 'and' | 'or'; readonly left: Check; readonly right: Check }

type Values = Readonly<Record<'judged' | 'baseline', Readonly<Record<string, number | null>>>>

const METRICS = ['perplexity', 'bleu', 'rouge_l'] as const

const { check: anyCheck } = fc.letrec<{ sum: Sum; check: Check }>((tie) => ({
  sum: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    fc.record({
      type: fc.constant('metric' as const),
      space: fc.constantFrom('judged', 'baseline'),
      name: fc.constantFrom(...METRICS),
    }),
    fc.record({
      type: fc.constant('number' as const),
      value: fc.integer({ min: 0, max: 40 }).map((n) => n / 8),
    }),
    fc.record({
      type: fc.constant('sum' as const),
      sign: fc.constantFrom('+', '-', '*'),
      left: tie('sum'),
      right: tie('sum'),
    }),
  ),
  check: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.record({
      type: fc.constant('compare' as const),
      sign: fc.constantFrom('<', '<=', '>', '>='),
      left: tie('sum'),
      right: tie('sum'),
    }),
    fc.record({ type: fc.constant('missing' as const), value: tie('sum') }),
    fc.record({ type: fc.constant('not' as const), inner: tie('check') }),
    fc.record({
      type: fc.constantFrom('and' as const, 'or' as const),
      left: tie('check'),
      right: tie('check'),
    }),
  ),
}))

/** With as few parentheses as the grammar allows. */
function sumText(sum: Sum, above = 0): string {
  if (sum.type === 'number') return String(sum.value)
  if (sum.type === 'metric') return sum.space === 'judged' ? sum.name : `baseline.${sum.name}`
  const level = sum.sign === '*' ? 2 : 1
  const text = `${sumText(sum.left, level)} ${sum.sign} ${sumText(sum.right, level + 1)}`
  return level < above ? `(${text})` : text
}

function checkText(check: Check, above = 0): string {
  switch (check.type) {
    case 'compare':
      return `${sumText(check.left)} ${check.sign} ${sumText(check.right)}`
    case 'missing':
      return `${sumText(check.value)} is missing`
    case 'not':
      return `not ${checkText(check.inner, 3)}`
    case 'and':
    case 'or': {
      const level = check.type === 'and' ? 2 : 1
      const text = `${checkText(check.left, level)} ${check.type} ${checkText(check.right, level + 1)}`
      return level < above ? `(${text})` : text
    }
  }
}

/** Null is: nobody knows. */
function amount(sum: Sum, values: Values): number | null {
  if (sum.type === 'number') return sum.value
  if (sum.type === 'metric') return values[sum.space][sum.name] ?? null
  const left = amount(sum.left, values)
  const right = amount(sum.right, values)
  if (left === null || right === null) return null
  return sum.sign === '+' ? left + right : sum.sign === '-' ? left - right : left * right
}

function truth(check: Check, values: Values): boolean | null {
  switch (check.type) {
    case 'compare': {
      const left = amount(check.left, values)
      const right = amount(check.right, values)
      if (left === null || right === null) return null
      if (check.sign === '<') return left < right
      if (check.sign === '<=') return left <= right
      return check.sign === '>' ? left > right : left >= right
    }
    case 'missing':
      return amount(check.value, values) === null
    case 'not': {
      const inner = truth(check.inner, values)
      return inner === null ? null : !inner
    }
    case 'and':
    case 'or': {
      const sides = [truth(check.left, values), truth(check.right, values)]
      const decisive = check.type === 'or'
      return sides.includes(decisive) ? decisive : sides.includes(null) ? null : !decisive
    }
  }
}

function metricsIn(node: Sum | Check): readonly string[] {
  if (node.type === 'metric') return [sumText(node)]
  if (node.type === 'number') return []
  if (node.type === 'missing') return metricsIn(node.value)
  return node.type === 'not' ? metricsIn(node.inner) : [...metricsIn(node.left), ...metricsIn(node.right)]
}

const score = fc.option(
  fc.integer({ min: 0, max: 8 }).map((n) => n / 8),
  { nil: null },
)
const anyScores = fc.record(Object.fromEntries(METRICS.map((name) => [name, score])))

it('an outcome and its operands are those of a plain evaluation', () => {
  const outcomes: Record<string, number> = {}
  fc.assert(
    fc.property(anyCheck, anyScores, anyScores, (check, judgedValues, baselineValues) => {
      const text = checkText(check)
      const file = `version: 1\nname: t\nmodel: m\ndata: d.jsonl\nflow: clean -> split -> tokenize -> lora-train -> eval -> gate\nstages:\n  gate:\n    baseline: untuned\n    checks:\n      - ${JSON.stringify(text)}\n`
      const gate = compile({ path: 't', text: file }, stageKinds).value?.stages.find(
        (stage) => stage.gate,
      )?.gate
      // A check that can never pass, or compares a number with itself, is refused before anything runs.
      if (gate === undefined || gate === null) return
      const set = (origin: string, values: ScoreSet['values']): ScoreSet => ({ ruler: 'r', origin, values })
      const [judged] = judge(gate, {
        judged: set('eval', judgedValues),
        spaces: { baseline: set('untuned', baselineValues) },
      }).checks
      const values: Values = { judged: judgedValues, baseline: baselineValues }
      const expected = truth(check, values)
      const outcome = expected === null ? 'unknown' : expected ? 'pass' : 'fail'
      expect(judged?.outcome, text).toBe(outcome)
      expect(judged?.reason === null, text).toBe(expected !== null)
      const shown = Object.fromEntries((judged?.operands ?? []).map((each) => [each.text, each.value]))
      for (const name of metricsIn(check)) {
        const [space, metric] = name.includes('.')
          ? (['baseline', name.slice(9)] as const)
          : (['judged', name] as const)
        if (name in shown) expect(shown[name], `${text}: ${name}`).toBe(values[space][metric] ?? null)
      }
      if (judged?.margin != null && check.type === 'compare') {
        if (judged.margin !== 0) expect(judged.margin > 0, text).toBe(expected)
        else expect(expected, text).toBe(check.sign.endsWith('='))
      }
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    }),
    { numRuns: 400 },
  )
  for (const outcome of ['pass', 'fail', 'unknown'])
    expect(outcomes[outcome] ?? 0, outcome).toBeGreaterThan(20)
})
