/** Reads `params:` and lays the values of `-p name=value` over the defaults. */
import type { Diagnostic } from './diagnostic.ts'
import { keyNames } from './keys.ts'
import { own } from './own.ts'
import * as textProblems from './problems/text.ts'
import * as valueProblems from './problems/values.ts'
import { A, kindOf } from './problems/nouns.ts'
import { isParameterName } from './slug.ts'
import type { Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import type { Json, JsonObject } from './stage-signature.ts'
import { entryOf, isPoisoned, plainValue, type MapEntry, type MapNode, type Node } from './tree.ts'
import { readQuantity, readRange } from './units.ts'

export interface Params {
  readonly values: JsonObject
  readonly poisoned: ReadonlySet<string>
}

const PARAM_TYPES = ['int', 'number', 'text', 'bool'] as const
type ParamType = (typeof PARAM_TYPES)[number]
const PARAM_KEYS = keyNames('param')

interface Declaration {
  readonly value: Json
  readonly type: ParamType
  readonly range: { readonly low: number; readonly high: number } | null
  readonly allowed: readonly Json[] | null
  readonly span: Span
}

export function readParams(
  node: Node | null,
  overrides: Readonly<Record<string, Json>>,
  fallback: Span,
  out: Diagnostic[],
): Params {
  const values: [string, Json][] = []
  const poisoned = new Set<string>()
  if (node !== null && node.type !== 'map' && node.type !== 'poison') {
    out.push(valueProblems.wrongType(node.span, 'params', A.map, kindOf(plainValue(node))))
  }
  const entries = node?.type === 'map' ? node.entries : []
  for (const entry of entries) {
    const declaration = declare(entry, out)
    if (declaration === null) {
      poisoned.add(entry.key)
      continue
    }
    const written = check(entry.key, declaration.value, declaration, out)
    const override = own(overrides, entry.key)
    const value =
      override === undefined
        ? written
        : check(`-p ${entry.key}`, coerce(override, declaration.type), declaration, out)
    if (value === undefined) poisoned.add(entry.key)
    else values.push([entry.key, value])
  }
  const names = entries.map((entry) => entry.key)
  for (const name of Object.keys(overrides))
    if (!names.includes(name))
      out.push(valueProblems.unknownOverride(node?.span ?? fallback, name, didYouMean(name, names), names))
  return { values: Object.fromEntries(values), poisoned }
}

function declare(entry: MapEntry, out: Diagnostic[]): Declaration | null {
  if (!isParameterName(entry.key)) {
    out.push(textProblems.badName(entry.keySpan, entry.key, 'parameter'))
    return null
  }
  if (isPoisoned(entry.value)) return null
  if (entry.value.type !== 'map') {
    const value = plainValue(entry.value)
    const span = entry.value.span
    return { value, type: typeOf(value), range: null, allowed: null, span }
  }
  return declareLong(entry, entry.value, out)
}

function declareLong(entry: MapEntry, map: MapNode, out: Diagnostic[]): Declaration | null {
  for (const each of map.entries)
    if (!PARAM_KEYS.includes(each.key)) {
      out.push(textProblems.unknownKey(each.keySpan, each.key, 'parameter', PARAM_KEYS))
      return null
    }
  const value = entryOf(map, 'default')
  if (value === undefined) {
    out.push(valueProblems.paramWithoutDefault(entry.keySpan, entry.key))
    return null
  }
  const typeEntry = entryOf(map, 'type')
  const typeName = typeEntry === undefined ? null : plainValue(typeEntry.value)
  const type =
    typeName === null ? typeOf(plainValue(value.value)) : PARAM_TYPES.find((each) => each === typeName)
  if (type === undefined) {
    const span = typeEntry?.value.span ?? entry.keySpan
    out.push(
      valueProblems.notOneOf(
        span,
        'type',
        wordOf(typeName),
        didYouMean(wordOf(typeName), PARAM_TYPES),
        PARAM_TYPES,
      ),
    )
    return null
  }
  const rangeEntry = entryOf(map, 'range')
  const rangeText = rangeEntry === undefined ? null : plainValue(rangeEntry.value)
  const range = typeof rangeText === 'string' ? readRange(rangeText) : null
  if (rangeEntry !== undefined && range === null) {
    out.push(valueProblems.badRange(rangeEntry.value.span))
    return null
  }
  const allowed = entryOf(map, 'enum')
  const list = allowed === undefined ? null : plainValue(allowed.value)
  return {
    value: plainValue(value.value),
    type,
    range,
    allowed: Array.isArray(list) ? list : null,
    span: value.value.span,
  }
}

function typeOf(value: Json): ParamType {
  if (typeof value === 'number') return 'number'
  return typeof value === 'boolean' ? 'bool' : 'text'
}

/** A command line gives text; the declared type says how to read it. */
function coerce(value: Json, type: ParamType): Json {
  if (typeof value !== 'string') return value
  if (type === 'bool' && (value === 'true' || value === 'false')) return value === 'true'
  if (type === 'int' || type === 'number') {
    const quantity = readQuantity(value)
    if (quantity.type === 'quantity') return quantity.value
  }
  return value
}

const NOUNS = { int: A.whole, number: A.number, text: A.text, bool: A.truth } as const

function check(name: string, value: Json, declaration: Declaration, out: Diagnostic[]): Json | undefined {
  const { type, range, allowed, span } = declaration
  const fits =
    type === 'int'
      ? Number.isInteger(value)
      : type === 'number'
        ? typeof value === 'number'
        : type === 'bool'
          ? typeof value === 'boolean'
          : value === null || typeof value === 'string' || typeof value === 'object'
  if (!fits && type === 'bool') {
    out.push(valueProblems.notTruth(span, name, wordOf(value)))
    return undefined
  }
  if (!fits) {
    out.push(valueProblems.wrongType(span, name, NOUNS[type], JSON.stringify(value)))
    return undefined
  }
  if (range !== null && typeof value === 'number' && (value < range.low || value > range.high)) {
    const bounds = { low: range.low, high: range.high, openLow: false, openHigh: false }
    out.push(valueProblems.outOfRange(span, name, wordOf(value), bounds, null))
    return undefined
  }
  if (allowed !== null && !allowed.some((each) => each === value)) {
    const words = allowed.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)))
    out.push(valueProblems.notOneOf(span, name, wordOf(value), didYouMean(wordOf(value), words), words))
    return undefined
  }
  return value
}

function wordOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
