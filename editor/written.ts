/** From the schema of an option's value to the schema of what may be written for it: units, and `=` expressions. */
import type { Json, JsonObject } from '../dsl/stage-signature.ts'

/** Keywords that say something about the option and not about one form of its value. */
const ABOUT = ['title', 'description', 'default', 'examples', 'deprecated']

const reference = (name: string): JsonObject => ({ $ref: `#/definitions/${name}` })
const COMPUTED = reference('computed')

/** `x-type` -> the forms that a value may have besides that of its schema. */
const WITH_UNITS: Readonly<Record<string, readonly JsonObject[]>> = {
  ratio: [reference('share')],
  duration: [reference('duration'), { const: 0 }],
  bytes: [reference('bytes'), { const: 0 }],
}
/** Small languages of their own, which `=` cannot compute. */
const SENTENCES: Readonly<Record<string, JsonObject>> = {
  check: { type: 'string', minLength: 1 },
  pick: { type: 'string', pattern: '^\\s*(best|min|max)\\s+\\S+\\s*$' },
  tie: { type: 'string', pattern: '^\\s*(smallest|largest)\\s+\\S+\\s*$' },
  quorum: {
    anyOf: [
      { type: 'integer', minimum: 1 },
      { type: 'string', pattern: '^\\s*\\d+(\\s+of\\s+\\d+)?\\s*$' },
    ],
  },
}

/** What may be written for a value of this schema. */
export function writtenSchema(schema: JsonObject): JsonObject {
  const about = Object.fromEntries(Object.entries(schema).filter(([name]) => ABOUT.includes(name)))
  const kind = schema['x-type']
  const sentence = typeof kind === 'string' ? SENTENCES[kind] : undefined
  if (sentence !== undefined) return { ...about, ...sentence }
  const units = typeof kind === 'string' ? (WITH_UNITS[kind] ?? []) : []
  // A bare number of seconds or bytes is refused: which of them was meant?
  const bare = kind === 'duration' || kind === 'bytes' ? [] : formsOf(schema)
  const forms = [...bare, ...units]
  const [only, ...others] = forms
  if (only === undefined || (others.length === 0 && takesAnyText(only))) return { ...about, ...only }
  return { ...about, anyOf: [...forms, COMPUTED] }
}

/** The options of a stage kind as they stand under `with:`, which is a map in the open. */
export function writtenOptions(schema: JsonObject): JsonObject {
  return { ...formOf(schema), type: 'object' }
}

/** Then `=` expressions are among it. */
function takesAnyText(schema: JsonObject): boolean {
  return Object.entries(schema).every(
    ([name, value]) => name === 'minLength' || (name === 'type' && value === 'string'),
  )
}

function formsOf(schema: JsonObject): readonly JsonObject[] {
  const several = schema['oneOf'] ?? schema['anyOf']
  return Array.isArray(several) ? several.filter(isSchema).flatMap(formsOf) : [formOf(schema)]
}

/** The schema itself, with what may be written inside of it. */
function formOf(schema: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([name]) => !ABOUT.includes(name) && !name.startsWith('x-'))
      .map(([name, value]) => [name, inside(name, value)]),
  )
}

function inside(name: string, value: Json): Json {
  if (!isSchema(value)) return value
  switch (name) {
    case 'properties':
    case 'patternProperties':
      return Object.fromEntries(
        Object.entries(value).map(([key, each]) => [key, isSchema(each) ? writtenSchema(each) : each]),
      )
    case 'items':
    case 'additionalProperties':
      return writtenSchema(value)
    case 'propertyNames':
      return { type: 'string', ...value }
    default:
      return value
  }
}

function isSchema(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
