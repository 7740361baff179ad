/** Types a check before anything runs: names, units, truth values, and whether it can pass and can fail at all. */
import { METRIC_ALIASES } from '../aliases.ts'
import type { Diagnostic } from '../diagnostic.ts'
import { own } from '../own.ts'
import * as more from '../problems/checks-more.ts'
import * as checkProblems from '../problems/checks.ts'
import * as expressionProblems from '../problems/expression.ts'
import { A, DIMENSIONS } from '../problems/nouns.ts'
import { words } from '../problems/problem.ts'
import type { Span } from '../source.ts'
import { didYouMean } from '../spelling.ts'
import type { MetricSchema } from '../stage-signature.ts'
import { NUMERIC_FORMS } from './evaluate.ts'
import { namesIn, partsOf } from './syntax.ts'
import type {
  Comparator,
  Dimension,
  DirectedComparison,
  Expression,
  Name,
  Significance,
  Sliced,
} from './syntax.ts'

export type Metrics = Readonly<Record<string, MetricSchema>>

export interface Space {
  readonly metrics: Metrics
  /** The stage that measures these, for messages. */
  readonly stage: string
}

export interface CheckScope {
  readonly judged: Space
  /** `baseline` (if one is named), `main`, `last`, and every stage that measures something. */
  readonly spaces: Readonly<Record<string, Space>>
  /** Every metric that the judged kind can measure. */
  readonly measurable: Metrics
  /** Where the judged stage says what it measures. */
  readonly measuredAt: Span | null
  /** Row fields by which the judged stage slices its metrics. */
  readonly slices: readonly string[]
  /** Inputs of the judged stage, whose size can be asked for. */
  readonly ports: readonly string[]
}

/** Functions over the slices of a metric, and over other things than numbers, with the form they are used in. */
export const CHECK_FORMS: Readonly<Record<string, string>> = {
  worst: 'worst(bleu by section)',
  spread: 'spread(bleu by section)',
  count: 'count(bleu) or count(bleu by section)',
  delta: 'delta(bleu, baseline)',
  size: 'size(adapter)',
}
/** Above this chance of error a test says nothing. */
const LARGEST_ALPHA = 0.5

type Call = Extract<Expression, { type: 'call' }>
type Type =
  | { readonly type: 'number'; readonly dim: Dimension; readonly low: number; readonly high: number }
  | { readonly type: 'truth' }
  | { readonly type: 'text' }

const OTHER_SIDE = words('the other side', '另一边')

/**
 * Checks one check and returns it with yardsticks spelled out and directions filled in.
 * Null after a mistake; exactly one error is pushed then, and warnings may be. `wanted` is false for a check that is
 * hoped not to hold, as in `stop:`.
 */
export function checkTypes(
  expression: Expression,
  scope: CheckScope,
  out: Diagnostic[],
  wanted = true,
): Expression | null {
  try {
    const warnings: Diagnostic[] = []
    const typed = new Typing(scope, warnings)
    const result = typed.truth(expression, wanted)
    out.push(...warnings)
    return result
  } catch (thrown) {
    if (!(thrown instanceof Mistake)) throw thrown
    out.push(thrown.problem)
    return null
  }
}

/** Leaves the check at its first mistake; never seen outside this file. */
class Mistake extends Error {
  readonly problem: Diagnostic
  constructor(problem: Diagnostic) {
    super(problem.message.en)
    this.problem = problem
  }
}

class Typing {
  private readonly scope: CheckScope
  private readonly warnings: Diagnostic[]

  constructor(scope: CheckScope, warnings: Diagnostic[]) {
    this.scope = scope
    this.warnings = warnings
  }

  /** `positive` is false under an odd number of `not`, where directions turn round. */
  truth(expression: Expression, positive: boolean): Expression {
    switch (expression.type) {
      case 'logic':
        return {
          ...expression,
          left: this.truth(expression.left, positive),
          right: this.truth(expression.right, positive),
        }
      case 'not':
        return { ...expression, operand: this.truth(expression.operand, !positive) }
      case 'compare':
        this.comparison(expression, positive)
        return expression
      case 'between': {
        const value = this.number(expression.value)
        const low = this.number(expression.low)
        const high = this.number(expression.high)
        this.sameDim(value, low, expression.low)
        this.sameDim(value, high, expression.high)
        if (value.high < low.low || value.low > high.high || low.low > high.high)
          throw new Mistake(this.never(expression.span, expression.value, value, false))
        if (value.low >= low.high && value.high <= high.low)
          this.warnings.push(this.always(expression.span, expression.value, value))
        return expression
      }
      case 'missing':
        this.number(expression.value)
        return expression
      case 'directed':
        return this.directed(expression)
      case 'significance':
        return this.significance(expression, positive)
      case 'sliced':
        throw new Mistake(more.sliceOutside(expression.span))
      case 'boolean':
        throw new Mistake(checkProblems.constantCheck(expression.span, expression.value))
      case 'arithmetic':
      case 'call':
      case 'default':
      case 'name':
      case 'negate':
      case 'number':
      case 'string': {
        const type = this.any(expression)
        const what = type.type === 'text' ? A.text : A.number
        const name = expression.type === 'name' ? expression.path.join('.') : null
        throw new Mistake(checkProblems.notACheck(expression.span, what, name))
      }
    }
  }

  private number(expression: Expression): Extract<Type, { type: 'number' }> {
    const type = this.any(expression)
    if (type.type === 'number') return type
    throw new Mistake(
      expressionProblems.wrongOperand(expression.span, A.number, type.type === 'text' ? A.text : A.truth),
    )
  }

  private any(expression: Expression): Type {
    switch (expression.type) {
      case 'number':
        return { type: 'number', dim: expression.dim, low: expression.value, high: expression.value }
      case 'string':
        return { type: 'text' }
      case 'name':
        return rangeOf(this.metric(expression))
      case 'negate': {
        const { dim, low, high } = this.number(expression.operand)
        return { type: 'number', dim, low: -high, high: -low }
      }
      case 'arithmetic':
        return this.arithmetic(expression)
      case 'default': {
        const value = this.number(expression.value)
        const fallback = this.number(expression.fallback)
        this.sameDim(value, fallback, expression.fallback)
        return { ...value, low: Math.min(value.low, fallback.low), high: Math.max(value.high, fallback.high) }
      }
      case 'sliced':
        throw new Mistake(more.sliceOutside(expression.span))
      case 'call': {
        if (own(CHECK_FORMS, expression.name) !== undefined) return this.checkCall(expression)
        const form = own(NUMERIC_FORMS, expression.name)
        const names = [...Object.keys(NUMERIC_FORMS), ...Object.keys(CHECK_FORMS)]
        if (form === undefined)
          throw new Mistake(
            expressionProblems.unknownFunction(
              expression.nameSpan,
              expression.name,
              didYouMean(expression.name, names),
              names,
            ),
          )
        return this.call(expression, form)
      }
      case 'between':
      case 'boolean':
      case 'compare':
      case 'directed':
      case 'logic':
      case 'missing':
      case 'not':
      case 'significance':
        this.truth(expression, true)
        return { type: 'truth' }
    }
  }

  private checkCall(expression: Call): Type {
    const { name, args, span } = expression
    const [first, second] = args
    const wrong = () =>
      new Mistake(expressionProblems.wrongArguments(span, name, CHECK_FORMS[name] ?? name, args.length))
    if (first === undefined || args.length > (name === 'delta' ? 2 : 1)) throw wrong()
    if (name === 'size') return this.size(first)
    if (name === 'delta') {
      if (first.type !== 'name' || second?.type !== 'name') throw wrong()
      const value = this.number(first)
      const yardstick = this.yardstick(second, first.path.at(-1) ?? '')
      const other = this.number(yardstick)
      return { ...value, low: value.low - other.high, high: value.high - other.low }
    }
    if (name === 'count' && first.type === 'name') {
      this.metric(first)
      return { type: 'number', dim: 'num', low: 0, high: Infinity }
    }
    if (first.type !== 'sliced') throw new Mistake(more.notASlice(first.span, name))
    const { low, high, dim } = this.slice(first)
    if (name === 'count') return { type: 'number', dim: 'num', low: 0, high: Infinity }
    return name === 'spread'
      ? { type: 'number', dim, low: 0, high: high - low }
      : { type: 'number', dim, low, high }
  }

  /** The range of a metric in one slice. */
  private slice(expression: Sliced): Extract<Type, { type: 'number' }> {
    if (expression.value.type !== 'name') throw new Mistake(more.notASlice(expression.span, 'worst'))
    const range = rangeOf(this.metric(expression.value))
    const { slices } = this.scope
    if (!slices.includes(expression.field)) {
      const near = didYouMean(expression.field, slices)
      const { stage } = this.scope.judged
      throw new Mistake(more.unknownSlice(expression.fieldSpan, expression.field, stage, near, slices))
    }
    return range
  }

  private size(port: Expression): Type {
    const { ports } = this.scope
    if (port.type !== 'name' || port.path.length !== 1 || !ports.includes(port.path[0] ?? ''))
      throw new Mistake(more.sizeOfWhat(port.span, ports))
    return { type: 'number', dim: 'B', low: 0, high: Infinity }
  }

  private significance(expression: Significance, positive: boolean): Expression {
    const { comparison, alpha, withSpan } = expression
    if (comparison.type !== 'compare' && comparison.type !== 'directed' && comparison.type !== 'between')
      throw new Mistake(more.significanceOfWhat(withSpan))
    if (!(alpha > 0 && alpha <= LARGEST_ALPHA)) throw new Mistake(more.badAlpha(withSpan))
    const typed = this.truth(comparison, positive)
    const able = Object.entries(this.scope.judged.metrics).flatMap(([name, { perExample }]) =>
      perExample ? [name] : [],
    )
    const call = callIn(typed)
    if (call !== null) throw new Mistake(more.noSignificance(withSpan, call.name, able))
    for (const name of namesIn(typed))
      if (!this.metric(name).perExample)
        throw new Mistake(more.noSignificance(withSpan, name.path.join('.'), able))
    return { ...expression, comparison: typed }
  }

  private call(expression: Call, form: string): Type {
    const types = expression.args.map((each) => this.number(each))
    const [first, second] = types
    const most = expression.name === 'abs' ? 1 : expression.name === 'round' ? 2 : Infinity
    if (first === undefined || types.length > most)
      throw new Mistake(
        expressionProblems.wrongArguments(expression.span, expression.name, form, types.length),
      )
    if (expression.name === 'round') {
      const step = second === undefined ? 1 : Infinity
      return { ...first, low: first.low - step, high: first.high + step }
    }
    if (expression.name === 'abs') {
      const inside = first.low <= 0 && first.high >= 0
      const ends = [Math.abs(first.low), Math.abs(first.high)]
      return { ...first, low: inside ? 0 : Math.min(...ends), high: Math.max(...ends) }
    }
    types.forEach((each, i) => this.sameDim(first, each, expression.args[i] ?? expression))
    const lows = types.map((each) => each.low)
    const highs = types.map((each) => each.high)
    if (expression.name === 'min') return { ...first, low: Math.min(...lows), high: Math.min(...highs) }
    if (expression.name === 'max') return { ...first, low: Math.max(...lows), high: Math.max(...highs) }
    return { ...first, low: Math.min(...lows), high: Math.max(...highs) }
  }

  private arithmetic(expression: Extract<Expression, { type: 'arithmetic' }>): Type {
    const left = this.number(expression.left)
    const right = this.number(expression.right)
    if (expression.operator === '+' || expression.operator === '-') {
      this.sameDim(left, right, expression.right)
      const minus = expression.operator === '-'
      return {
        ...left,
        low: left.low + (minus ? -right.high : right.low),
        high: left.high + (minus ? -right.low : right.high),
      }
    }
    const dim = this.productDim(expression, left.dim, right.dim)
    if (expression.operator === '/' && right.low <= 0 && right.high >= 0)
      return { type: 'number', dim, low: -Infinity, high: Infinity }
    const ends = [left.low, left.high].flatMap((a) =>
      [right.low, right.high].map((b) => (expression.operator === '*' ? times(a, b) : over(a, b))),
    )
    return { type: 'number', dim, low: Math.min(...ends), high: Math.max(...ends) }
  }

  private productDim(
    expression: Extract<Expression, { type: 'arithmetic' }>,
    left: Dimension,
    right: Dimension,
  ): Dimension {
    if (right === 'num') return left
    if (left === 'num' && expression.operator === '*') return right
    if (left === right && expression.operator === '/') return 'num'
    throw mismatch(left, right, expression.right.span)
  }

  private sameDim(
    left: { readonly dim: Dimension },
    right: { readonly dim: Dimension },
    at: Expression,
  ): void {
    if (left.dim !== right.dim) throw mismatch(left.dim, right.dim, at.span)
  }

  private comparison(expression: Extract<Expression, { type: 'compare' }>, positive: boolean): void {
    const left = this.number(expression.left)
    const right = this.number(expression.right)
    this.sameDim(left, right, expression.right)
    const [possible, certain] = outlook(expression.operator, left, right)
    const constantRight = right.low === right.high
    const at = constantRight ? expression.right : expression.left
    const subject = constantRight ? expression.left : expression.right
    const range = constantRight ? left : right
    const same = expression.left.type === 'name' && sameName(expression.left, expression.right)
    if (same) throw new Mistake(checkProblems.selfComparison(expression.span))
    if (!possible) {
      const literal = at.type === 'number' && at.unit === null ? at.value : null
      throw new Mistake(
        this.never(at.span, subject, range, literal !== null && literal > 1 && range.high === 1, literal),
      )
    }
    if (certain) this.warnings.push(this.always(at.span, subject, range))
    else this.direction(expression, positive)
  }

  private never(
    span: Span,
    subject: Expression,
    range: { low: number; high: number },
    percent: boolean,
    literal: number | null = null,
  ): Diagnostic {
    const name = subject.type === 'name' ? subject.path.join('.') : OTHER_SIDE
    return checkProblems.neverTrue(span, name, range.low, range.high, percent ? literal : null)
  }

  private always(span: Span, subject: Expression, range: { low: number; high: number }): Diagnostic {
    const name = subject.type === 'name' ? subject.path.join('.') : OTHER_SIDE
    return checkProblems.alwaysTrue(span, name, range.low, range.high)
  }

  /** Only a judged metric alone on a side has an unmistakable direction. */
  private direction(expression: Extract<Expression, { type: 'compare' }>, positive: boolean): void {
    if (expression.operator === '==' || expression.operator === '!=') return
    const bare = (each: Expression): Name | null =>
      each.type === 'name' && each.path.length === 1 ? each : null
    const left = bare(expression.left)
    const right = bare(expression.right)
    const subject = left ?? right
    if (subject === null || (left !== null && right !== null)) return
    const metric = this.metric(subject)
    const largePasses = (expression.operator.startsWith('>') === (left !== null)) === positive
    if (largePasses === (metric.direction === 'higher')) return
    const name = subject.path.join('.')
    const limit = textOf(left === null ? expression.left : expression.right)
    const operator = metric.direction === 'higher' ? '>=' : '<='
    this.warnings.push(
      checkProblems.wrongDirection(
        expression.operatorSpan,
        name,
        metric.direction,
        `${name} ${operator} ${limit}`,
      ),
    )
  }

  private directed(expression: DirectedComparison): Expression {
    const { value, relation } = expression
    const relationText = relation === 'better' ? 'better than' : 'no worse than'
    if (value.type !== 'name')
      throw new Mistake(checkProblems.directionOfExpression(value.span, relationText))
    const metric = this.metric(value)
    const last = value.path.at(-1) ?? ''
    const yardstick = this.yardstick(expression.yardstick, last)
    if (sameName(value, yardstick)) throw new Mistake(checkProblems.selfComparison(expression.span))
    const left = rangeOf(metric)
    const right = this.number(yardstick)
    this.sameDim(left, right, yardstick)
    let margin = { low: 0, high: 0 }
    if (expression.by !== null) {
      const by = this.number(expression.by)
      const relative = isRelative(expression.by)
      if (!relative) this.sameDim(left, by, expression.by)
      if (by.high < 0) throw new Mistake(checkProblems.negativeMargin(expression.by.span))
      const reach = Math.max(Math.abs(right.low), Math.abs(right.high))
      const least =
        right.low <= 0 && right.high >= 0 ? 0 : Math.min(Math.abs(right.low), Math.abs(right.high))
      margin = relative ? { low: times(by.low, least), high: times(by.high, reach) } : by
    }
    this.reachable(expression, left, right, margin, metric.direction, last)
    return { ...expression, yardstick, direction: metric.direction }
  }

  /** A margin of 1.5 on a metric that ends at 1 is the same mistake as `>= 30`. */
  private reachable(
    expression: DirectedComparison,
    left: { low: number; high: number },
    right: { low: number; high: number },
    margin: { low: number; high: number },
    direction: 'higher' | 'lower',
    name: string,
  ): void {
    const higher = direction === 'higher'
    const better = expression.relation === 'better'
    const sign = better === higher ? 1 : -1
    const limit =
      sign === 1
        ? { low: right.low + margin.low, high: right.high + margin.high }
        : { low: right.low - margin.high, high: right.high - margin.low }
    const operator: Comparator = higher ? (better ? '>' : '>=') : better ? '<' : '<='
    if (expression.by !== null && isRelative(expression.by)) return
    const [possible, certain] = outlook(operator, left, limit)
    const at = expression.by ?? expression.yardstick
    if (!possible) throw new Mistake(checkProblems.neverTrue(at.span, name, left.low, left.high, null))
    if (certain) this.warnings.push(checkProblems.alwaysTrue(at.span, name, left.low, left.high))
  }

  /** A bare namespace (`main`, `baseline`, a stage) means the same metric there. */
  private yardstick(expression: Expression, metric: string): Expression {
    if (expression.type === 'default')
      return { ...expression, value: this.yardstick(expression.value, metric) }
    if (expression.type !== 'name' || expression.path.length !== 1) return expression
    const name = expression.path[0] ?? ''
    const space = own(this.scope.spaces, name)
    if (space === undefined) {
      if (own(this.scope.judged.metrics, name) !== undefined) return expression
      throw new Mistake(this.unknownSpace(expression, name))
    }
    const span = expression.span
    const parts: Span[] = [span, span]
    const full: Name = { type: 'name', path: [name, metric], parts, span }
    this.metric(full)
    return full
  }

  private unknownSpace(expression: Name, name: string): Diagnostic {
    const span = expression.parts[0] ?? expression.span
    if (name === 'baseline') return checkProblems.noBaseline(span)
    const names = Object.keys(this.scope.spaces)
    return checkProblems.unknownSpace(span, name, didYouMean(name, names), names)
  }

  private metric(name: Name): MetricSchema {
    const [first = '', second] = name.path
    if (name.path.length > 2 || (name.path.length === 2 && own(this.scope.spaces, first) === undefined))
      throw new Mistake(this.unknownSpace(name, first))
    const space = second === undefined ? this.scope.judged : own(this.scope.spaces, first)
    const word = second ?? first
    const known = space === undefined ? undefined : own(space.metrics, word)
    if (known !== undefined) return known
    const span = name.parts[second === undefined ? 0 : 1] ?? name.span
    if (second === undefined && own(this.scope.spaces, word) !== undefined)
      throw new Mistake(
        checkProblems.spaceAsMetric(span, word, Object.keys(this.scope.judged.metrics)[0] ?? 'bleu'),
      )
    const stage = space?.stage ?? this.scope.judged.stage
    const names = Object.keys(space?.metrics ?? {})
    const minus = /^(.+?)-(.+)$/.exec(word)
    const subtraction = minus !== null && names.includes(minus[1] ?? '') ? `${minus[1]} - ${minus[2]}` : null
    const alias = own(METRIC_ALIASES, word)
    const near = alias !== undefined && names.includes(alias.ours) ? alias.ours : didYouMean(word, names)
    throw new Mistake(
      checkProblems.unknownMetric(span, {
        metric: word,
        stage,
        near: subtraction ?? near,
        measured: names,
        canBeSwitchedOn: own(this.scope.measurable, word) !== undefined,
        measuredAt: this.scope.measuredAt,
      }),
    )
  }
}

/** A function over slices or sizes, whose value cannot be drawn again from rows. */
function callIn(expression: Expression): Call | null {
  if (expression.type === 'call' && own(CHECK_FORMS, expression.name) !== undefined) return expression
  for (const part of partsOf(expression)) {
    const found = callIn(part)
    if (found !== null) return found
  }
  return null
}

/** A margin written with `%` is relative to the yardstick. */
export function isRelative(by: Expression): boolean {
  return by.type === 'number' && by.unit === '%'
}

function rangeOf(metric: MetricSchema): Extract<Type, { type: 'number' }> {
  return { type: 'number', dim: metric.dim, low: metric.min ?? -Infinity, high: metric.max ?? Infinity }
}

function sameName(left: Expression, right: Expression): boolean {
  return left.type === 'name' && right.type === 'name' && left.path.join('.') === right.path.join('.')
}

/** Zero times infinity is zero here: an interval that only touches zero stays there. */
function times(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : a * b
}

function over(a: number, b: number): number {
  return Number.isFinite(b) ? a / b : Number.isFinite(a) ? 0 : a
}

type Interval = { readonly low: number; readonly high: number }

/** Whether a comparison of two ranges can be true, and whether it must be. */
function outlook(operator: Comparator, a: Interval, b: Interval): readonly [boolean, boolean] {
  switch (operator) {
    case '<':
      return [a.low < b.high, a.high < b.low]
    case '<=':
      return [a.low <= b.high, a.high <= b.low]
    case '>':
      return [a.high > b.low, a.low > b.high]
    case '>=':
      return [a.high >= b.low, a.low >= b.high]
    case '==':
    case '!=': {
      const overlap = a.low <= b.high && b.low <= a.high
      const same = a.low === a.high && b.low === b.high && a.low === b.low
      return operator === '==' ? [overlap, same] : [!same, !overlap]
    }
  }
}

function textOf(expression: Expression): string {
  return expression.span.source.text.slice(expression.span.start, expression.span.end)
}

/** How a value of a unit is written. */
const WRITTEN: Readonly<Record<Dimension, string | null>> = { num: null, s: '2h', B: '20MB' }

function mismatch(left: Dimension, right: Dimension, at: Span): Mistake {
  const wanted = right === 'num' ? WRITTEN[left] : null
  return new Mistake(checkProblems.unitMismatch(at, DIMENSIONS[left], DIMENSIONS[right], wanted))
}
