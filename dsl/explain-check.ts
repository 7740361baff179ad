/** A judged check taken apart: its two sides if it is a plain comparison, else the value under every part of it. */
import { valueOf } from './judge.ts'
import type { JudgedCheck, Scores, Yardstick } from './judge.ts'
import type { Expression } from './expression/syntax.ts'
import type { Check } from './pipeline.ts'

export interface Part {
  /** Where it stands in the check's text. */
  readonly at: number
  readonly value: number | boolean | null
}

export type Explanation =
  /** `0.317 < 0.325`; `limit` is what the value was held against, margin included. */
  | { readonly type: 'sides'; readonly value: number; readonly sign: Sign; readonly limit: number }
  | { readonly type: 'parts'; readonly parts: readonly Part[] }
  /** Only the operands are known. */
  | { readonly type: 'operands' }

export type Sign = '<' | '≤' | '=' | '≠' | '≥' | '>'

/**
 * Computed again from the operands that the verdict holds, so a verdict read from a log can be explained as well. If
 * that does not come out as the verdict did (another ruler, significance), nothing but the operands is claimed.
 */
export function explainCheck(check: Check, judged: JudgedCheck): Explanation {
  const scores = scoresOf(judged)
  const outcome = valueOf(check.expression, scores)
  const known = { pass: true, fail: false, unknown: null }[judged.outcome]
  const simple = known === null ? null : sidesOf(check.expression, judged, scores)
  if (simple !== null) return simple
  if (outcome !== known) return { type: 'operands' }
  const shift = textStart(check)
  if (shift === null || isPlain(check.expression)) return { type: 'operands' }
  const parts = partsOf(check.expression, scores, check, true)
    .map(({ at, value }) => ({ at: at - shift, value }))
    .sort((a, b) => a.at - b.at)
  return { type: 'parts', parts }
}

/** The scores that the operands of a verdict speak of. */
function scoresOf(judged: JudgedCheck): Scores {
  const values: Record<string, number | null> = {}
  const spaces: Record<string, Record<string, number | null>> = {}
  for (const { text, value } of judged.operands) {
    const [first = '', second] = text.split('.')
    const number = typeof value === 'number' ? value : null
    if (second === undefined) values[first] = number
    else spaces[first] = { ...spaces[first], [second]: number }
  }
  const set = (of: Record<string, number | null>) => ({ ruler: '', origin: '', values: of })
  const named = Object.entries(spaces).map(([name, of]): [string, Yardstick] => [name, set(of)])
  return { judged: set(values), spaces: Object.fromEntries(named) }
}

/** One comparison of two numbers, with or without significance. */
function sidesOf(expression: Expression, judged: JudgedCheck, scores: Scores): Explanation | null {
  if (expression.type === 'significance') return sidesOf(expression.comparison, judged, scores)
  if (expression.type === 'directed') {
    const value = valueOf(expression.value, scores)
    if (typeof value !== 'number' || judged.margin === null) return null
    const limit = expression.direction === 'higher' ? value - judged.margin : value + judged.margin
    const up = expression.direction === 'higher'
    const operator = expression.relation === 'better' ? (up ? '>' : '<') : up ? '>=' : '<='
    return { type: 'sides', value, sign: signOf(operator, value, limit), limit }
  }
  if (expression.type !== 'compare') return null
  const value = valueOf(expression.left, scores)
  const limit = valueOf(expression.right, scores)
  if (typeof value !== 'number' || typeof limit !== 'number') return null
  return { type: 'sides', value, sign: signOf(expression.operator, value, limit), limit }
}

/** The sign that was asked for where it holds, else the one that is true. */
function signOf(operator: '<' | '<=' | '>' | '>=' | '==' | '!=', left: number, right: number): Sign {
  switch (operator) {
    case '<':
      return left < right ? '<' : '≥'
    case '<=':
      return left <= right ? '≤' : '>'
    case '>':
      return left > right ? '>' : '≤'
    case '>=':
      return left >= right ? '≥' : '<'
    case '==':
    case '!=':
      return left === right ? '=' : '≠'
  }
}

/** Nothing would be drawn but what the list of operands says as well. */
function isPlain(expression: Expression): boolean {
  return expression.type === 'missing' && expression.value.type === 'name'
}

/** Offset in the file of the first character of the check's text, if it stands there letter by letter. */
function textStart({ span, text }: Check): number | null {
  const written = span.source.text.slice(span.start, span.end)
  const at = written.indexOf(text)
  return at === -1 ? null : span.start + at
}

function partsOf(expression: Expression, scores: Scores, check: Check, top: boolean): readonly Part[] {
  const inner = (...children: readonly Expression[]) =>
    children.flatMap((child) => partsOf(child, scores, check, false))
  // The whole check's value is its mark.
  const own = (at: number): readonly Part[] => (top ? [] : [{ at, value: valueOf(expression, scores) }])
  const after = (left: Expression) => {
    const gap = /^[\s)]*/.exec(check.span.source.text.slice(left.span.end))?.[0] ?? ''
    return left.span.end + gap.length
  }
  switch (expression.type) {
    case 'number':
    case 'string':
    case 'boolean':
      return []
    case 'name':
      return [{ at: expression.span.start, value: valueOf(expression, scores) }]
    case 'call':
      return [...own(expression.nameSpan.start), ...inner(...expression.args)]
    case 'sliced':
      return []
    case 'not':
    case 'negate':
      return [...own(expression.span.start), ...inner(expression.operand)]
    case 'compare':
      return [...own(expression.operatorSpan.start), ...inner(expression.left, expression.right)]
    case 'logic':
    case 'arithmetic':
      return [...own(after(expression.left)), ...inner(expression.left, expression.right)]
    case 'default':
      return [...own(after(expression.value)), ...inner(expression.value, expression.fallback)]
    case 'between':
      return [...own(after(expression.value)), ...inner(expression.value, expression.low, expression.high)]
    case 'missing':
      return [...own(after(expression.value)), ...inner(expression.value)]
    case 'directed': {
      const by = expression.by === null ? [] : [expression.by]
      return [...own(after(expression.value)), ...inner(expression.value, expression.yardstick, ...by)]
    }
    case 'significance':
      return [...own(expression.withSpan.start), ...inner(expression.comparison)]
  }
}
