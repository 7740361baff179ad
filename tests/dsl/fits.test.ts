/** Our few rules of JSON Schema against ajv: where they decide, they decide alike. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fits } from '../../dsl/fits.ts'
import { propertiesOf } from '../../dsl/options.ts'
import type { Json, JsonObject } from '../../dsl/stage-signature.ts'
import { stageKinds } from '../../stages/catalogue.ts'

const scalar = fc.constantFrom<Json[]>(
  null,
  true,
  false,
  0,
  1,
  -1,
  2,
  0.5,
  1e9,
  '',
  'a',
  'zh',
  'all-linear',
  '字',
)
const anything = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('', 'a', 'b', 'toString'), scalar, { maxKeys: 3 }),
)

/** Options of a kind that mostly exist, with values that now and then fit. */
function optionsOf(schema: JsonObject): fc.Arbitrary<Json> {
  const valueFor = (property: JsonObject): fc.Arbitrary<Json> => {
    const free = property['type'] === 'string' && property['pattern'] === undefined ? ['a', 'zh'] : []
    const known = [property['default'], ...((property['enum'] ?? free) as Json[])].filter(
      (each): each is Json => each !== undefined,
    )
    const words = (((property['items'] ?? {}) as JsonObject)['enum'] ?? ['q_proj', 'v_proj']) as Json[]
    return fc.oneof(
      ...(known.length > 0 ? [{ weight: 6, arbitrary: fc.constantFrom(...known) }] : []),
      { weight: 2, arbitrary: fc.array(fc.constantFrom(...words), { maxLength: 3 }) },
      { weight: 2, arbitrary: fc.integer({ min: -1, max: 70 }) },
      { weight: 1, arbitrary: anything },
    )
  }
  const properties = Object.entries(propertiesOf(schema)) as [string, JsonObject][]
  return fc.record(
    { ...Object.fromEntries(properties.map(([name, each]) => [name, valueFor(each)])), odd: scalar },
    { requiredKeys: [] },
  )
}

it.each(Object.values(stageKinds))('the options of $name', ({ options }) => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false }).compile(options)
  const seen = { fit: 0, wrong: 0 }
  const values = [
    ...fc.sample(optionsOf(options), { numRuns: 1500, seed: 1 }),
    ...fc.sample(anything, { numRuns: 100, seed: 2 }),
    // One option at a time, so that some fit.
    ...(Object.entries(propertiesOf(options)) as [string, JsonObject][]).flatMap(([name, property]) =>
      fc.sample(optionsOf({ properties: { [name]: property } }), { numRuns: 90, seed: 3 }),
    ),
  ]
  for (const value of values) {
    const verdict = ajv(value)
    seen[verdict ? 'fit' : 'wrong']++
    expect(fits(options, value), JSON.stringify(value)).toBe(verdict)
  }
  expect(seen.wrong).toBeGreaterThan(50)
  if (options['required'] === undefined) expect(seen.fit).toBeGreaterThan(50)
})

it.each<[JsonObject, Json, boolean | null]>([
  [
    { properties: { a: { type: 'integer' } }, additionalProperties: { type: 'string' } },
    { a: 1, b: 'x' },
    true,
  ],
  [
    { properties: { a: { type: 'integer' } }, additionalProperties: { type: 'string' } },
    { a: 1, b: 2 },
    false,
  ],
  [{ properties: {}, additionalProperties: false }, { toString: 1 }, false],
  [{ required: ['toString'] }, {}, false],
  [{ enum: ['a'] }, 'b', false],
  // A rule that is not ours is left to ajv, even beside one that holds.
  [{ type: 'object', patternProperties: { '^a': { type: 'string' } } }, { a: 'x' }, null],
  [{ allOf: [{ type: 'string' }] }, 'x', null],
  [{ oneOf: [{ format: 'x' }, { type: 'string' }] }, 'x', null],
])('%j says of %j: %j', (schema, value, verdict) => {
  expect(fits(schema, value)).toBe(verdict)
})
