/** Adapter directories: PEFT's are read, ours say which base they belong to, what we cannot compute is refused. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { adapterTensorName, mergeInto, readAdapter, writeAdapter } from '../../workers/onnx/adapter-dir.ts'
import { readModel } from '../../workers/onnx/model-dir.ts'
import { openSafetensors, readFloat32, writeSafetensors } from '../../workers/onnx/safetensors.ts'
import {
  SMALL,
  byteTokenizerDir,
  copyOf,
  fixtureDir,
  randomAdapter,
  randomModelDir,
  randomValues,
  tempDir,
} from './model-fixture.ts'

function editTensors(
  dir: string,
  edit: (tensors: Map<string, { shape: readonly number[]; data: Float32Array }>) => void,
) {
  const path = join(dir, 'adapter_model.safetensors')
  const tensors = new Map(
    [...openSafetensors(path).tensors].map(([name, t]) => [
      name,
      { shape: t.shape, data: readFloat32(path, t) },
    ]),
  )
  edit(tensors)
  writeSafetensors(path, tensors, {})
}

describe('readAdapter', () => {
  it("reads PEFT's adapters without a base.json", () => {
    const all = readAdapter(fixtureDir('tiny-untied-adapter'), readModel(fixtureDir('tiny-untied')))
    expect(all).toMatchObject({ r: 4, alpha: 8, dropout: 0.05 })
    expect(all.targets).toEqual(['down_proj', 'gate_proj', 'k_proj', 'o_proj', 'q_proj', 'up_proj', 'v_proj'])
    expect(all.tensors.size).toBe(28)
    const two = readAdapter(fixtureDir('tiny-tied-adapter'), readModel(fixtureDir('tiny-tied')))
    expect(two.targets).toEqual(['q_proj', 'v_proj'])
    expect(two.tensors.get(adapterTensorName(1, 'self_attn.v_proj', 'B'))!.shape).toEqual([16, 3])
  })

  it('fills layers that PEFT left alone with zeros', () => {
    const dir = copyOf('tiny-tied-adapter')
    editTensors(dir, (tensors) => {
      for (const matrix of ['A', 'B'] as const)
        tensors.delete(adapterTensorName(0, 'self_attn.q_proj', matrix))
    })
    const adapter = readAdapter(dir, readModel(fixtureDir('tiny-tied')))
    expect(adapter.targets).toEqual(['q_proj', 'v_proj'])
    const added = adapter.tensors.get(adapterTensorName(0, 'self_attn.q_proj', 'B'))!
    expect(added.shape).toEqual([48, 3])
    expect(added.data.every((value) => value === 0)).toBe(true)
  })

  it('refuses an adapter of a model of another shape, and half a pair', () => {
    const model = readModel(fixtureDir('tiny-tied'))
    expect(() => readAdapter(fixtureDir('tiny-untied-adapter'), model)).toThrow(
      /is \[4, 64\]; this model .* \[4, 48\]/,
    )
    const half = copyOf('tiny-tied-adapter')
    editTensors(half, (tensors) => tensors.delete(adapterTensorName(1, 'self_attn.q_proj', 'B')))
    expect(() => readAdapter(half, model)).toThrow('lora_A.weight without its partner')
    const strange = copyOf('tiny-tied-adapter')
    editTensors(strange, (tensors) =>
      tensors.set('base_model.model.lm_head.lora_A.weight', { shape: [0], data: new Float32Array(0) }),
    )
    expect(() => readAdapter(strange, model)).toThrow('adapts base_model.model.lm_head.lora_A.weight')
  })

  it.each([
    ['use_dora', true],
    ['bias', 'all'],
    ['rank_pattern', { q_proj: 2 }],
    ['modules_to_save', ['lm_head']],
    ['peft_type', 'IA3'],
    ['r', 0],
  ])('refuses %s %j', (key, value) => {
    const dir = copyOf('tiny-tied-adapter')
    const path = join(dir, 'adapter_config.json')
    writeFileSync(
      path,
      JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), [key]: value }),
    )
    expect(() => readAdapter(dir, readModel(fixtureDir('tiny-tied')))).toThrow(key)
  })

  it('turns the scale of rank-stabilised LoRA into alpha / r', () => {
    const dir = copyOf('tiny-tied-adapter')
    const path = join(dir, 'adapter_config.json')
    writeFileSync(
      path,
      JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), use_rslora: true }),
    )
    const { alpha, r } = readAdapter(dir, readModel(fixtureDir('tiny-tied')))
    expect(alpha / r).toBeCloseTo(12 / Math.sqrt(3), 12)
  })
})

describe('writeAdapter', () => {
  it('gives back what was written', () => {
    const model = readModel(randomModelDir(SMALL, 3))
    const adapter = randomAdapter(model, ['q_proj', 'down_proj'], 4, 9)
    const dir = tempDir()
    writeAdapter(dir, adapter, model, byteTokenizerDir())
    expect(readAdapter(dir, model)).toEqual(adapter)
    expect(readFileSync(join(dir, 'tokenizer.json'), 'utf8')).toContain('<|end|>')
  })

  it('is refused by another base of the same shape, and both are named', () => {
    const [mine, other] = [readModel(randomModelDir(SMALL, 3)), readModel(randomModelDir(SMALL, 4))]
    const dir = tempDir()
    writeAdapter(dir, randomAdapter(mine, ['q_proj'], 2, 1), mine, byteTokenizerDir())
    expect(() => readAdapter(dir, other)).toThrow(
      new RegExp(
        `trained on .*${mine.fingerprint.slice(0, 12)}.* model given is .*${other.fingerprint.slice(0, 12)}`,
      ),
    )
  })
})

describe('mergeInto', () => {
  it('adds alpha / r · B A to the weights it is meant for, and to no other', () => {
    const model = readModel(randomModelDir(SMALL, 3))
    const adapter = randomAdapter(model, ['k_proj'], 3, 5)
    const shape = [16, 32]
    const before = randomValues(16 * 32, 8)
    const merged = before.slice()
    mergeInto(adapter, 'model.layers.1.self_attn.k_proj.weight', shape, merged)
    const a = adapter.tensors.get(adapterTensorName(1, 'self_attn.k_proj', 'A'))!.data
    const b = adapter.tensors.get(adapterTensorName(1, 'self_attn.k_proj', 'B'))!.data
    for (const [i, j] of [
      [0, 0],
      [3, 31],
      [15, 7],
    ] as const) {
      const product = [0, 1, 2].reduce((sum, k) => sum + b[i * 3 + k]! * a[k * 32 + j]!, 0)
      expect(merged[i * 32 + j]).toBeCloseTo(before[i * 32 + j]! + 2 * product, 6)
      expect(Math.abs(2 * product)).toBeGreaterThan(1e-4)
    }
    const untouched = before.slice()
    mergeInto(adapter, 'model.layers.1.self_attn.v_proj.weight', shape, untouched)
    expect(untouched).toEqual(before)
  })
})
