/** Training that starts from given weights: takes them over exactly, and refuses those that do not fit. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { readModel } from '../../workers/onnx/model-dir.ts'
import { run as loraTrain } from '../../workers/onnx/ops/lora-train.ts'
import { run as pretrain } from '../../workers/onnx/ops/pretrain.ts'
import type { JsonObject } from '../../workers/protocol/json.ts'
import { LORA, PRETRAIN, bytesOf, makeCorpus, makeTokens, runJob } from './training-jobs.ts'
import type { Ran } from './training-jobs.ts'

let corpus: string
let tokenizer: string
let model: string
let tokens: string
let adapter: string
beforeAll(async () => {
  ;({ corpus, tokenizer } = makeCorpus())
  model = (await pretraining({ steps: 20 })).outputs['model']!
  tokens = await makeTokens(model)
  adapter = (await tuning({})).outputs['adapter']!
})

function pretraining(changes: JsonObject, warm_start?: string): Promise<Ran> {
  const inputs = { corpus, tokenizer, ...(warm_start === undefined ? {} : { warm_start }) }
  return runJob(pretrain, { ...PRETRAIN, ...changes }, inputs, ['model'])
}
function tuning(changes: JsonObject, warm_start?: string): Promise<Ran> {
  const inputs = { tokens, model, ...(warm_start === undefined ? {} : { warm_start }) }
  return runJob(loraTrain, { ...LORA, epochs: 4, ...changes }, inputs, ['adapter', 'training'])
}

/** A step of no length leaves the weights as they were given. */
const STILL = { lr: 0, steps: 1, max_steps: 1 }

describe('lora-train', () => {
  test('takes over the matrices of the adapter and nothing else', async () => {
    const still = await tuning(STILL, adapter)
    const file = 'adapter_model.safetensors'
    expect(bytesOf(still.outputs['adapter']!, file)).toBe(bytesOf(adapter, file))
    // A fresh optimizer and a fresh schedule: the first step is the first of its own training.
    const more = await tuning({ warmup: 0 }, adapter)
    expect(more.values[0]!['lr']).toBe(LORA.lr)
    // The same rows and the same adapter cost the same; without it they cost more.
    expect(more.summary['first_loss']).toBe(still.summary['loss'])
    const fresh = await tuning(STILL)
    expect(more.summary['first_loss']).toBeLessThan(fresh.summary['loss'] as number)
  })

  test.each<[JsonObject, RegExp, RegExp]>([
    [{ r: 4 }, /has r 8, not 4/, /r: 8/],
    [{ alpha: 32 }, /has alpha 16, not 32/, /alpha: 16/],
    [
      { r: 2, target: ['q_proj'] },
      /has r 8, not 2; target down_proj, .*v_proj, not q_proj/,
      /r: 8, target: \[down_proj, gate_proj/,
    ],
  ])('refuses an adapter of another shape: %o', async (changes, message, help) => {
    const refused = tuning(changes, adapter)
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.toMatchObject({
      kind: 'input',
      help: expect.stringMatching(help) as string,
    })
  })

  test('refuses an adapter of another model', async () => {
    const other = (await pretraining({ steps: 1, seed: 7 })).outputs['model']!
    const inputs = { tokens: await makeTokens(other), model: other, warm_start: adapter }
    const refused = runJob(loraTrain, LORA, inputs, ['adapter', 'training'])
    await expect(refused).rejects.toThrow(/was trained on .*, but the model given is/)
  })
})

describe('pretrain', () => {
  test('takes over the weights of the model and nothing else', async () => {
    const still = await pretraining({ ...STILL, seed: 99 }, model)
    for (const file of ['model.safetensors', 'config.json', 'tokenizer.json'])
      expect(bytesOf(still.outputs['model']!, file)).toBe(bytesOf(model, file))
    const fresh = await pretraining({ steps: 1 })
    const more = await pretraining({ steps: 10 }, model)
    expect(more.summary['first_loss']).toBeLessThan((fresh.summary['first_loss'] as number) - 1)
  })

  test('keeps what only the model knows, and takes a longer context', async () => {
    const path = join(model, 'config.json')
    const before = readFileSync(path, 'utf8')
    try {
      writeFileSync(path, before.replaceAll('"rope_theta": 10000', '"rope_theta": 50000'))
      const more = await pretraining({ ...STILL, context: 600 }, model)
      const { config } = readModel(more.outputs['model']!)
      expect(config).toMatchObject({ ropeTheta: 50000, maxPositions: 600 })
    } finally {
      writeFileSync(path, before)
    }
  })

  test('refuses a model of another shape with all differences', async () => {
    const refused = pretraining({ hidden: 64, layers: 1 }, model)
    await expect(refused).rejects.toThrow(/The model of warm_start .* has hidden 32, not 64; layers 2, not 1/)
    await expect(refused).rejects.toMatchObject({
      help: expect.stringContaining('hidden: 32, layers: 2') as string,
    })
  })
})
