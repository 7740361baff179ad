/** A JSON Schema and a value -> whether it fits, as far as the few rules tell that options mostly use. */
import { own } from './own.ts'
import type { Json, JsonObject } from './stage-signature.ts'

/** Null: there is a rule that only ajv knows. */
export type Fits = boolean | null

export function fits(schema: JsonObject, value: Json): Fits {
  return all(
    Object.entries(schema).map(([rule, wish]) => {
      if (SAYS_NOTHING.test(rule)) return true
      return own(RULES, rule)?.(wish, value, schema) ?? null
    }),
  )
}

const SAYS_NOTHING = /^(?:title|description|default|examples|x-.*)$/

type Rule = (wish: Json, value: Json, schema: JsonObject) => Fits

/** A rule says nothing of values of another type, nor of a wish that it does not understand. */
const RULES: Readonly<Record<string, Rule>> = {
  type: (wish, value) => (isList(wish) ? wish : [wish]).some((type) => isOfType(value, type)),
  const: (wish, value) => (isScalar(wish) ? wish === value : null),
  enum: (wish, value) => (isList(wish) && wish.every(isScalar) ? wish.includes(value) : null),
  minimum: (wish, value) => compare(wish, value, (least, number) => number >= least),
  maximum: (wish, value) => compare(wish, value, (most, number) => number <= most),
  exclusiveMinimum: (wish, value) => compare(wish, value, (low, number) => number > low),
  exclusiveMaximum: (wish, value) => compare(wish, value, (high, number) => number < high),
  minLength: (wish, value) => compare(wish, typeof value === 'string' ? [...value].length : null, atLeast),
  pattern: (wish, value) => {
    if (typeof wish !== 'string') return null
    return typeof value !== 'string' || new RegExp(wish, 'u').test(value)
  },
  minItems: (wish, value) => compare(wish, isList(value) ? value.length : null, atLeast),
  uniqueItems: (wish, value) => {
    if (wish !== true || !isList(value)) return wish === true ? true : null
    return value.every(isScalar) ? new Set(value).size === value.length : null
  },
  items: (wish, value) => {
    if (!isMap(wish)) return null
    return isList(value) ? all(value.map((each) => fits(wish, each))) : true
  },
  required: (wish, value) => {
    if (!isList(wish)) return null
    return !isMap(value) || wish.every((name) => typeof name === 'string' && Object.hasOwn(value, name))
  },
  properties: (wish, value) => {
    if (!isMap(wish)) return null
    if (!isMap(value)) return true
    return all(
      Object.entries(value).map(([name, each]) => {
        const property = own(wish, name)
        if (property === undefined) return true
        return isMap(property) ? fits(property, each) : null
      }),
    )
  },
  additionalProperties: (wish, value, schema) => {
    if (!isMap(value)) return true
    const known = schema['properties'] ?? {}
    if (!isMap(known)) return null
    const others = Object.keys(value).filter((name) => !Object.hasOwn(known, name))
    if (others.length === 0 || wish === false) return others.length === 0
    return isMap(wish) ? all(others.map((name) => fits(wish, value[name] ?? null))) : null
  },
  propertyNames: (wish, value) => {
    if (!isMap(wish)) return null
    return isMap(value) ? all(Object.keys(value).map((name) => fits(wish, name))) : true
  },
  oneOf: (wish, value) => {
    if (!isList(wish)) return null
    const each = wish.map((schema) => (isMap(schema) ? fits(schema, value) : null))
    return each.includes(null) ? null : each.filter((one) => one).length === 1
  },
}

function all(parts: readonly Fits[]): Fits {
  if (parts.includes(false)) return false
  return parts.includes(null) ? null : true
}

function compare(wish: Json, value: Json, holds: (wish: number, value: number) => boolean): Fits {
  if (typeof wish !== 'number') return null
  return typeof value === 'number' ? holds(wish, value) : true
}

function atLeast(least: number, count: number): boolean {
  return count >= least
}

function isOfType(value: Json, type: Json): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'number') return Number.isFinite(value)
  if (type === 'array') return isList(value)
  if (type === 'object') return isMap(value)
  if (type === 'null') return value === null
  return typeof value === type
}

function isScalar(value: Json): boolean {
  return typeof value !== 'object' || value === null
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function isMap(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
