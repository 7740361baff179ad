/** Judges a gate by measured scores, in three-valued logic: what is not known never passes. */
import { applyNumeric, compute, holds } from './expression/evaluate.ts'
import { isRelative } from './expression/check-types.ts'
import { namesIn } from './expression/syntax.ts'
import type { DirectedComparison, Expression, Name, Significance, Sliced } from './expression/syntax.ts'
import { own } from './own.ts'
import type { Check, Gate } from './pipeline.ts'

type Call = Extract<Expression, { type: 'call' }>

export interface ScoreSet {
  /**
   * What the scores mean: rows, split and settings. Scores of different rulers are never compared. Null for facts,
   * such as the number of rows, which are not measured with one.
   */
  readonly ruler: string | null
  /** Where they come from, as people read it: `eval`, `main@4c2`. */
  readonly origin: string
  readonly values: Readonly<Record<string, number | null>>
  /** Metric -> number of rows that it was measured on. */
  readonly counts?: Readonly<Record<string, number>>
  readonly slices?: Slices
  /** Content of the artifact that holds the rows behind them, for scores that were not measured in this run. */
  readonly artifact?: string
}

/** Row field -> its value -> the metrics of the rows with that value. */
export type Slices = Readonly<
  Record<
    string,
    Readonly<
      Record<string, { readonly rows: number; readonly values: Readonly<Record<string, number | null>> }>
    >
  >
>

/** Scores to compare with, or the reason why there are none. */
export type Yardstick = ScoreSet | { readonly missing: string }

export interface Scores {
  readonly judged: ScoreSet
  /** `baseline`, `main`, `last` and other stages, by name. */
  readonly spaces: Readonly<Record<string, Yardstick>>
  /** Bytes of the judged stage's inputs. */
  readonly sizes?: Readonly<Record<string, number>>
  /**
   * Draws the rows again and again and measures the named metrics (`bleu`, `baseline.bleu`) on each draw. Names whose
   * space has no scores are left out of the result.
   */
  readonly resample?: (names: readonly string[]) => Resamples | { readonly missing: string }
}

export interface Resamples {
  /** Rows of the test set, matched by id. */
  readonly rows: number
  /** Name -> its value on each draw; the same draws for all. */
  readonly values: Readonly<Record<string, Float64Array>>
}

export type UndecidedCode = 'E207' | 'E208'

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
  /** What `sluice explain` knows of that: E207, or E208 where a value is no finite number. Old logs lack it. */
  readonly code?: UndecidedCode | null
  /** Of a check with a `with` part. */
  readonly significance: SignificanceResult | null
  readonly budget: boolean
}

export interface SignificanceResult {
  /** (1 + draws in which the comparison is false) / (draws + 1); one-sided. */
  readonly p: number
  readonly alpha: number
  readonly rows: number
  readonly draws: number
  /** The smallest difference that these rows could have shown: 1.645 standard deviations of the drawn difference. */
  readonly detectable: number | null
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
  const checks = gate.checks.map((check) => judgeCheck(check, gate, scores))
  const required = checks.filter((check) => check.level === 'require')
  const failed = required.some((check) => check.outcome === 'fail')
  const unknown = required.length === 0 || required.some((check) => check.outcome === 'unknown')
  return { verdict: failed ? 'fail' : unknown ? 'undecided' : 'pass', checks }
}

function judgeCheck(check: Check, gate: Gate, scores: Scores): JudgedCheck {
  const context = newContext(scores, gate.metrics)
  const result = truth(check.expression, context)
  const outcome = result.type === 'unknown' ? 'unknown' : result.value ? 'pass' : 'fail'
  return {
    text: check.text,
    level: check.level,
    name: check.name,
    why: check.why,
    outcome,
    operands: distinct(context.looked),
    margin: marginOf(check.expression, context),
    reason: result.type === 'unknown' ? result.reason : null,
    code: result.type === 'unknown' ? (result.code ?? 'E207') : null,
    significance: context.tests[0] ?? null,
    budget: check.budget,
  }
}

/** One check by itself, as `watch:` and `select` need it; null where it is not known. */
export function decide(
  expression: Expression,
  scores: Scores,
  metrics: Directions,
): { readonly value: boolean | null; readonly operands: readonly Operand[] } {
  const context = newContext(scores, metrics)
  const result = truth(expression, context)
  return {
    value: result.type === 'known' ? result.value : null,
    operands: distinct(context.looked),
  }
}

function distinct(operands: readonly Operand[]): readonly Operand[] {
  return operands.filter((each, i) => operands.findIndex((other) => other.text === each.text) === i)
}

/** Metric -> which way is better. */
export type Directions = Readonly<Record<string, { readonly direction: 'higher' | 'lower' }>>

interface Context {
  readonly scores: Scores
  readonly metrics: Directions
  readonly looked: Operand[]
  readonly tests: SignificanceResult[]
  /** While rows are drawn again: the values of one draw stand for the measured ones. */
  readonly draw: { readonly values: Resamples['values']; readonly at: number } | null
}

function newContext(scores: Scores, metrics: Directions): Context {
  return { scores, metrics, looked: [], tests: [], draw: null }
}

type Unknown = { readonly type: 'unknown'; readonly reason: string; readonly code?: UndecidedCode }
type Known<T> = { readonly type: 'known'; readonly value: T } | Unknown

const known = <T>(value: T): Known<T> => ({ type: 'known', value })
const unknown = (reason: string): Unknown => ({ type: 'unknown', reason })
const noNumber = (reason: string): Unknown => ({ type: 'unknown', reason, code: 'E208' })

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
      return significance(expression, context)
    case 'arithmetic':
    case 'call':
    case 'default':
    case 'name':
    case 'negate':
    case 'number':
    case 'sliced':
    case 'string':
      return unknown('this is not something that can be true or false')
  }
}

/** Holds if it holds on nearly all draws of the rows; what is not known on the rows themselves stays unknown. */
function significance(expression: Significance, context: Context): Known<boolean> {
  const { comparison, alpha } = expression
  const measured = truth(comparison, context)
  if (measured.type === 'unknown') return measured
  const names = [...new Set(namesIn(comparison).map((name) => name.path.join('.')))]
  const drawn = context.scores.resample?.(names) ?? { missing: 'the values of single rows are not here' }
  if ('missing' in drawn) return unknown(drawn.missing)
  const draws = drawn.values[names[0] ?? '']?.length ?? 0
  if (draws === 0) return unknown('there are no rows to draw')
  const differences: number[] = []
  let notSo = 0
  for (let at = 0; at < draws; at++) {
    const one: Context = { ...context, looked: [], tests: [], draw: { values: drawn.values, at } }
    const holds = truth(comparison, one)
    if (holds.type === 'unknown' || !holds.value) notSo++
    const difference = marginOf(comparison, one)
    if (difference !== null) differences.push(difference)
  }
  const p = (1 + notSo) / (draws + 1)
  const spread = differences.length === draws ? standardDeviation(differences) : null
  const detectable = spread === null ? null : ONE_SIDED_95 * spread
  context.tests.push({ p, alpha, rows: drawn.rows, draws, detectable })
  return known(p < alpha)
}

/** The 95 % point of the normal distribution. */
const ONE_SIDED_95 = 1.645

function standardDeviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
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
        if (expression.operator === '/' && right === 0) return noNumber('division by zero')
        return finite(compute(expression.operator, left, right))
      })
    case 'default': {
      const value = number(expression.value, context)
      return value.type === 'known' ? value : number(expression.fallback, context)
    }
    case 'call': {
      const special = overSlices(expression, context)
      if (special !== null) return special
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
    case 'sliced':
    case 'string':
      return unknown('this is not a number')
  }
}

/** `worst spread count delta size`; null for the functions over plain numbers. */
function overSlices(call: Call, context: Context): Known<number> | null {
  const [first, second] = call.args
  if (call.name === 'size') {
    const port = first?.type === 'name' ? (first.path[0] ?? '') : ''
    const bytes = own(context.scores.sizes ?? {}, port)
    if (bytes === undefined) return miss(context, `size(${port})`, port, `the size of ${port} is not known`)
    context.looked.push({ text: `size(${port})`, value: bytes, source: port })
    return known(bytes)
  }
  if (call.name === 'delta' && first?.type === 'name' && second?.type === 'name') {
    const metric = first.path.at(-1) ?? ''
    const there: Name =
      second.path.length === 1 && own(context.metrics, second.path[0] ?? '') === undefined
        ? { ...second, path: [second.path[0] ?? '', metric] }
        : second
    return both(first, there, context, (a, b) => known(a - b))
  }
  if (call.name === 'count' && first?.type === 'name') {
    const space = spaceOf(first, context)
    if ('missing' in space) return miss(context, `count(${first.path.join('.')})`, '', space.missing)
    const rows = own(space.counts ?? {}, first.path.at(-1) ?? '')
    return rows === undefined ? unknown(`${space.origin} does not say on how many rows`) : known(rows)
  }
  if (first?.type !== 'sliced' || first.value.type !== 'name') return null
  return ofSlices(call.name, first, first.value, context)
}

function ofSlices(what: string, sliced: Sliced, name: Name, context: Context): Known<number> {
  const space = spaceOf(name, context)
  if ('missing' in space) return miss(context, name.path.join('.'), '', space.missing)
  const metric = name.path.at(-1) ?? ''
  const slices = Object.entries(own(space.slices ?? {}, sliced.field) ?? {})
  const text = `${name.path.join('.')} by ${sliced.field}`
  if (slices.length === 0)
    return miss(context, text, space.origin, `${space.origin} has no slices by ${sliced.field}`)
  if (what === 'count') return known(slices.length)
  const values: (readonly [string, number])[] = []
  for (const [slice, { values: measured }] of slices) {
    const value = own(measured, metric) ?? null
    if (value === null || !Number.isFinite(value))
      return miss(
        context,
        `${metric}[${slice}]`,
        space.origin,
        `${metric} of the slice ${slice} is not a number`,
      )
    values.push([slice, value])
  }
  const sorted = values.sort((a, b) => a[1] - b[1])
  const [low, high] = [sorted[0], sorted.at(-1)]
  if (low === undefined || high === undefined) return unknown('there are no slices')
  const worst = own(context.metrics, metric)?.direction === 'lower' ? high : low
  for (const [slice, value] of what === 'spread' ? [low, high] : [worst])
    context.looked.push({ text: `${metric}[${slice}]`, value, source: space.origin })
  return known(what === 'spread' ? high[1] - low[1] : worst[1])
}

/** The scores that a name belongs to. */
function spaceOf(name: Name, context: Context): Yardstick {
  const [first = '', second] = name.path
  if (second === undefined) return context.scores.judged
  return own(context.scores.spaces, first) ?? { missing: `there are no scores for '${first}'` }
}

function finite(value: number): Known<number> {
  return Number.isFinite(value) ? known(value) : noNumber('the result is not a finite number')
}

function lookUp(name: Name, context: Context): Known<number> {
  const text = name.path.join('.')
  const drawn = context.draw === null ? undefined : own(context.draw.values, text)?.[context.draw.at]
  if (drawn !== undefined) return finite(drawn)
  const { judged } = context.scores
  const [first = '', second] = name.path
  const found = spaceOf(name, context)
  const metric = second ?? first
  if ('missing' in found) return miss(context, text, first, found.missing)
  const value = own(found.values, metric)
  if (value === undefined)
    return miss(context, text, found.origin, `${found.origin} has no value for ${metric}`)
  if (value === null) {
    // JSON has no word for NaN and Infinity, so what was measured as one of them comes as null.
    context.looked.push({ text, value, source: found.origin })
    return noNumber(`${text} is not a finite number`)
  }
  context.looked.push({ text, value, source: found.origin })
  if (!Number.isFinite(value))
    return noNumber(`${text} is ${Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'}`)
  if (found.ruler !== judged.ruler && isSameQuantity(found, judged))
    return unknown(
      `${found.origin} was measured with a different ruler (other rows or settings) than ${judged.origin}`,
    )
  return known(value)
}

/** People's ratings beside BLEU are no comparison, so their rulers need not agree. */
function isSameQuantity(found: ScoreSet, judged: ScoreSet): boolean {
  if (found.ruler === null || judged.ruler === null) return false
  return Object.keys(found.values).some((name) => own(judged.values, name) !== undefined)
}

function miss(context: Context, text: string, source: string, reason: string): Unknown {
  context.looked.push({ text, value: null, source })
  return unknown(reason)
}

/** What a part of a check comes to, by the rules of the verdict; null if that is not known. */
export function valueOf(expression: Expression, scores: Scores): number | boolean | null {
  const context = newContext(scores, {})
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

function marginOf(expression: Expression, around: Context): number | null {
  const context: Context = { ...around, looked: [], tests: [] }
  if (expression.type === 'significance') return marginOf(expression.comparison, context)
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
