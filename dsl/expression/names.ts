/** What a check asks for, as texts: `bleu`, `main.bleu`, `worst(bleu by section)`. */
import type { Expression, Name } from './syntax.ts'
import { partsOf } from './syntax.ts'

type Call = Extract<Expression, { type: 'call' }>

/** Functions that read more than numbers; to whoever makes scores up, each call is one number with the call's text. */
const OVER_MORE: readonly string[] = ['worst', 'spread', 'count', 'delta', 'size']

/** The operands that a check needs before it can be computed, in reading order. */
export function operandsOf(expression: Expression): readonly string[] {
  const own = operandText(expression)
  const texts = own === null ? partsOf(expression).flatMap(operandsOf) : [own]
  return [...new Set(texts)]
}

/** The numbers that stand in an expression, in base units. */
export function numbersIn(expression: Expression): readonly number[] {
  const own = expression.type === 'number' ? [expression.value] : partsOf(expression).flatMap(numbersIn)
  return [...new Set(own)]
}

function operandText(expression: Expression): string | null {
  if (expression.type === 'name') return expression.path.join('.')
  return expression.type === 'call' && OVER_MORE.includes(expression.name) ? callText(expression) : null
}

function callText({ span }: Call): string {
  return span.source.text.slice(span.start, span.end).replaceAll(/\s+/g, ' ')
}

/**
 * The same check for scores that somebody made up: what needs rows or slices has become a name to be given, and
 * "with p < …" asks only whether the comparison holds.
 */
export function overOperands(expression: Expression): Expression {
  switch (expression.type) {
    case 'name':
    case 'number':
    case 'string':
    case 'boolean':
      return expression
    case 'significance':
      return overOperands(expression.comparison)
    case 'call':
      return OVER_MORE.includes(expression.name)
        ? asName(expression)
        : { ...expression, args: expression.args.map(overOperands) }
    case 'sliced':
    case 'missing':
      return { ...expression, value: overOperands(expression.value) }
    case 'not':
    case 'negate':
      return { ...expression, operand: overOperands(expression.operand) }
    case 'logic':
    case 'compare':
    case 'arithmetic':
      return { ...expression, left: overOperands(expression.left), right: overOperands(expression.right) }
    case 'default':
      return {
        ...expression,
        value: overOperands(expression.value),
        fallback: overOperands(expression.fallback),
      }
    case 'between':
      return {
        ...expression,
        value: overOperands(expression.value),
        low: overOperands(expression.low),
        high: overOperands(expression.high),
      }
    case 'directed':
      return {
        ...expression,
        value: overOperands(expression.value),
        yardstick: overOperands(expression.yardstick),
        by: expression.by === null ? null : overOperands(expression.by),
      }
  }
}

function asName(call: Call): Name {
  return { type: 'name', path: [callText(call)], parts: [call.span], span: call.span }
}
