/** The JSON Schema of a pipeline file, for editors: the language's keys and every stage kind's options in one. */
import { keysAt, KEYS, type Key, type Keys, type Place } from '../dsl/keys.ts'
import { PARAMETER_PATTERN, RESERVED, SLUG_PATTERN } from '../dsl/slug.ts'
import type { InputPort, Json, JsonObject, StageSignature } from '../dsl/stage-signature.ts'
import { UNITS } from '../dsl/units.ts'
import { inLanguage, type Language } from '../dsl/words.ts'
import { isGate } from '../dsl/wiring.ts'
import { writtenOptions } from './written.ts'

type Kinds = Readonly<Record<string, StageSignature>>

/** The draft that the editors' YAML extensions know; nothing in the schema means something else in 2020-12. */
const DRAFT = 'http://json-schema.org/draft-07/schema#'

const NUMBER = '[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?'

function quantity(dim: 's' | 'B' | 'num'): JsonObject {
  const units = Object.entries(UNITS).flatMap(([name, unit]) => (unit.dim === dim ? [name] : []))
  return { type: 'string', pattern: `^\\s*${NUMBER}\\s*(?:${units.join('|')})\\s*$` }
}

/** Forms of values that several keys share. */
const FORMS: Readonly<Record<string, JsonObject>> = {
  name: { type: 'string', pattern: `^${SLUG_PATTERN}$` },
  'stage-name': { type: 'string', pattern: `^${SLUG_PATTERN}$` },
  'parameter-name': { type: 'string', pattern: `^${PARAMETER_PATTERN}$` },
  reference: { type: 'string', pattern: `^\\s*${SLUG_PATTERN}(?:\\.[^\\s.]+)?\\s*$` },
  computed: { type: 'string', pattern: '^=(?!=)\\s*\\S' },
  share: quantity('num'),
  duration: quantity('s'),
  bytes: quantity('B'),
  path: { type: 'string', pattern: '\\S' },
  from: {
    if: { type: 'object' },
    then: {
      type: 'object',
      minProperties: 1,
      propertyNames: { type: 'string', pattern: '^[a-z][a-z0-9_-]*$' },
      additionalProperties: { $ref: '#/definitions/path' },
    },
    else: { $ref: '#/definitions/path' },
  },
  condition: { type: 'string', pattern: '^\\s*[^\\s=]' },
  'check-text': { type: 'string', pattern: '\\S' },
  'check-item': {
    if: { type: 'object' },
    then: { $ref: '#/definitions/check' },
    else: { $ref: '#/definitions/check-text' },
  },
  point: { type: 'object', minProperties: 1, propertyNames: { $ref: '#/definitions/parameter-name' } },
}

const has = (name: string): JsonObject => ({ type: 'object', required: [name], properties: { [name]: {} } })

/** What holds for a place beyond its keys one by one. */
const RULES: Readonly<Partial<Record<Place, JsonObject>>> = {
  check: { oneOf: [has('require'), has('warn')] },
  notification: { oneOf: [has('webhook'), has('run')] },
  resources: {
    propertyNames: { $ref: '#/definitions/name' },
    additionalProperties: { type: 'integer', minimum: 1 },
  },
  matrix: {
    propertyNames: { $ref: '#/definitions/parameter-name' },
    additionalProperties: { type: 'array', minItems: 1 },
  },
}

/** Composes the schema; the same kinds and language give the same object. */
export function pipelineSchema(kinds: Kinds, language: Language): JsonObject {
  const { pipeline, stage: _, ...places } = KEYS
  const names = Object.keys(kinds)
  return {
    $schema: DRAFT,
    title: 'Sluice pipeline',
    ...closed(pipeline, language),
    definitions: {
      ...FORMS,
      ...Object.fromEntries(
        Object.keys(places).map((place) => [
          place,
          { ...closed(keysAt(place as Place), language), ...RULES[place as Place] },
        ]),
      ),
      stages: {
        type: 'object',
        propertyNames: { type: 'string', pattern: `^${SLUG_PATTERN}$`, not: { enum: [...RESERVED] } },
        properties: Object.fromEntries(names.map((name) => [name, { $ref: `#/definitions/named-${name}` }])),
        additionalProperties: { $ref: '#/definitions/stage' },
      },
      stage: stageByUses(kinds, language),
      ...Object.fromEntries(Object.values(kinds).flatMap((kind) => Object.entries(ofKind(kind, language)))),
    },
  }
}

/** A map with these keys and no others. */
function closed(keys: Keys, language: Language): JsonObject {
  const required = Object.entries(keys).flatMap(([name, key]) => (key.required === true ? [name] : []))
  return {
    type: 'object',
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(
      Object.entries(keys).map(([name, key]) => [name, documented(key, language)]),
    ),
  }
}

function documented({ doc, schema }: Key, language: Language, own: JsonObject = schema): JsonObject {
  return { description: inLanguage(doc, language), ...own }
}

/** The names that `uses:` takes for a kind. */
export function usesNames(kind: StageSignature): readonly string[] {
  return [kind.name, `${kind.name}@${kind.version.split('.')[0] ?? ''}`]
}

/** A stage with a name of its own: `uses` decides what else may stand there. */
function stageByUses(kinds: Kinds, language: Language): JsonObject {
  const all = Object.values(kinds)
  return {
    type: 'object',
    required: ['uses'],
    properties: { uses: documented(KEYS.stage.uses, language, { enum: all.flatMap(usesNames) }) },
    allOf: all.map((kind) => ({
      if: { type: 'object', required: ['uses'], properties: { uses: { enum: usesNames(kind) } } },
      then: { $ref: `#/definitions/stage-${kind.name}` },
    })),
  }
}

function ofKind(kind: StageSignature, language: Language): JsonObject {
  const { name, summary } = kind
  const keys = Object.fromEntries(
    Object.entries(keysOfStage(kind)).map(([key, entry]) => [
      key,
      documented(entry, language, schemaOfKey(key, entry, kind)),
    ]),
  )
  return {
    [`named-${name}`]: {
      description: summary,
      if: has('uses'),
      then: { $ref: '#/definitions/stage' },
      else: { $ref: `#/definitions/stage-${name}` },
    },
    [`stage-${name}`]: { type: ['object', 'null'], additionalProperties: false, properties: keys },
    [`inputs-${name}`]: {
      type: 'object',
      additionalProperties:
        kind.freeInputs === undefined
          ? false
          : { description: kind.freeInputs, $ref: '#/definitions/reference' },
      properties: Object.fromEntries(
        Object.entries(kind.inputs).map(([port, input]) => [port, portSchema(input)]),
      ),
    },
    [`options-${name}`]: writtenOptions(kind.options),
  }
}

/** The keys that a stage of this kind may have. */
export function keysOfStage(kind: StageSignature): Keys {
  return Object.fromEntries(
    Object.entries(keysAt('stage')).filter(
      ([, { only }]) => only === undefined || (only === 'gate' ? isGate(kind) : kind.decides === undefined),
    ),
  )
}

function schemaOfKey(key: string, entry: Key, kind: StageSignature): JsonObject {
  if (key === 'uses') return { enum: usesNames(kind) }
  if (key === 'inputs') return { $ref: `#/definitions/inputs-${kind.name}` }
  if (key === 'with') return { $ref: `#/definitions/options-${kind.name}` }
  return entry.schema
}

function portSchema({ help, optional }: InputPort): JsonObject {
  const read: Json = { $ref: '#/definitions/reference' }
  return optional === true
    ? { description: help, anyOf: [read, { const: 'none' }] }
    : { description: help, allOf: [read, { not: { const: 'none' } }] }
}

/** The text of the schema file. */
export function schemaText(kinds: Kinds, language: Language): string {
  return `${JSON.stringify(pipelineSchema(kinds, language), null, 2)}\n`
}
