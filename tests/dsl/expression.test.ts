/** Expressions: precedence, units and values, as tables. */
import { describe, expect, it } from 'vitest'
import type { Diagnostic } from '../../dsl/diagnostic.ts'
import { evaluate, type ValueScope } from '../../dsl/expression/evaluate.ts'
import { parseExpression } from '../../dsl/expression/parse.ts'
import type { Expression } from '../../dsl/expression/syntax.ts'

function parse(text: string): Expression | string {
  const source = { path: 'x', text }
  const out: Diagnostic[] = []
  const offsets = Array.from({ length: text.length + 1 }, (_, i) => i)
  const tree = parseExpression({ source, text, offsets }, out)
  return tree ?? out.map((each) => `${each.code}@${each.primary.span.start}`).join()
}

/** The tree in brackets, so that precedence can be read off. */
function shape(tree: Expression | string): string {
  if (typeof tree === 'string') return tree
  switch (tree.type) {
    case 'number':
    case 'boolean':
      return String(tree.value)
    case 'string':
      return `'${tree.value}'`
    case 'name':
      return tree.path.join('.')
    case 'call':
      return `${tree.name}(${tree.args.map(shape).join(', ')})`
    case 'not':
      return `(not ${shape(tree.operand)})`
    case 'negate':
      return `(- ${shape(tree.operand)})`
    case 'logic':
    case 'compare':
    case 'arithmetic':
      return `(${shape(tree.left)} ${tree.operator} ${shape(tree.right)})`
    case 'default':
      return `(${shape(tree.value)} ?? ${shape(tree.fallback)})`
    case 'between':
      return `(${shape(tree.value)} in ${shape(tree.low)}..${shape(tree.high)})`
    case 'missing':
      return `(${shape(tree.value)} ${tree.negated ? 'there' : 'missing'})`
    case 'sliced':
      return `(${shape(tree.value)} by ${tree.field})`
    case 'directed':
      return `(${shape(tree.value)} ${tree.relation} ${shape(tree.yardstick)}${tree.by === null ? '' : ` by ${shape(tree.by)}`})`
    case 'significance':
      return `(${shape(tree.comparison)} alpha ${tree.alpha.toFixed(2)})`
  }
}

describe('parsing', () => {
  it.each([
    ['bleu >= 0.30', '(bleu >= 0.3)'],
    ['a or b and not c', '(a or (b and (not c)))'],
    ['1 + 2 * 3 - 4', '((1 + (2 * 3)) - 4)'],
    ['8 / 4 / 2', '((8 / 4) / 2)'],
    ['(1 + 2) * 3', '((1 + 2) * 3)'],
    ['- 2 * 3', '((- 2) * 3)'],
    ['lora-train.x - y', '(lora-train.x - y)'],
    ['bleu >= main.bleu ?? 0.3', '(bleu >= (main.bleu ?? 0.3))'],
    ['bleu between 0.2 and 0.5 and x > 1', '((bleu in 0.2..0.5) and (x > 1))'],
    ['bleu no worse than main by 2%', '(bleu no-worse main by 0.02)'],
    ['perplexity better than baseline', '(perplexity better baseline)'],
    ['bleu is not missing', '(bleu there)'],
    ['not x is missing', '(not (x missing))'],
    ['bleu > 0.3 with p < 0.05', '((bleu > 0.3) alpha 0.05)'],
    ['bleu > 0.3 with 95% confidence', '((bleu > 0.3) alpha 0.05)'],
    ['审核.得分 >= 3', '(审核.得分 >= 3)'],
    ['notable > 1', '(notable > 1)'],
    ['latency <= 800ms', '(latency <= 0.8)'],
    ['size <= 1.5GiB', '(size <= 1610612736)'],
    ['mean(a, b) > 1e-3', '(mean(a, b) > 0.001)'],
  ])('%s', (text, expected) => {
    expect(shape(parse(text))).toBe(expected)
  })

  it.each([
    ['0.2 <= bleu <= 0.5', 'E214@12'],
    ['bleu ≥ 0.3', 'E221@5'],
    ['bleu === 0.3', 'E221@5'],
    ['bleu => 0.3', 'E221@5'],
    ['bleu >= 3 parsecs', 'E220@10'],
    ['bleu >= 3parsecs', 'E104@8'],
    ['bleu >=', 'E220@7'],
    ['(bleu >= 1', 'E220@10'],
    ['', 'E220@0'],
    ['x ' + '+ x '.repeat(400), 'E220@0'],
    ['('.repeat(5000), 'E220@0'],
  ])('%s is refused', (text, expected) => {
    expect(parse(text)).toBe(expected)
  })
})

function value(text: string): unknown {
  const tree = parse(text)
  if (typeof tree === 'string') return tree
  const out: Diagnostic[] = []
  const params = { lr: 2e-4, smoke: false, name: 'zh', r: 8 }
  const scope: ValueScope = {
    params,
    poisoned: new Set(['bad']),
    pipeline: 'demo',
    env: { HOME_DIR: '/x' },
    matrix: { point: { r: 4 }, declared: null, poisoned: false },
    names: null,
  }
  const result = evaluate(tree, scope, out)
  return result === undefined ? out.map((each) => each.code).join() : result
}

describe('values', () => {
  it.each([
    ['params.r * 2', 16],
    ['matrix.r + 1', 5],
    ['matrix.rank', 'E117'],
    ["env('HOME_DIR')", '/x'],
    ["env('NOWHERE', 'there')", 'there'],
    ["env('NOWHERE')", 'E145'],
    ['if(params.smoke, 64, none)', null],
    ['if(params.smoke, 64, 32)', 32],
    ['max(1, params.r, 3)', 8],
    ['mean(1, 2, 6)', 3],
    ['round(2.345, 2)', 2.35],
    ['abs(-3)', 3],
    ['format("dist/{}-r{}", pipeline.name, params.r)', 'dist/demo-r8'],
    ['params.name == "zh"', true],
    ['params.r between 4 and 8', true],
    ['none ?? 3', 3],
    ['30%', 0.3],
    ['params.rate', 'E105'],
    ['constructor', 'E106'],
    ['params.constructor', 'E105'],
    ['params.smoke + 1', 'E107'],
    ['params.name == 1', 'E107'],
    ['1 / (params.r - 8)', 'E108'],
    ['format("{}")', 'E127'],
    ['sqrt(2)', 'E127'],
    ['params.bad', ''],
  ])('%s', (text, expected) => {
    expect(value(text)).toEqual(expected)
  })
})
