/** Every stage kind describes itself fully and its steps fit together. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { KERNEL_OPS } from '../../dsl/kernel-ops.ts'
import { ARTIFACT_TYPES } from '../../dsl/stage-signature.ts'
import type { Json, JsonObject } from '../../dsl/stage-signature.ts'
import type { StageKind } from '../../engine/stage-kind.ts'
import { stageKinds } from '../../stages/catalogue.ts'

const ajv = new Ajv2020({ strict: true, useDefaults: true, allowUnionTypes: true })
ajv.addKeyword({ keyword: 'x-type', schemaType: 'string' })
ajv.addKeyword({ keyword: 'x-wish', schemaType: 'object' })

/** Options whose absence means that nothing is asked for, or that have to be written. */
const WITHOUT_DEFAULT: Readonly<Record<string, readonly string[]>> = {
  clean: ['min_chars', 'max_chars', 'near_duplicate'],
  export: ['to'],
  'lora-train': ['max_steps'],
  select: ['by', 'where', 'tie', 'at_least'],
  shell: ['run'],
}
/** What a kind's required options may be set to. */
const REQUIRED: Readonly<Record<string, JsonObject>> = {
  select: { by: 'best perplexity' },
  shell: { run: 'true', outputs: { rows: 'dataset' } },
}

function propertiesOf(kind: StageKind): Readonly<Record<string, JsonObject>> {
  return kind.options['properties'] as unknown as Readonly<Record<string, JsonObject>>
}

function resolve(kind: StageKind, given: JsonObject = {}): JsonObject {
  const options: Record<string, Json> = { ...REQUIRED[kind.name], ...structuredClone(given) }
  const validate = ajv.compile(kind.options)
  if (!validate(options)) throw new Error(ajv.errorsText(validate.errors))
  return options
}

test('the catalogue has the stage kinds under their own names', () => {
  expect(Object.keys(stageKinds).sort()).toEqual(
    [
      'clean',
      'eval',
      'export',
      'gate',
      'human-review',
      'lora-train',
      'merge',
      'pretrain',
      'select',
      'shell',
      'shrink',
      'split',
      'tokenize',
    ].sort(),
  )
  for (const [name, kind] of Object.entries(stageKinds)) expect(kind.name).toBe(name)
})

describe.each(Object.values(stageKinds))('$name', (kind) => {
  test('every option is described, has a default that is valid, and no other option is taken', () => {
    expect(kind.options).toMatchObject({ type: 'object', additionalProperties: false })
    for (const [name, schema] of Object.entries(propertiesOf(kind))) {
      expect(schema['description'], name).toMatch(/^[^\n]{8,140}\.$/)
      if (WITHOUT_DEFAULT[kind.name]?.includes(name)) continue
      expect(schema, name).toHaveProperty('default')
      const validate = ajv.compile({ type: 'object', properties: { [name]: schema } })
      expect(validate({ [name]: schema['default'] }), `${name}: ${ajv.errorsText(validate.errors)}`).toBe(
        true,
      )
    }
    const silent = (WITHOUT_DEFAULT[kind.name] ?? []).filter((name) => !(name in (REQUIRED[kind.name] ?? {})))
    expect([...Object.keys(resolve(kind)), ...silent].sort()).toEqual(Object.keys(propertiesOf(kind)).sort())
    expect(() => resolve(kind, { no_such_option: 1 })).toThrow(/additional/)
  })

  test('numbers have both bounds, and none outside them is taken', () => {
    for (const [name, schema] of Object.entries(propertiesOf(kind))) {
      if (schema['type'] !== 'number' && schema['type'] !== 'integer') continue
      const low = schema['minimum'] ?? schema['exclusiveMinimum']
      const high = schema['maximum'] ?? schema['exclusiveMaximum']
      if (typeof low !== 'number' || typeof high !== 'number') throw new Error(`${name} has no bounds`)
      expect(() => resolve(kind, { [name]: low - 1 }), name).toThrow()
      expect(() => resolve(kind, { [name]: high + 1 }), name).toThrow()
      expect(() => resolve(kind, { [name]: 'x' }), name).toThrow()
    }
  })

  test('steps read ports or earlier outputs, and together fill every output port', () => {
    const options = resolve(kind)
    const outputs = kind.outputs(options)
    for (const port of [...Object.values(kind.inputs)]) expect(ARTIFACT_TYPES).toContain(port.type)
    for (const type of Object.values(outputs)) expect(ARTIFACT_TYPES).toContain(type)
    const made = new Set<string>()
    const filled: string[] = []
    for (const step of kind.steps(options)) {
      for (const from of Object.values(step.inputs)) {
        if (from === 'input:*') expect(kind.freeInputs).toBeDefined()
        else if (from.startsWith('input:'))
          expect(Object.keys(kind.inputs)).toContain(from.slice('input:'.length))
        else expect(made).toContain(from)
      }
      for (const [output, port] of Object.entries(step.outputs)) {
        made.add(`step:${step.op}.${output}`)
        if (port !== null) filled.push(port)
      }
      expect(JSON.stringify(step.with)).not.toMatch(/null/)
    }
    if (kind.decides === undefined) expect(filled.sort()).toEqual(Object.keys(outputs).sort())
    expect(kind.steps(options)).toEqual(kind.steps(options))
  })
})

describe('eval', () => {
  const kind = stageKinds['eval']
  if (!kind) throw new Error('no eval')

  test('scores only if a metric needs it, and always generates', () => {
    const ops = (metrics: readonly string[]): readonly string[] =>
      kind.steps(resolve(kind, { metrics })).map((step) => `${step.op}@${step.on}`)
    expect(ops(['bleu'])).toEqual(['generate@kernel', 'metrics@text'])
    expect(ops(['perplexity'])).toEqual(['score@kernel', 'generate@kernel', 'metrics@text'])
    expect(ops(['bleu', 'bits_per_byte'])).toEqual(['score@kernel', 'generate@kernel', 'metrics@text'])
  })

  test('measures what was asked for, with a direction and a range', () => {
    const measured = kind.measures?.(resolve(kind, { metrics: ['perplexity', 'bleu'] }))
    expect(measured).toMatchObject({
      perplexity: { direction: 'lower', min: 1, max: null, perExample: true },
      bleu: { direction: 'higher', min: 0, max: 1 },
    })
    expect(Object.keys(measured ?? {})).toHaveLength(2)
    expect(() => resolve(kind, { metrics: ['blue'] })).toThrow()
    expect(() => resolve(kind, { metrics: [] })).toThrow()
  })

  test('the generating steps do not depend on how text is measured', () => {
    const generating = (options: JsonObject): unknown => kind.steps(resolve(kind, options)).slice(0, -1)
    expect(generating({ bleu_tokenizer: 'zh' })).toEqual(generating({ bleu_tokenizer: 'char' }))
  })
})

test('lora-train takes names of layers and no misspelt one', () => {
  const kind = stageKinds['lora-train']
  if (!kind) throw new Error('no lora-train')
  expect(resolve(kind, { target: ['q_proj', 'v_proj'] })['target']).toEqual(['q_proj', 'v_proj'])
  expect(() => resolve(kind, { target: ['q_porj'] })).toThrow()
  expect(() => resolve(kind, { target: 'all' })).toThrow()
})

test('workers of others may take over every heavy step that a stage has, and no other', () => {
  const steps = Object.values(stageKinds).flatMap((kind) => kind.steps(resolve(kind)))
  const heavy = new Set(steps.filter(({ on }) => on === 'kernel').map(({ op }) => op))
  expect([...KERNEL_OPS].sort()).toEqual([...heavy].sort())
})
