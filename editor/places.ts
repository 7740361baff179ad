/** What belongs at a path of a pipeline file: the keys of the language, or the options of a stage kind. */
import { keysAt, type Key, type Place } from '../dsl/keys.ts'
import { own } from '../dsl/own.ts'
import type { Json, JsonObject, StageSignature } from '../dsl/stage-signature.ts'
import type { Path } from './cursor.ts'

/** Part of a path -> whether it fits; `*` is any name or index. */
const PLACES: readonly (readonly [Place, readonly string[]])[] = [
  ['pipeline', []],
  ['stage', ['stages', '*']],
  ['matrix', ['stages', '*', 'matrix']],
  ['retry', ['stages', '*', 'retry']],
  ['resources', ['stages', '*', 'resources']],
  ['cache', ['stages', '*', 'cache']],
  ['check', ['stages', '*', 'checks', '*']],
  ['check', ['stages', '*', 'budget', '*']],
  ['watch', ['stages', '*', 'watch', '*']],
  ['defaults', ['defaults']],
  ['retry', ['defaults', 'retry']],
  ['resources', ['defaults', 'resources']],
  ['cache', ['defaults', 'cache']],
  ['source', ['sources', '*']],
  ['param', ['params', '*']],
  ['worker', ['workers', '*']],
  ['notification', ['notify', '*']],
]

export function fits(path: Path, pattern: readonly string[]): boolean {
  return path.length === pattern.length && pattern.every((part, i) => part === '*' || part === path[i])
}

/** Whose keys the map at this path has; null where names are the user's own, and below `with`. */
export function placeAt(path: Path): Place | null {
  return PLACES.find(([, pattern]) => fits(path, pattern))?.[0] ?? null
}

/** What the language knows of the key that a path ends with. */
export function keyAt(path: Path): Key | null {
  const place = placeAt(path.slice(0, -1))
  const last = path.at(-1)
  return place === null || typeof last !== 'string' ? null : (own(keysAt(place), last) ?? null)
}

/** The stage that a path leads through. */
export function stageIn(path: Path): string | null {
  const [first, name] = path
  return first === 'stages' && typeof name === 'string' ? name : null
}

/** The part of a path below a stage's `with:`; null elsewhere. */
export function optionPath(path: Path): Path | null {
  return path[0] === 'stages' && path[2] === 'with' ? path.slice(3) : null
}

/** The forms that a value at this path may have, as schemas; empty where nothing is known. */
export function formsAt(path: Path, kind: StageSignature | null): readonly JsonObject[] {
  const option = optionPath(path)
  if (option !== null) return kind === null ? [] : descend(kind.options, option)
  // A list below a key: its items are part of the key's schema.
  for (let length = path.length; length > 0; length--) {
    const key = keyAt(path.slice(0, length))
    if (key !== null) return descend(key.schema, path.slice(length))
  }
  return []
}

function descend(schema: JsonObject, path: Path): readonly JsonObject[] {
  const [part, ...rest] = path
  const forms = alternatives(schema)
  if (part === undefined) return forms
  return forms.flatMap((form) => {
    const properties = form['properties']
    const below =
      typeof part === 'number'
        ? form['items']
        : ((isSchema(properties) ? own(properties, part) : undefined) ?? form['additionalProperties'])
    return isSchema(below) ? descend(below, rest) : []
  })
}

/** The schema and what it offers a choice of; what is said about all of them is said about each. */
function alternatives(schema: JsonObject): readonly JsonObject[] {
  const { anyOf, oneOf, allOf, if: _, then, else: otherwise, ...rest } = schema
  const several = [anyOf, oneOf, allOf].flatMap(listOf)
  const found = [...several, then, otherwise].filter(isSchema)
  return found.length === 0 ? [schema] : found.flatMap((each) => alternatives({ ...rest, ...each }))
}

/** The values that a schema names: its choices, or true and false. */
export function choicesOf(schema: JsonObject): readonly Json[] {
  const { enum: choices, const: only, type } = schema
  if (choices !== undefined) return listOf(choices)
  if (only !== undefined) return [only]
  return type === 'boolean' ? [true, false] : []
}

/** The options that a map at this path may have, with the schema of each. */
export function optionsAt(path: Path, kind: StageSignature): Readonly<Record<string, JsonObject>> {
  const forms = descend(kind.options, path)
  return Object.fromEntries(
    forms.flatMap(({ properties }) =>
      isSchema(properties)
        ? Object.entries(properties).filter((entry): entry is [string, JsonObject] => isSchema(entry[1]))
        : [],
    ),
  )
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : []
}

export function isSchema(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `integer, 1 … 1024`, as people read it. */
export function rangeText(schema: JsonObject): string {
  const { type, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema
  const choices = choicesOf(schema)
  if (choices.length > 0) return choices.map(jsonWord).join(' | ')
  const items = isSchema(schema['items']) ? alternatives(schema['items']).map(rangeText).join(' | ') : ''
  if (type === 'array') return items === '' ? 'list' : `[${items}]`
  const low = minimum ?? exclusiveMinimum
  const high = maximum ?? exclusiveMaximum
  const words = Array.isArray(type) ? type.join(' | ') : typeof type === 'string' ? type : ''
  if (low === undefined && high === undefined) return words
  const open = `${minimum === undefined && low !== undefined ? '> ' : ''}${jsonWord(low ?? '-∞')}`
  const close = `${maximum === undefined && high !== undefined ? '< ' : ''}${jsonWord(high ?? '∞')}`
  return `${words}, ${open} … ${close}`
}

export function jsonWord(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
