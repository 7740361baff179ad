/** Reads `matrix:`: axes and their values become the list of points, after `exclude` and `include`. */
import type { Diagnostic } from './diagnostic.ts'
import { computeValue } from './options.ts'
import type { ValueScope } from './expression/evaluate.ts'
import { keyNames } from './keys.ts'
import * as expansion from './problems/expansion.ts'
import { A, kindOf } from './problems/nouns.ts'
import { words } from './problems/problem.ts'
import { badCount } from './problems/run-settings.ts'
import { badName } from './problems/text.ts'
import { wrongType } from './problems/values.ts'
import { isParameterName } from './slug.ts'
import type { Span } from './source.ts'
import type { Json, JsonObject } from './stage-signature.ts'
import { entryOf, isText, plainValue, type MapEntry, type MapNode, type Node } from './tree.ts'

export interface Point {
  /** Axis -> value, in the order of the axes. */
  readonly values: JsonObject
  /** `r=8,lr=2e-4`. */
  readonly label: string
}

export interface Matrix {
  readonly span: Span
  readonly axes: readonly string[]
  readonly points: readonly Point[]
  readonly maxParallel: number | null
  readonly keepGoing: boolean
}

/** More instances than anybody watches; a typing mistake reaches this first. */
export const MOST_POINTS = 4096
const SETTINGS = keyNames('matrix')

interface AxisValue {
  readonly value: Json
  readonly text: string
}

/** Null after a mistake. */
export function readMatrix(entry: MapEntry, scope: ValueScope, out: Diagnostic[]): Matrix | null {
  const { value: node, keySpan } = entry
  if (node.type !== 'map') {
    if (node.type !== 'poison') out.push(wrongType(node.span, 'matrix', A.map, kindOf(plainValue(node))))
    return null
  }
  const before = out.length
  const axes: (readonly [string, readonly AxisValue[]])[] = []
  for (const each of node.entries) {
    if (SETTINGS.includes(each.key)) continue
    const values = readAxis(each, scope, out)
    if (values !== null) axes.push([each.key, values])
  }
  if (out.length === before && axes.length === 0) out.push(expansion.matrixWithoutAxes(keySpan))
  const maxParallel = readMaxParallel(entryOf(node, 'max_parallel'), out)
  const keepGoing = readKeepGoing(entryOf(node, 'keep_going'), out)
  const count = axes.reduce((product, [, values]) => product * values.length, 1)
  if (count > MOST_POINTS) out.push(expansion.tooManyPoints(keySpan, count, MOST_POINTS))
  if (out.length > before) return null
  const points = pointsOf(node, axes, scope, out)
  if (out.length > before) return null
  return { span: keySpan, axes: axes.map(([name]) => name), points, maxParallel, keepGoing }
}

function readAxis(entry: MapEntry, scope: ValueScope, out: Diagnostic[]): readonly AxisValue[] | null {
  const { key, keySpan, value: node } = entry
  if (!isParameterName(key)) {
    out.push(badName(keySpan, key, 'axis'))
    return null
  }
  if (node.type === 'poison') return null
  if (node.type !== 'list' || node.items.length === 0) {
    out.push(expansion.badAxis(node.span, key))
    return null
  }
  const values: AxisValue[] = []
  for (const item of node.items) {
    const read = readValue(item, scope, out)
    if (read === null) continue
    if (values.some((other) => other.value === read.value))
      out.push(expansion.axisValueTwice(item.span, key, read.text))
    values.push(read)
  }
  return values.length === node.items.length ? values : null
}

/** A scalar, or what a `=value` computes; a list or map is no value of an axis. */
function readValue(node: Node, scope: ValueScope, out: Diagnostic[]): AxisValue | null {
  if (node.type === 'poison') return null
  if (node.type !== 'scalar') {
    out.push(wrongType(node.span, 'matrix', words('one value', '单个值'), kindOf(plainValue(node))))
    return null
  }
  if (isText(node) && node.value.startsWith('=') && !node.value.startsWith('==')) {
    const value = computeValue(node, scope, out)
    return value === undefined ? null : { value, text: labelText(value) }
  }
  return { value: node.value, text: labelText(node.value) }
}

/** Labels become folder names and words on a command line. A number has one label however it is written. */
function labelText(value: Json): string {
  if (typeof value === 'number')
    return value !== 0 && Math.abs(value) < SMALL ? value.toExponential() : String(value)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const plain = text.replaceAll(/[^\p{L}\p{N}._+-]+/gu, '-')
  return plain === '' ? '-' : plain
}

/** Below this a number is read more easily as `2e-4`. */
const SMALL = 1e-3

function pointsOf(
  node: MapNode,
  axes: readonly (readonly [string, readonly AxisValue[]])[],
  scope: ValueScope,
  out: Diagnostic[],
): readonly Point[] {
  let points: readonly (readonly (readonly [string, AxisValue])[])[] = [[]]
  for (const [name, values] of axes)
    points = points.flatMap((point) => values.map((value) => [...point, [name, value] as const]))
  const names = axes.map(([name]) => name)
  for (const item of listOf(entryOf(node, 'exclude'), out)) {
    const pattern = readPoint(item, names, scope, out)
    if (pattern === null) continue
    const kept = points.filter((point) => !pattern.every((fact) => hasFact(point, fact)))
    if (kept.length === points.length) out.push(expansion.excludesNothing(item.span, names))
    points = kept
  }
  if (points.length === 0) out.push(expansion.excludesAll(entryOf(node, 'exclude')?.keySpan ?? node.span))
  for (const item of listOf(entryOf(node, 'include'), out)) {
    const more = readPoint(item, names, scope, out)
    if (more === null) continue
    const missing = names.filter((name) => !more.some(([axis]) => axis === name))
    if (missing.length > 0) out.push(expansion.pointIncomplete(item.span, missing))
    else if (points.some((point) => more.every((fact) => hasFact(point, fact))))
      out.push(expansion.pointTwice(item.span))
    else points = [...points, names.flatMap((name) => more.filter(([axis]) => axis === name))]
  }
  return points.map((point) => ({
    values: Object.fromEntries(point.map(([axis, { value }]) => [axis, value])),
    label: point.map(([axis, { text }]) => `${axis}=${text}`).join(','),
  }))
}

function hasFact(
  point: readonly (readonly [string, AxisValue])[],
  [axis, { value }]: readonly [string, AxisValue],
): boolean {
  return point.some(([name, mine]) => name === axis && mine.value === value)
}

function listOf(entry: MapEntry | undefined, out: Diagnostic[]): readonly Node[] {
  if (entry === undefined || entry.value.type === 'poison') return []
  if (entry.value.type === 'list') return entry.value.items
  out.push(expansion.notAPoint(entry.value.span, entry.key))
  return []
}

function readPoint(
  node: Node,
  axes: readonly string[],
  scope: ValueScope,
  out: Diagnostic[],
): readonly (readonly [string, AxisValue])[] | null {
  if (node.type === 'poison') return null
  if (node.type !== 'map' || node.entries.length === 0) {
    out.push(expansion.notAPoint(node.span, 'exclude'))
    return null
  }
  const facts: (readonly [string, AxisValue])[] = []
  for (const { key, keySpan, value } of node.entries) {
    if (!axes.includes(key)) {
      out.push(expansion.pointKeys(keySpan, key, axes))
      return null
    }
    const read = readValue(value, scope, out)
    if (read === null) return null
    facts.push([key, read])
  }
  return facts
}

function readMaxParallel(entry: MapEntry | undefined, out: Diagnostic[]): number | null {
  if (entry === undefined || entry.value.type === 'poison') return null
  const value = plainValue(entry.value)
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1) return value
  out.push(badCount(entry.value.span, 'max_parallel', 1))
  return null
}

function readKeepGoing(entry: MapEntry | undefined, out: Diagnostic[]): boolean {
  if (entry === undefined || entry.value.type === 'poison') return false
  const value = plainValue(entry.value)
  if (typeof value === 'boolean') return value
  out.push(wrongType(entry.value.span, 'keep_going', A.truth, kindOf(value)))
  return false
}
