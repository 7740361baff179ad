/** Model directories: what transformers 4 and 5 write is read, what we cannot compute is refused in words. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectedShapes, readModel, readWeight } from '../../workers/onnx/model-dir.ts'
import { openSafetensors, readFloat32, writeSafetensors } from '../../workers/onnx/safetensors.ts'
import { SMALL, copyOf, fixtureDir, randomModelDir, randomWeights } from './model-fixture.ts'

type Fields = Record<string, unknown>

function editConfig(dir: string, edit: (config: Fields) => void): string {
  const path = join(dir, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8')) as Fields
  edit(config)
  writeFileSync(path, JSON.stringify(config))
  return dir
}

describe('readModel', () => {
  it('reads configuration and weights that transformers wrote', () => {
    const model = readModel(fixtureDir('tiny-untied'))
    expect(model.config).toEqual({
      vocabSize: 300,
      hiddenSize: 64,
      intermediateSize: 128,
      layers: 2,
      heads: 4,
      kvHeads: 2,
      headDim: 16,
      rmsNormEps: 1e-5,
      ropeTheta: 50000,
      tieWordEmbeddings: false,
      maxPositions: 128,
      eosIds: [2],
    })
    expect([...model.weights.keys()].sort()).toEqual([...expectedShapes(model.config).keys()].sort())
    expect(readModel(fixtureDir('tiny-tied')).weights.has('lm_head.weight')).toBe(false)
  })

  it('reads the spelling of transformers 4, several stop tokens and its defaults', () => {
    const dir = editConfig(copyOf('tiny-untied'), (config) => {
      delete config['rope_parameters']
      delete config['head_dim']
      config['rope_theta'] = 1234
      config['rope_scaling'] = null
      config['eos_token_id'] = [7, 8]
    })
    expect(readModel(dir).config).toMatchObject({ ropeTheta: 1234, headDim: 16, eosIds: [7, 8, 2] })
  })

  it.each<[string, (config: Fields) => void]>([
    ['architecture MistralForCausalLM', (c) => (c['architectures'] = ['MistralForCausalLM'])],
    ['architecture LlamaForCausalLM', (c) => (c['model_type'] = 'other')],
    ['rope type "llama3"', (c) => (c['rope_parameters'] = { rope_type: 'llama3', rope_theta: 1, factor: 8 })],
    ['rope type "linear"', (c) => ((c['rope_parameters'] = null), (c['rope_scaling'] = { type: 'linear' }))],
    ['attention_bias is true', (c) => (c['attention_bias'] = true)],
    ['mlp_bias is true', (c) => (c['mlp_bias'] = true)],
    ['hidden_act is "gelu"', (c) => (c['hidden_act'] = 'gelu')],
    ['quantized', (c) => (c['quantization_config'] = { bits: 4 })],
    ['no multiple of num_key_value_heads', (c) => (c['num_key_value_heads'] = 3)],
    ['num_hidden_layers must be a positive integer', (c) => (c['num_hidden_layers'] = 0)],
  ])('refuses: %s', (message, edit) => {
    const dir = editConfig(copyOf('tiny-untied'), edit)
    expect(() => readModel(dir)).toThrow(message)
  })

  it('names a tensor that is missing, misshapen or of an unread type', () => {
    const layers = editConfig(copyOf('tiny-untied'), (config) => (config['num_hidden_layers'] = 3))
    expect(() => readModel(layers)).toThrow(
      /lacks the tensor model\.layers\.2\.input_layernorm\.weight \(\[64\]\)/,
    )
    const wider = editConfig(copyOf('tiny-untied'), (config) => (config['vocab_size'] = 301))
    expect(() => readModel(wider)).toThrow('embed_tokens.weight in')
    expect(() => readModel(wider)).toThrow('is [300, 64]; config.json implies [301, 64]')
    const integers = copyOf('tiny-untied')
    const path = join(integers, 'model.safetensors')
    const text = readFileSync(path).toString('latin1').replaceAll('"BF16"', '"UI16"')
    writeFileSync(path, Buffer.from(text, 'latin1'))
    expect(() => readModel(integers)).toThrow('as UI16; only F32, BF16 and F16 are read')
  })

  it('says what is missing', () => {
    expect(() => readModel(join(fixtureDir('tiny-tied'), 'none'))).toThrow('config.json is missing')
    const dir = copyOf('tiny-tied')
    renameSync(join(dir, 'model.safetensors'), join(dir, 'pytorch_model.bin'))
    expect(() => readModel(dir)).toThrow('has no model.safetensors')
  })

  it('reads weights that are spread over several files', () => {
    const whole = readModel(fixtureDir('tiny-tied'))
    const dir = copyOf('tiny-tied')
    const source = join(dir, 'model.safetensors')
    const file = openSafetensors(source)
    const map: Record<string, string> = {}
    const parts = [new Map(), new Map()]
    for (const [name, tensor] of file.tensors) {
      const part = Object.keys(map).length % 2
      map[name] = `part-${part}.safetensors`
      parts[part]!.set(name, { shape: tensor.shape, data: readFloat32(source, tensor) })
    }
    parts.forEach((part, i) => writeSafetensors(join(dir, `part-${i}.safetensors`), part, {}))
    renameSync(source, join(dir, 'old'))
    writeFileSync(join(dir, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
    const model = readModel(dir)
    expect(readWeight(model, 'model.norm.weight')).toEqual(readWeight(whole, 'model.norm.weight'))
    expect(model.fingerprint).toBe(whole.fingerprint)
    renameSync(join(dir, 'part-1.safetensors'), join(dir, 'lost'))
    expect(() => readModel(dir)).toThrow(/part-1\.safetensors is missing/)
  })
})

describe('writeModel', () => {
  it('gives back what was written, and the same bytes and fingerprint every time', () => {
    const dir = randomModelDir(SMALL, 1)
    const model = readModel(dir)
    expect(model.config).toEqual(SMALL)
    for (const [name, { data }] of randomWeights(SMALL, 1)) expect(readWeight(model, name)).toEqual(data)
    const again = randomModelDir(SMALL, 1)
    for (const file of ['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json']) {
      expect(readFileSync(join(again, file)).equals(readFileSync(join(dir, file)))).toBe(true)
    }
    expect(readModel(again).fingerprint).toBe(model.fingerprint)
  })

  it('fingerprints differ when weights or what is computed differ', () => {
    const prints = [
      randomModelDir(SMALL, 1),
      randomModelDir(SMALL, 2),
      randomModelDir({ ...SMALL, ropeTheta: 20000 }, 1),
      randomModelDir({ ...SMALL, tieWordEmbeddings: true }, 1),
    ].map((dir) => readModel(dir).fingerprint)
    expect(new Set(prints).size).toBe(4)
  })
})
