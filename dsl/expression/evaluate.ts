/** Computes `=values` over parameters; a mistake is a problem at its own place, never a coercion. */
import type { Diagnostic } from '../diagnostic.ts'
import { own } from '../own.ts'
import { unknownAxis } from '../problems/expansion.ts'
import * as expressionProblems from '../problems/expression.ts'
import { A, kindOf } from '../problems/nouns.ts'
import { words } from '../problems/problem.ts'
import { envNotSet, unknownConditionName } from '../problems/run-settings.ts'
import * as valueProblems from '../problems/values.ts'
import type { Span } from '../source.ts'
import { didYouMean } from '../spelling.ts'
import type { Json, JsonObject } from '../stage-signature.ts'
import type { Words } from '../words.ts'
import type { Expression } from './syntax.ts'

export const VALUE_FUNCTIONS = ['abs', 'env', 'format', 'if', 'max', 'mean', 'min', 'round'] as const

export interface ValueScope {
  readonly params: JsonObject
  /** Parameters that have a mistake of their own; a value over them is left out silently. */
  readonly poisoned: ReadonlySet<string>
  readonly pipeline: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** The point of the matrix, and where that is declared. */
  readonly matrix: {
    readonly point: JsonObject
    readonly declared: Span | null
    /** A matrix has a mistake of its own; a value over it is left out silently. */
    readonly poisoned: boolean
  }
  /** Dotted names that only a condition knows, such as `run.branch`; null in plain values. */
  readonly names: JsonObject | null
}

/** `null` in the result is the word `none`; undefined means a mistake, which was pushed (or is known). */
export function evaluate(expression: Expression, scope: ValueScope, out: Diagnostic[]): Json | undefined {
  const number = (each: Expression): number | undefined => {
    const value = evaluate(each, scope, out)
    if (value === undefined || typeof value === 'number') return value
    out.push(expressionProblems.wrongOperand(each.span, A.number, kindOf(value)))
    return undefined
  }
  const truth = (each: Expression): boolean | undefined => {
    const value = evaluate(each, scope, out)
    if (value === undefined || typeof value === 'boolean') return value
    out.push(expressionProblems.wrongOperand(each.span, A.truth, kindOf(value)))
    return undefined
  }
  switch (expression.type) {
    case 'number':
    case 'string':
    case 'boolean':
      return expression.value
    case 'name': {
      const [space = '', name] = expression.path
      if (expression.path.length === 1 && space === 'none') return null
      if (space === 'pipeline' && name === 'name' && expression.path.length === 2) return scope.pipeline
      if (space === 'params' && name !== undefined && expression.path.length === 2) {
        if (scope.poisoned.has(name)) return undefined
        const value = own(scope.params, name)
        if (value === undefined)
          out.push(
            valueProblems.unknownParam(
              expression.parts[1] ?? expression.span,
              name,
              Object.keys(scope.params),
            ),
          )
        return value
      }
      if (space === 'matrix' && name !== undefined && expression.path.length === 2)
        return axisOf(name, expression.parts[1] ?? expression.span, scope, out)
      if (space === 'env' && name !== undefined && expression.path.length === 2)
        return variable(name, null, expression.parts[1] ?? expression.span, scope, out)
      return otherName(expression.path.join('.'), expression.span, scope, out)
    }
    case 'not': {
      const value = truth(expression.operand)
      return value === undefined ? undefined : !value
    }
    case 'negate': {
      const value = number(expression.operand)
      return value === undefined ? undefined : -value
    }
    case 'logic': {
      const left = truth(expression.left)
      const right = truth(expression.right)
      if (left === undefined || right === undefined) return undefined
      return expression.operator === 'and' ? left && right : left || right
    }
    case 'arithmetic': {
      const left = number(expression.left)
      const right = number(expression.right)
      if (left === undefined || right === undefined) return undefined
      if (expression.operator === '/' && right === 0) {
        out.push(expressionProblems.divisionByZero(expression.span))
        return undefined
      }
      const value = compute(expression.operator, left, right)
      if (Number.isFinite(value)) return value
      out.push(expressionProblems.tooLarge(expression.span))
      return undefined
    }
    case 'compare': {
      if (expression.operator === '==' || expression.operator === '!=') {
        const left = evaluate(expression.left, scope, out)
        const right = evaluate(expression.right, scope, out)
        if (left === undefined || right === undefined) return undefined
        if (kindOf(left) !== kindOf(right)) {
          out.push(expressionProblems.wrongOperand(expression.right.span, kindOf(left), kindOf(right)))
          return undefined
        }
        return (left === right) === (expression.operator === '==')
      }
      const left = number(expression.left)
      const right = number(expression.right)
      if (left === undefined || right === undefined) return undefined
      return holds(expression.operator, left, right)
    }
    case 'between': {
      const value = number(expression.value)
      const low = number(expression.low)
      const high = number(expression.high)
      if (value === undefined || low === undefined || high === undefined) return undefined
      return value >= low && value <= high
    }
    case 'default': {
      const value = evaluate(expression.value, scope, out)
      return value === null ? evaluate(expression.fallback, scope, out) : value
    }
    case 'call':
      return call(expression, scope, out, number, truth)
    case 'missing':
    case 'sliced':
    case 'directed':
    case 'significance':
      out.push(expressionProblems.checkWordInValue(expression.span))
      return undefined
  }
}

function axisOf(axis: string, span: Span, scope: ValueScope, out: Diagnostic[]): Json | undefined {
  const { point, declared, poisoned } = scope.matrix
  const value = own(point, axis)
  if (value !== undefined || poisoned) return value
  const axes = Object.keys(point)
  out.push(unknownAxis(span, axis, didYouMean(axis, axes), axes, declared))
  return undefined
}

function variable(
  name: string,
  fallback: Json | null,
  span: Span,
  scope: ValueScope,
  out: Diagnostic[],
): Json | undefined {
  const value = own(scope.env, name) ?? fallback
  if (value === null) out.push(envNotSet(span, name))
  return value ?? undefined
}

function otherName(name: string, span: Span, scope: ValueScope, out: Diagnostic[]): Json | undefined {
  const known = scope.names === null ? undefined : own(scope.names, name)
  if (known !== undefined) return known
  const bare = own(scope.params, name) === undefined ? null : `params.${name}`
  if (scope.names === null) out.push(valueProblems.unknownValueName(span, name, bare))
  else {
    const names = Object.keys(scope.names)
    out.push(unknownConditionName(span, name, bare ?? didYouMean(name, names), names))
  }
  return undefined
}

export function compute(operator: '+' | '-' | '*' | '/', left: number, right: number): number {
  if (operator === '+') return left + right
  if (operator === '-') return left - right
  return operator === '*' ? left * right : left / right
}

export function holds(operator: '<' | '<=' | '>' | '>=' | '==' | '!=', left: number, right: number): boolean {
  if (operator === '<') return left < right
  if (operator === '<=') return left <= right
  if (operator === '>') return left > right
  if (operator === '>=') return left >= right
  return operator === '==' ? left === right : left !== right
}

type Call = Extract<Expression, { type: 'call' }>

function call(
  expression: Call,
  scope: ValueScope,
  out: Diagnostic[],
  number: (each: Expression) => number | undefined,
  truth: (each: Expression) => boolean | undefined,
): Json | undefined {
  const { name, args } = expression
  const complain = (wanted: Words | string): undefined => {
    out.push(expressionProblems.wrongArguments(expression.span, name, wanted, args.length))
    return undefined
  }
  const [first, second, third] = args
  if (name === 'if') {
    if (first === undefined || second === undefined || third === undefined || args.length !== 3)
      return complain('if(condition, then, else)')
    const condition = truth(first)
    if (condition === undefined) return undefined
    return evaluate(condition ? second : third, scope, out)
  }
  if (name === 'format') {
    if (first === undefined) return complain('format("text {}", value)')
    const values = args.map((each) => evaluate(each, scope, out))
    if (values.some((each) => each === undefined)) return undefined
    const [template, ...rest] = values
    if (typeof template !== 'string') return complain('format("text {}", value)')
    if (template.split('{}').length - 1 !== rest.length)
      return complain(words('one value for each {}', '每个 {} 对应一个值'))
    return template.split('{}').reduce((text, piece, i) => text + textOf(rest[i - 1] ?? null) + piece)
  }
  if (name === 'env') {
    const values = args.map((each) => evaluate(each, scope, out))
    const [variableName, fallback] = values
    if (values.some((each) => each === undefined)) return undefined
    if (typeof variableName !== 'string' || args.length > 2) return complain("env('NAME', 'default')")
    return variable(variableName, fallback ?? null, expression.span, scope, out)
  }
  if (!VALUE_FUNCTIONS.some((each) => each === name)) {
    out.push(
      expressionProblems.unknownFunction(
        expression.nameSpan,
        name,
        didYouMean(name, VALUE_FUNCTIONS),
        VALUE_FUNCTIONS,
      ),
    )
    return undefined
  }
  const numbers = args.map(number)
  const values = numbers.filter((each) => each !== undefined)
  if (values.length !== args.length) return undefined
  const value = applyNumeric(name, values)
  if (value === null) return complain(NUMERIC_FORMS[name] ?? name)
  return value
}

export const NUMERIC_FORMS: Readonly<Record<string, string>> = {
  min: 'min(a, b, …)',
  max: 'max(a, b, …)',
  mean: 'mean(a, b, …)',
  abs: 'abs(a)',
  round: 'round(a) or round(a, digits)',
}

/** The numeric functions that values and checks share; null if the number of arguments is wrong. */
export function applyNumeric(name: string, values: readonly number[]): number | null {
  const [first, digits = 0] = values
  if (first === undefined) return null
  if (name === 'min') return Math.min(...values)
  if (name === 'max') return Math.max(...values)
  if (name === 'mean') return values.reduce((a, b) => a + b, 0) / values.length
  if (name === 'abs') return values.length === 1 ? Math.abs(first) : null
  if (name === 'round' && values.length <= 2 && Number.isInteger(digits) && Math.abs(digits) <= 12)
    return Math.round(first * 10 ** digits) / 10 ** digits
  return null
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : value === null ? 'none' : JSON.stringify(value)
}
