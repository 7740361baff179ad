/** The tree of an expression (a check, or a value after `=`), every node with the span it was written at. */
import type { Span } from '../source.ts'

export type Comparator = '<' | '<=' | '>' | '>=' | '==' | '!='
export type Arithmetic = '+' | '-' | '*' | '/'
/** Dimension of a number: plain, seconds or bytes. */
export type Dimension = 'num' | 's' | 'B'

export interface NumberLiteral {
  readonly type: 'number'
  /** In base units: `30%` is 0.3, `2m` is 120, `1KB` is 1000. */
  readonly value: number
  readonly unit: string | null
  readonly dim: Dimension
  readonly span: Span
}

export interface Name {
  readonly type: 'name'
  /** `bleu` is `['bleu']`, `baseline.bleu` is `['baseline', 'bleu']`. */
  readonly path: readonly string[]
  /** One span per part of the path. */
  readonly parts: readonly Span[]
  readonly span: Span
}

export type Expression =
  | NumberLiteral
  | Name
  | { readonly type: 'string'; readonly value: string; readonly span: Span }
  | { readonly type: 'boolean'; readonly value: boolean; readonly span: Span }
  | {
      readonly type: 'call'
      readonly name: string
      readonly nameSpan: Span
      readonly args: readonly Expression[]
      readonly span: Span
    }
  | { readonly type: 'not'; readonly operand: Expression; readonly span: Span }
  | { readonly type: 'negate'; readonly operand: Expression; readonly span: Span }
  | {
      readonly type: 'logic'
      readonly operator: 'and' | 'or'
      readonly left: Expression
      readonly right: Expression
      readonly span: Span
    }
  | {
      readonly type: 'compare'
      readonly operator: Comparator
      readonly operatorSpan: Span
      readonly left: Expression
      readonly right: Expression
      readonly span: Span
    }
  | {
      readonly type: 'arithmetic'
      readonly operator: Arithmetic
      readonly left: Expression
      readonly right: Expression
      readonly span: Span
    }
  | {
      readonly type: 'default'
      readonly value: Expression
      readonly fallback: Expression
      readonly span: Span
    }
  | {
      readonly type: 'between'
      readonly value: Expression
      readonly low: Expression
      readonly high: Expression
      readonly span: Span
    }
  | { readonly type: 'missing'; readonly value: Expression; readonly negated: boolean; readonly span: Span }
  | Sliced
  | DirectedComparison
  | Significance

/** `bleu by section`, only as the argument of a function over slices. */
export interface Sliced {
  readonly type: 'sliced'
  readonly value: Expression
  readonly field: string
  readonly fieldSpan: Span
  readonly span: Span
}

/** `m better than y by d` and `m no worse than y by d`; a `%` margin is relative to the yardstick. */
export interface DirectedComparison {
  readonly type: 'directed'
  readonly relation: 'better' | 'no-worse'
  readonly value: Expression
  /** As written; once typed, a bare namespace has become the same metric there. */
  readonly yardstick: Expression
  readonly by: Expression | null
  /** Which way is better; known once the check is typed. */
  readonly direction: 'higher' | 'lower' | null
  readonly span: Span
}

/** `c with p < 0.05` or `c with 95% confidence`; `alpha` is the accepted chance of error. */
export interface Significance {
  readonly type: 'significance'
  readonly comparison: Expression
  readonly alpha: number
  readonly withSpan: Span
  readonly span: Span
}

/** The expressions inside an expression, in reading order. */
export function partsOf(expression: Expression): readonly Expression[] {
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
    case 'sliced':
      return [expression.value]
    case 'directed':
      return [expression.value, expression.yardstick, ...(expression.by === null ? [] : [expression.by])]
    case 'significance':
      return [expression.comparison]
  }
}

/** Every name that an expression mentions. */
export function namesIn(expression: Expression): readonly Name[] {
  return expression.type === 'name' ? [expression] : partsOf(expression).flatMap(namesIn)
}
