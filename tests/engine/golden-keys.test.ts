/** Keys that were once given out: a change of any of them makes every cache of the world worthless. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Json } from '../../dsl/stage-signature.ts'
import { digestOf } from '../../engine/artifact.ts'
import { differences, keyOf, manifestOf } from '../../engine/plan/manifest.ts'
import type { Ingredients, Manifest } from '../../engine/plan/manifest.ts'

interface Vector {
  readonly says: string
  readonly ingredients: Ingredients
  readonly manifest: Manifest
  readonly key: string
}

const path = join(import.meta.dirname, '../fixtures/keys.json')
const vectors = JSON.parse(readFileSync(path, 'utf8')) as readonly Vector[]

describe('golden vectors', () => {
  test('are all there', () => expect(vectors.length).toBe(8))
  test.each(vectors)('$says', ({ ingredients, manifest, key }) => {
    expect(manifestOf(ingredients)).toEqual(manifest)
    expect(keyOf(manifest)).toBe(key)
  })
  test('no two are the same', () => expect(new Set(vectors.map(({ key }) => key)).size).toBe(vectors.length))
})

const name = fc.stringMatching(/^[a-z_/-]{1,8}$/)
const digest = fc.string().map((text) => digestOf(text))
const ingredients: fc.Arbitrary<Ingredients> = fc.record({
  kind: name,
  version: name,
  with: fc.dictionary(name, fc.jsonValue() as fc.Arbitrary<Json>),
  also: fc.array(fc.jsonValue() as fc.Arbitrary<Json>, { maxLength: 3 }),
  inputs: fc.dictionary(name, digest),
  ops: fc.dictionary(name, digest),
  runtime: fc.dictionary(name, name),
})

const backwards = <T>(map: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(map).reverse())

describe('any stage', () => {
  test('has the same key whatever the order of its maps', () => {
    fc.assert(
      fc.property(ingredients, (all) => {
        const other = {
          ...all,
          with: backwards(all.with),
          inputs: backwards(all.inputs),
          ops: backwards(all.ops),
          runtime: backwards(all.runtime),
        }
        expect(keyOf(backwards(manifestOf(other)))).toBe(keyOf(manifestOf(all)))
      }),
    )
  })

  test('has another key when one ingredient is changed, taken out or put in, and it is named', () => {
    fc.assert(
      fc.property(ingredients, fc.nat(), (all, pick) => {
        const manifest = manifestOf(all)
        const names = Object.keys(manifest)
        const flipped = names[pick % names.length] ?? ''
        const { [flipped]: value = '', ...without } = manifest
        for (const other of [{ ...without, [flipped]: `${value}0` }, without]) {
          expect(keyOf(other)).not.toBe(keyOf(manifest))
          expect(differences(manifest, other).map(({ ingredient }) => ingredient)).toEqual([flipped])
        }
      }),
    )
  })
})
