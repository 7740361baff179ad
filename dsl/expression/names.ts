/** The names that an expression reads, as they are written: `bleu`, `main.bleu`. */
import type { Expression } from './syntax.ts'

export function namesIn(expression: Expression): readonly string[] {
  return [
    ...new Set(partsIn(expression).flatMap((part) => (part.type === 'name' ? [part.path.join('.')] : []))),
  ]
}

/** The numbers that stand in an expression, in base units. */
export function numbersIn(expression: Expression): readonly number[] {
  return [...new Set(partsIn(expression).flatMap((part) => (part.type === 'number' ? [part.value] : [])))]
}

/** The expression and all that it is made of. */
function partsIn(expression: Expression): readonly Expression[] {
  return [expression, ...childrenOf(expression).flatMap(partsIn)]
}

function childrenOf(expression: Expression): readonly Expression[] {
  switch (expression.type) {
    case 'name':
    case 'number':
    case 'string':
    case 'boolean':
      return []
    case 'call':
      return expression.args
    case 'not':
    case 'negate':
      return [expression.operand]
    case 'logic':
    case 'compare':
    case 'arithmetic':
      return [expression.left, expression.right]
    case 'default':
      return [expression.value, expression.fallback]
    case 'between':
      return [expression.value, expression.low, expression.high]
    case 'missing':
      return [expression.value]
    case 'directed':
      return [expression.value, expression.yardstick, ...(expression.by === null ? [] : [expression.by])]
    case 'significance':
      return [expression.comparison]
  }
}

/**
 * The same question without "with p < …": whether the comparison holds at all. For scores that are made up, where
 * there are no rows to draw from.
 */
export function withoutSignificance(expression: Expression): Expression {
  switch (expression.type) {
    case 'significance':
      return withoutSignificance(expression.comparison)
    case 'not':
      return { ...expression, operand: withoutSignificance(expression.operand) }
    case 'logic':
      return {
        ...expression,
        left: withoutSignificance(expression.left),
        right: withoutSignificance(expression.right),
      }
    case 'arithmetic':
    case 'between':
    case 'boolean':
    case 'call':
    case 'compare':
    case 'default':
    case 'directed':
    case 'missing':
    case 'name':
    case 'negate':
    case 'number':
    case 'string':
      return expression
  }
}
