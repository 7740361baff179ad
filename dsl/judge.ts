/** Judges a gate by measured scores, in three-valued logic: what is not known never passes. */
import { applyNumeric, compute, holds } from './expression/evaluate.ts'
import { isRelative } from './expression/check-types.ts'
import type { DirectedComparison, Expression, Name } from './expression/syntax.ts'
import { own } from './own.ts'
import type { Check, Gate } from './pipeline.ts'

export interface ScoreSet {
  /** What the scores mean: rows, split and settings. Scores of different rulers are never compared. */
  readonly ruler: string
  /** Where they come from, as people read it: `eval`, `main@4c2`. */
  readonly origin: string
  readonly values: Readonly<Record<string, number | null>>
}

/** Scores to compare with, or the reason why there are none. */
export type Yardstick = ScoreSet | { readonly missing: string }

export interface Scores {
  readonly judged: ScoreSet
  /** `baseline`, `main`, `last` and other stages, by name. */
  readonly spaces: Readonly<Record<string, Yardstick>>
}

export type Outcome = 'pass' | 'fail' | 'unknown'

export interface Operand {
  readonly text: string
  readonly value: number | boolean | null
  readonly source: string
}

export interface JudgedCheck {
  readonly text: string
  readonly level: 'require' | 'warn'
  readonly name: string | null
  readonly why: string | null
  readonly outcome: Outcome
  readonly operands: readonly Operand[]
  /** By how much a simple comparison holds (positive) or falls short (negative), in the metric's unit. */
  readonly margin: number | null
  /** Why the outcome is unknown. */
  readonly reason: string | null
}

export interface Verdict {
  readonly verdict: 'pass' | 'fail' | 'undecided'
  readonly checks: readonly JudgedCheck[]
}

/**
 * Pure: the same gate and scores give the same verdict. One failed required check fails the gate; else one
 * undecided required check leaves it undecided, as does a gate with nothing required. Warnings never block.
 */
export function judge(gate: Gate, scores: Scores): Verdict {
  const checks = gate.checks.map((check) => judgeCheck(check, scores))
  const required = checks.filter((check) => check.level === 'require')
  const failed = required.some((check) => check.outcome === 'fail')
  const unknown = required.length === 0 || required.some((check) => check.outcome === 'unknown')
  return { verdict: failed ? 'fail' : unknown ? 'undecided' : 'pass', checks }
}

function judgeCheck(check: Check, scores: Scores): JudgedCheck {
  const looked: Operand[] = []
  const result = truth(check.expression, { scores, looked })
  const outcome = result.type === 'unknown' ? 'unknown' : result.value ? 'pass' : 'fail'
  return {
    text: check.text,
    level: check.level,
    name: check.name,
    why: check.why,
    outcome,
    operands: distinct(looked),
    margin: marginOf(check.expression, scores),
    reason: result.type === 'unknown' ? result.reason : null,
  }
}

function distinct(operands: readonly Operand[]): readonly Operand[] {
  return operands.filter((each, i) => operands.findIndex((other) => other.text === each.text) === i)
}

interface Context {
  readonly scores: Scores
  readonly looked: Operand[]
}

type Unknown = { readonly type: 'unknown'; readonly reason: string }
type Known<T> = { readonly type: 'known'; readonly value: T } | Unknown

const known = <T>(value: T): Known<T> => ({ type: 'known', value })
const unknown = (reason: string): Unknown => ({ type: 'unknown', reason })

/** Kleene: `false and unknown` is false, `true or unknown` is true, otherwise the unknown wins. */
function truth(expression: Expression, context: Context): Known<boolean> {
  switch (expression.type) {
    case 'boolean':
      return known(expression.value)
    case 'not': {
      const operand = truth(expression.operand, context)
      return operand.type === 'unknown' ? operand : known(!operand.value)
    }
    case 'logic': {
      const left = truth(expression.left, context)
      const right = truth(expression.right, context)
      const decisive = expression.operator === 'or'
      if (left.type === 'known' && left.value === decisive) return left
      if (right.type === 'known' && right.value === decisive) return right
      if (left.type === 'unknown') return left
      return right
    }
    case 'compare':
      return both(expression.left, expression.right, context, (left, right) =>
        known(holds(expression.operator, left, right)),
      )
    case 'between': {
      const low = both(expression.value, expression.low, context, (a, b) => known(a >= b))
      const high = both(expression.value, expression.high, context, (a, b) => known(a <= b))
      if (low.type === 'known' && !low.value) return low
      if (high.type === 'known' && !high.value) return high
      return low.type === 'unknown' ? low : high
    }
    case 'missing': {
      const missing = number(expression.value, context).type === 'unknown'
      return known(missing !== expression.negated)
    }
    case 'directed': {
      const ends = endsOf(expression, context)
      if (ends.type === 'unknown') return ends
      const { value, limit } = ends.value
      const higher = expression.direction === 'higher'
      if (expression.relation === 'better') return known(higher ? value > limit : value < limit)
      return known(higher ? value >= limit : value <= limit)
    }
    case 'significance':
      return unknown('significance is not supported yet')
    case 'arithmetic':
    case 'call':
    case 'default':
    case 'name':
    case 'negate':
    case 'number':
    case 'string':
      return unknown('this is not something that can be true or false')
  }
}

function both<T>(
  left: Expression,
  right: Expression,
  context: Context,
  join: (left: number, right: number) => Known<T>,
): Known<T> {
  const a = number(left, context)
  const b = number(right, context)
  if (a.type === 'unknown') return a
  if (b.type === 'unknown') return b
  return join(a.value, b.value)
}

function number(expression: Expression, context: Context): Known<number> {
  switch (expression.type) {
    case 'number':
      return known(expression.value)
    case 'name':
      return lookUp(expression, context)
    case 'negate': {
      const operand = number(expression.operand, context)
      return operand.type === 'unknown' ? operand : known(-operand.value)
    }
    case 'arithmetic':
      return both(expression.left, expression.right, context, (left, right) => {
        if (expression.operator === '/' && right === 0) return unknown('division by zero')
        return finite(compute(expression.operator, left, right))
      })
    case 'default': {
      const value = number(expression.value, context)
      return value.type === 'known' ? value : number(expression.fallback, context)
    }
    case 'call': {
      const values: number[] = []
      for (const arg of expression.args) {
        const value = number(arg, context)
        if (value.type === 'unknown') return value
        values.push(value.value)
      }
      const result = applyNumeric(expression.name, values)
      return result === null ? unknown(`${expression.name} cannot be computed`) : finite(result)
    }
    case 'between':
    case 'boolean':
    case 'compare':
    case 'directed':
    case 'logic':
    case 'missing':
    case 'not':
    case 'significance':
    case 'string':
      return unknown('this is not a number')
  }
}

function finite(value: number): Known<number> {
  return Number.isFinite(value) ? known(value) : unknown('the result is not a finite number')
}

function lookUp(name: Name, context: Context): Known<number> {
  const text = name.path.join('.')
  const { judged } = context.scores
  const [first = '', second] = name.path
  const found = second === undefined ? judged : own(context.scores.spaces, first)
  const metric = second ?? first
  if (found === undefined) return miss(context, text, first, `there are no scores for '${first}'`)
  if ('missing' in found) return miss(context, text, first, found.missing)
  const value = own(found.values, metric)
  if (value === undefined || value === null)
    return miss(context, text, found.origin, `${found.origin} has no value for ${metric}`)
  if (!Number.isFinite(value)) {
    context.looked.push({ text, value, source: found.origin })
    return unknown(`${text} is ${Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'}`)
  }
  context.looked.push({ text, value, source: found.origin })
  if (found !== judged && found.ruler !== judged.ruler)
    return unknown(
      `${found.origin} was measured with a different ruler (other rows or settings) than ${judged.origin}`,
    )
  return known(value)
}

function miss(context: Context, text: string, source: string, reason: string): Unknown {
  context.looked.push({ text, value: null, source })
  return unknown(reason)
}

/** What a part of a check comes to, by the rules of the verdict; null if that is not known. */
export function valueOf(expression: Expression, scores: Scores): number | boolean | null {
  const context: Context = { scores, looked: [] }
  const value = number(expression, context)
  if (value.type === 'known') return value.value
  const outcome = truth(expression, context)
  return outcome.type === 'known' ? outcome.value : null
}

/** The value and the limit that it is held against, margin included. */
function endsOf(
  expression: DirectedComparison,
  context: Context,
): Known<{ readonly value: number; readonly limit: number }> {
  if (expression.direction === null) return unknown('it is not known which direction is better')
  return both(expression.value, expression.yardstick, context, (value, yardstick) => {
    const by: Known<number> = expression.by === null ? known(0) : number(expression.by, context)
    if (by.type === 'unknown') return by
    const distance =
      expression.by !== null && isRelative(expression.by) ? Math.abs(yardstick) * by.value : by.value
    const up = (expression.direction === 'higher') === (expression.relation === 'better')
    return known({ value, limit: up ? yardstick + distance : yardstick - distance })
  })
}

function marginOf(expression: Expression, scores: Scores): number | null {
  const context: Context = { scores, looked: [] }
  if (expression.type === 'directed') {
    const ends = endsOf(expression, context)
    if (ends.type === 'unknown') return null
    const distance = ends.value.value - ends.value.limit
    return expression.direction === 'higher' ? distance : -distance
  }
  if (expression.type !== 'compare' || expression.operator === '==' || expression.operator === '!=')
    return null
  const up = expression.operator.startsWith('>')
  const distance = both(expression.left, expression.right, context, (left, right) => known(left - right))
  return distance.type === 'unknown' ? null : up ? distance.value : -distance.value
}
