/** A merged model is what PEFT's merge_and_unload makes, and computes what model and adapter compute together. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { prefixLogits } from '../../workers/onnx/decoder.ts'
import { readModel, readWeight } from '../../workers/onnx/model-dir.ts'
import { run } from '../../workers/onnx/ops/merge.ts'
import { openSafetensors, readFloat32, writeSafetensors } from '../../workers/onnx/safetensors.ts'
import { copyTokenizer } from '../../workers/tokenizer-copy.ts'
import { byteTokenizerDir, copyOf, fixtureDir, readTinyLlama, tempDir } from './model-fixture.ts'

interface Merged {
  readonly cases: readonly {
    readonly model: string
    readonly adapter: string
    readonly weights: Readonly<
      Record<
        string,
        { shape: readonly number[]; norm: number; at: readonly number[]; values: readonly number[] }
      >
    >
  }[]
}

const fixture = JSON.parse(readFileSync(fixtureDir('tiny-merged.json'), 'utf8')) as Merged

async function merge(modelDir: string, adapterDir: string): Promise<{ dir: string; summary: object }> {
  const dir = tempDir()
  const summary = await run({
    with: {},
    inputs: {
      model: { dir: modelDir, files: readdirSync(modelDir) },
      adapter: { dir: adapterDir, files: readdirSync(adapterDir) },
    },
    outputs: { model: dir },
    threads: 1,
    progress: () => undefined,
    note: () => undefined,
    throwIfCancelled: () => Promise.resolve(),
  })
  return { dir, summary }
}

function withTokenizer(name: string): string {
  const dir = copyOf(name)
  copyTokenizer(byteTokenizerDir(), dir)
  return dir
}

describe.each(fixture.cases)('$model with $adapter', ({ model, adapter, weights }) => {
  it("has PEFT's weights, float32 whatever the base is stored in", async () => {
    const { dir, summary } = await merge(withTokenizer(model), fixtureDir(adapter))
    const merged = readModel(dir)
    const base = readModel(fixtureDir(model))
    expect([...merged.weights.keys()].sort()).toEqual(Object.keys(weights).sort())
    let changed = 0
    for (const [name, { shape, norm, at, values }] of Object.entries(weights)) {
      expect(merged.weights.get(name)).toMatchObject({ dtype: 'F32', shape })
      const data = readWeight(merged, name)
      if (!data.every((value, i) => value === readWeight(base, name)[i])) changed++
      expect(Math.hypot(...data) / norm).toBeCloseTo(1, 6)
      const largest = Math.max(...values.map(Math.abs))
      at.forEach((i, k) => expect(Math.abs(data[i]! - values[k]!)).toBeLessThan(2e-7 * Math.max(1, largest)))
    }
    expect(summary).toEqual({ weights: Object.keys(weights).length, merged: changed })
    expect(changed).toBe(model === 'tiny-tied' ? 4 : 14)
  })

  it('keeps configuration and tokenizer, and computes what the two computed', async () => {
    const { dir } = await merge(withTokenizer(model), fixtureDir(adapter))
    const config = (path: string) => JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as object
    expect(config(dir)).toEqual({ ...config(fixtureDir(model)), torch_dtype: 'float32', dtype: 'float32' })
    expect(readdirSync(dir).sort()).toEqual(
      [
        'config.json',
        'generation_config.json',
        'model.safetensors',
        'tokenizer.json',
        'tokenizer_config.json',
      ].sort(),
    )
    const { prompts, cases } = readTinyLlama()
    const expected = cases.find((each) => each.model === model)!.adapted.logits
    const logits = await prefixLogits(readModel(dir), null, prompts[0]!, 1)
    expected.flat().forEach((value, i) => expect(Math.abs(logits[i]! - value)).toBeLessThan(2e-4))
  })
})

it('refuses a sum that is not finite, and an adapter of another model', async () => {
  const adapter = copyOf('tiny-tied-adapter')
  const path = join(adapter, 'adapter_model.safetensors')
  const tensors = new Map(
    [...openSafetensors(path).tensors].map(([name, t]) => [
      name,
      { shape: t.shape, data: readFloat32(path, t) },
    ]),
  )
  tensors.get('base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight')!.data[3] = Number.NaN
  writeSafetensors(path, tensors, {})
  await expect(merge(withTokenizer('tiny-tied'), adapter)).rejects.toThrow(
    'q_proj.weight holds numbers that are not finite',
  )
  await expect(merge(withTokenizer('tiny-untied'), fixtureDir('tiny-tied-adapter'))).rejects.toThrow(
    /this model with r = 3/,
  )
})
