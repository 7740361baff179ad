/** What nobody checks while a pipeline is compiled, because it is true before: grammars, schemas, defaults. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, it } from 'vitest'
import { grammarProblems } from '../../dsl/expression/parse.ts'
import { propertiesOf } from '../../dsl/options.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import { stageKinds } from '../../stages/catalogue.ts'

it('the grammars are sound', () => {
  expect(grammarProblems()).toEqual([])
})

it.each(Object.values(stageKinds))(
  'the schema of $name is JSON Schema 2020-12, and its defaults fit it',
  (kind) => {
    const ajv = new Ajv2020({ strict: false })
    expect(ajv.validateSchema(kind.options), ajv.errorsText()).toBe(true)
    const defaults = Object.entries(propertiesOf(kind.options)).flatMap(([name, schema]) => {
      const value = (schema as JsonObject)['default']
      return value === undefined ? [] : [[name, value] as const]
    })
    const validate = ajv.compile(kind.options)
    validate(Object.fromEntries(defaults))
    const wrong = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'required')
    expect(wrong).toEqual([])
  },
)
