/** Keys: what makes two stages the same work, and what does not. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Json } from '../../dsl/stage-signature.ts'
import { canonicalJson, digestOf, treeOf } from '../../engine/artifact.ts'
import type { Digest } from '../../engine/artifact.ts'
import { differences, keyOf, manifestOf } from '../../engine/plan/manifest.ts'
import type { Ingredients } from '../../engine/plan/manifest.ts'
import { stageManifest } from '../../engine/plan/plan.ts'
import { environmentAt, stageOf } from '../support/rig.ts'

const base: Ingredients = {
  kind: 'lora-train',
  version: '1.0.0',
  with: { lr: 0.0002, target: ['q_proj', 'v_proj'], nested: { b: 1, a: '中' } },
  also: [],
  inputs: { tokens: digestOf('tokens'), model: digestOf('model') },
  ops: { 'kernel/lora-train': 'code' },
  runtime: { 'onnxruntime-node': '1.30.0' },
}
const key = (changes: Partial<Ingredients> = {}) => keyOf(manifestOf({ ...base, ...changes }))

/** The same value with the keys of every object in another order. */
function reversed(value: Json): Json {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, item]) => [name, reversed(item)]),
  )
}

describe('canonical JSON', () => {
  test('is one text for one value', () => {
    expect(canonicalJson({ b: [1, { d: null, c: -0 }], a: 'é"\n', '10': true, '9': 1e21 })).toBe(
      '{"10":true,"9":1e+21,"a":"é\\"\\n","b":[1,{"c":0,"d":null}]}',
    )
    // Code units, not code points: U+1F600 (D83D) sorts before U+FB33.
    expect(canonicalJson({ '\u{FB33}': 1, '\u{1F600}': 2 })).toBe('{"\u{1F600}":2,"\u{FB33}":1}')
  })

  test('ignores the order of object keys, keeps every value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value as Json)
        expect(canonicalJson(reversed(value as Json))).toBe(text)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

describe('key', () => {
  test('golden: changes only when FORMAT is raised', () => {
    expect(manifestOf(base)).toMatchInlineSnapshot(`
      {
        "format": "1",
        "input.model": ""sha256:9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"",
        "input.tokens": ""sha256:c51e455b41df6c017327e16001dd064b8b6733faeaa69b23d9bd79c8079237d5"",
        "kind": ""lora-train"",
        "op.kernel/lora-train": ""code"",
        "runtime.onnxruntime-node": ""1.30.0"",
        "version": ""1.0.0"",
        "with.lr": "0.0002",
        "with.nested": "{"a":"中","b":1}",
        "with.target": "["q_proj","v_proj"]",
      }
    `)
    expect(key()).toMatchInlineSnapshot(
      `"sha256:a0fd8524a66ea96018b58fe1f1f7eeaf5859e36afde33613b210977dbcd336b9"`,
    )
  })

  test('is the same for another order of keys, another for another order of a list', () => {
    expect(key({ with: reversed(base.with) as Ingredients['with'] })).toBe(key())
    expect(key({ with: { ...base.with, target: ['v_proj', 'q_proj'] } })).not.toBe(key())
  })

  test('every ingredient flips it, and is named as the difference', () => {
    const changed: Record<string, Partial<Ingredients>> = {
      kind: { kind: 'eval' },
      version: { version: '1.0.1' },
      'with.lr': { with: { ...base.with, lr: 0.00020001 } },
      'with.nested': { with: { ...base.with, nested: { a: '中', b: '1' } } },
      'with.extra': { with: { ...base.with, extra: null } },
      'input.model': { inputs: { ...base.inputs, model: digestOf('other') } },
      'input.adapter': { inputs: { ...base.inputs, adapter: digestOf('a') } },
      'op.kernel/lora-train': { ops: { 'kernel/lora-train': 'other code' } },
      'runtime.onnxruntime-node': { runtime: { 'onnxruntime-node': '1.31.0' } },
    }
    const keys = [key()]
    for (const [ingredient, change] of Object.entries(changed)) {
      const after = manifestOf({ ...base, ...change })
      expect(differences(manifestOf(base), after).map((difference) => difference.ingredient)).toEqual([
        ingredient,
      ])
      keys.push(keyOf(after))
    }
    expect(new Set(keys).size).toBe(keys.length)
  })

  test('swapping two inputs flips it; a number is not its text', () => {
    const { tokens, model } = base.inputs as { tokens: Digest; model: Digest }
    expect(key({ inputs: { tokens: model, model: tokens } })).not.toBe(key())
    expect(key({ with: { lr: 1 } })).not.toBe(key({ with: { lr: '1' } }))
  })

  test('a stage may be renamed and the project moved', () => {
    const options = { with: { files: {} }, timeoutMs: 5 }
    const one = stageManifest(stageOf('one', options), {}, environmentAt('/a'))
    const two = stageManifest(
      stageOf('two', { ...options, timeoutMs: 9 }),
      {},
      environmentAt('/b', { threads: { text: 9 }, provenance: { cpu: 'other' } }),
    )
    expect(keyOf(two)).toBe(keyOf(one))
    const recoded = environmentAt('/a', { ops: { 'text/act': 'a2', 'kernel/again': 'b1' } })
    expect(keyOf(stageManifest(stageOf('one', options), {}, recoded))).not.toBe(keyOf(one))
  })
})

test('a tree is its files by path, in whatever order they were found', () => {
  const file = (path: string) => ({ path, size: 1, digest: digestOf(path) })
  expect(treeOf([file('b'), file('a/c')]).digest).toBe(treeOf([file('a/c'), file('b')]).digest)
  expect(treeOf([file('b')]).digest).not.toBe(treeOf([{ ...file('b'), path: 'c' }]).digest)
})
