/** Resolves a stage's `with:`: computes `=values`, converts units, fills in defaults, validates. */
import { checkShape, guessNumber, schemaAt } from './check-shape.ts'
import type { Diagnostic } from './diagnostic.ts'
import { evaluate, type ValueScope } from './expression/evaluate.ts'
import { parseExpression } from './expression/parse.ts'
import * as expressionProblems from './problems/expression.ts'
import * as valueProblems from './problems/values.ts'
import type { Span } from './source.ts'
import type { Json, JsonObject, StageSignature } from './stage-signature.ts'
import { isText, plainValue, type MapNode, type Node, type ScalarNode } from './tree.ts'
import { inRightCase, readQuantity } from './units.ts'

export interface ResolvedOptions {
  readonly value: JsonObject
  readonly spans: Readonly<Record<string, Span>>
  /** False if anything in it had a mistake; then what depends on the options stays unsaid. */
  readonly sound: boolean
}

export function resolveOptions(
  kind: StageSignature,
  tree: MapNode | null,
  fallback: Span,
  scope: ValueScope,
  out: Diagnostic[],
  elsewhere: (option: string) => string | null = () => null,
): ResolvedOptions {
  const poisoned = new Set<string>()
  const written: [string, Json][] = []
  for (const entry of tree?.entries ?? []) {
    const value = resolveNode(entry.value, schemaAt(kind.options, [entry.key]), scope, out)
    if (value === undefined) poisoned.add(entry.key)
    // `none` means: as if the line were not there.
    else if (value !== null || !isComputed(entry.value)) written.push([entry.key, value])
  }
  const value: JsonObject = Object.fromEntries([...defaultsOf(kind.options, poisoned), ...written])
  const bad = checkShape(
    { kind: kind.name, schema: kind.options, value, poisoned, tree, fallback, elsewhere },
    out,
  )
  const spans = Object.fromEntries((tree?.entries ?? []).map((entry) => [entry.key, entry.value.span]))
  return { value, spans, sound: poisoned.size === 0 && bad.size === 0 }
}

function isComputed(node: Node): boolean {
  return isText(node) && node.value.startsWith('=') && !node.value.startsWith('==')
}

/** The options that a schema declares. */
export function propertiesOf(schema: JsonObject): JsonObject {
  const properties = schema['properties']
  if (typeof properties !== 'object' || properties === null || Array.isArray(properties)) return {}
  return properties as JsonObject
}

function defaultsOf(schema: JsonObject, poisoned: ReadonlySet<string>): readonly [string, Json][] {
  const defaults: [string, Json][] = []
  for (const [name, property] of Object.entries(propertiesOf(schema))) {
    if (poisoned.has(name)) continue
    if (typeof property !== 'object' || property === null || Array.isArray(property)) continue
    const value = (property as JsonObject)['default']
    if (value !== undefined) defaults.push([name, value])
  }
  return defaults
}

/** Undefined if there was a mistake (which has its message). */
function resolveNode(node: Node, schema: JsonObject, scope: ValueScope, out: Diagnostic[]): Json | undefined {
  switch (node.type) {
    case 'poison':
      return undefined
    case 'scalar':
      return resolveScalar(node, schema, scope, out)
    case 'list': {
      const items = node.items.map((item) => resolveNode(item, schemaAt(schema, ['0']), scope, out))
      const whole = items.filter((item) => item !== undefined)
      return whole.length === items.length ? whole : undefined
    }
    case 'map': {
      const entries = node.entries.map(
        (entry) => [entry.key, resolveNode(entry.value, schemaAt(schema, [entry.key]), scope, out)] as const,
      )
      const whole = entries.filter((entry): entry is [string, Json] => entry[1] !== undefined)
      return whole.length === entries.length ? Object.fromEntries(whole) : undefined
    }
  }
}

function resolveScalar(
  node: ScalarNode,
  schema: JsonObject,
  scope: ValueScope,
  out: Diagnostic[],
): Json | undefined {
  if (isText(node) && node.value.startsWith('==')) return node.value.slice(1)
  if (isText(node) && node.value.startsWith('=')) return computeValue(node, scope, out)
  const convert = schema['x-type']
  if (convert === 'ratio' || convert === 'duration' || convert === 'bytes')
    return convertUnits(node, convert, schema, out)
  return plainValue(node)
}

/** The value of a scalar that starts with `=`. */
export function computeValue(
  node: ScalarNode & { readonly value: string },
  scope: ValueScope,
  out: Diagnostic[],
): Json | undefined {
  const text = node.value.slice(1)
  if (text.trim() === '') {
    out.push(expressionProblems.emptyValue(node.span))
    return undefined
  }
  const fragment = { source: node.span.source, text, offsets: node.offsets.slice(1) }
  const expression = parseExpression(fragment, out)
  return expression === null ? undefined : evaluate(expression, scope, out)
}

const DIMENSIONS = { ratio: 'num', duration: 's', bytes: 'B' } as const

function convertUnits(
  node: ScalarNode,
  convert: 'ratio' | 'duration' | 'bytes',
  schema: JsonObject,
  out: Diagnostic[],
): Json | undefined {
  if (typeof node.value === 'number') {
    if (convert === 'ratio') return node.value
    if (node.value === 0) return 0
    out.push(valueProblems.missingUnit(node.span, node.raw, convert))
    return undefined
  }
  if (typeof node.value !== 'string') return node.value
  const quantity = readQuantity(node.value)
  if (quantity.type === 'quantity' && quantity.unit === null && convert !== 'ratio') {
    out.push(valueProblems.missingUnit(node.span, node.value, convert))
    return undefined
  }
  if (quantity.type === 'quantity' && quantity.dim === DIMENSIONS[convert]) return quantity.value
  if (quantity.type === 'quantity') {
    out.push(valueProblems.wrongUnit(node.span, node.value, convert))
    return undefined
  }
  if (quantity.type === 'unknown-unit') {
    out.push(valueProblems.unknownUnit(node.span, quantity.unit, inRightCase(node.value)))
    return undefined
  }
  // A schema that also takes words (`auto`) decides for itself.
  if (JSON.stringify(schema['type'] ?? schema).includes('"string"') || schema['enum'] !== undefined)
    return node.value
  out.push(valueProblems.notANumber(node.span, node.value, guessNumber(node.value)))
  return undefined
}
