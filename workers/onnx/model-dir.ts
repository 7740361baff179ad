/** A model directory in the Hugging Face layout: configuration, weights and tokenizer of a Llama. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { JobError } from '../op.ts'
import { copyTokenizer } from '../tokenizer-copy.ts'
import { openSafetensors, readFloat32, readRange, writeSafetensors } from './safetensors.ts'
import type { TensorType } from './safetensors.ts'
import { readLlamaConfig } from './llama-config.ts'
import type { LlamaConfig } from './llama-config.ts'

export type { LlamaConfig } from './llama-config.ts'

export interface StoredWeight {
  /** Base name of the file, below the model's `weightsDir`. */
  readonly file: string
  readonly dtype: TensorType
  readonly shape: readonly number[]
  /** Absolute byte offset in the file. */
  readonly offset: number
  readonly byteLength: number
}

export interface Model {
  /** The directory as given. */
  readonly dir: string
  /** The real directory of the weight files; ONNX Runtime refuses links that leave a folder. */
  readonly weightsDir: string
  readonly config: LlamaConfig
  readonly weights: ReadonlyMap<string, StoredWeight>
  /** Identifies the base: sha256 of configuration, tensor list and the beginning of every tensor's bytes. */
  readonly fingerprint: string
}

export interface WeightData {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** How much of each tensor enters the fingerprint: enough to tell two trainings apart, cheap for any size. */
const FINGERPRINT_BYTES = 65536

/**
 * Reads configuration and weight locations (not the weights) of a Llama in the Hugging Face layout.
 * Throws `JobError('input')` for other architectures, missing files, and missing or misshapen tensors.
 */
export function readModel(dir: string): Model {
  const config = readLlamaConfig(join(dir, 'config.json'))
  const files = weightFiles(dir).map((file) => realpathSync(file))
  const weightsDir = dirname(files[0]!)
  const elsewhere = files.find((file) => dirname(file) !== weightsDir)
  if (elsewhere !== undefined) {
    throw new JobError(
      'input',
      `The weight files of ${dir} lie in different directories (${weightsDir} and ${dirname(elsewhere)}).`,
      'Copy them into one directory.',
    )
  }
  const expected = expectedShapes(config)
  const weights = new Map<string, StoredWeight>()
  const unread = new Map<string, string>()
  for (const path of files) {
    const content = openSafetensors(path)
    for (const [name, dtype] of content.unread) unread.set(name, dtype)
    for (const [name, tensor] of content.tensors) {
      if (expected.has(name)) weights.set(name, { file: basename(path), ...tensor })
    }
    const bias = [...content.tensors.keys()].find((name) => name.endsWith('.bias'))
    if (bias !== undefined) {
      throw new JobError('input', `${path} has a bias (${bias}); only Llamas without biases are supported.`)
    }
  }
  for (const [name, shape] of expected) checkTensor(dir, name, shape, weights.get(name), unread.get(name))
  return { dir, weightsDir, config, weights, fingerprint: fingerprint(weightsDir, config, weights) }
}

/** One weight as float32. */
export function readWeight(model: Model, name: string): Float32Array {
  const weight = model.weights.get(name)
  if (weight === undefined) throw new Error(`the model has no tensor ${name}`)
  return readFloat32(join(model.weightsDir, weight.file), weight)
}

/**
 * Writes a model that transformers 4 and 5 both load. `weights` must hold exactly the tensors of
 * `expectedShapes`; the tokenizer's files are copied from `tokenizerDir`.
 */
export function writeModel(
  dir: string,
  config: LlamaConfig,
  weights: ReadonlyMap<string, WeightData>,
  tokenizerDir: string,
): void {
  const expected = expectedShapes(config)
  for (const [name, shape] of expected) {
    const got = weights.get(name)?.shape.join(', ')
    if (got !== shape.join(', '))
      throw new Error(`tensor ${name} must be [${shape.join(', ')}], it is [${got}]`)
  }
  for (const name of weights.keys()) if (!expected.has(name)) throw new Error(`unexpected tensor ${name}`)
  const eos = config.eosIds.length === 1 ? config.eosIds[0]! : config.eosIds
  const special = config.eosIds.length === 0 ? {} : { eos_token_id: eos, pad_token_id: config.eosIds[0]! }
  writeJson(join(dir, 'config.json'), {
    architectures: ['LlamaForCausalLM'],
    attention_bias: false,
    attention_dropout: 0,
    bos_token_id: null,
    // Null must be written: transformers' own defaults (1 and 2) would name ordinary tokens.
    eos_token_id: null,
    pad_token_id: null,
    ...special,
    head_dim: config.headDim,
    hidden_act: 'silu',
    hidden_size: config.hiddenSize,
    initializer_range: 0.02,
    intermediate_size: config.intermediateSize,
    max_position_embeddings: config.maxPositions,
    mlp_bias: false,
    model_type: 'llama',
    num_attention_heads: config.heads,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.kvHeads,
    rms_norm_eps: config.rmsNormEps,
    // transformers 4 reads the first two, transformers 5 the third.
    rope_scaling: null,
    rope_theta: config.ropeTheta,
    rope_parameters: { rope_type: 'default', rope_theta: config.ropeTheta },
    tie_word_embeddings: config.tieWordEmbeddings,
    torch_dtype: 'float32',
    dtype: 'float32',
    use_cache: true,
    vocab_size: config.vocabSize,
  })
  writeJson(join(dir, 'generation_config.json'), { _from_model_config: true, ...special })
  writeSafetensors(join(dir, 'model.safetensors'), weights, { format: 'pt' })
  copyTokenizer(tokenizerDir, dir)
}

/** The seven linear maps of a layer, [out, in], by the name that PEFT's `target_modules` uses. */
export function linearShapes(
  config: LlamaConfig,
): ReadonlyMap<string, { path: string; out: number; in: number }> {
  const q = config.heads * config.headDim
  const kv = config.kvHeads * config.headDim
  const { hiddenSize: hidden, intermediateSize: ffn } = config
  return new Map([
    ['q_proj', { path: 'self_attn.q_proj', out: q, in: hidden }],
    ['k_proj', { path: 'self_attn.k_proj', out: kv, in: hidden }],
    ['v_proj', { path: 'self_attn.v_proj', out: kv, in: hidden }],
    ['o_proj', { path: 'self_attn.o_proj', out: hidden, in: q }],
    ['gate_proj', { path: 'mlp.gate_proj', out: ffn, in: hidden }],
    ['up_proj', { path: 'mlp.up_proj', out: ffn, in: hidden }],
    ['down_proj', { path: 'mlp.down_proj', out: hidden, in: ffn }],
  ])
}

/** Name -> shape of every tensor of a Llama, in a fixed order. A tied head has no tensor of its own. */
export function expectedShapes(config: LlamaConfig): ReadonlyMap<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>()
  shapes.set('model.embed_tokens.weight', [config.vocabSize, config.hiddenSize])
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}`
    shapes.set(`${prefix}.input_layernorm.weight`, [config.hiddenSize])
    for (const { path, out, in: width } of linearShapes(config).values()) {
      shapes.set(`${prefix}.${path}.weight`, [out, width])
    }
    shapes.set(`${prefix}.post_attention_layernorm.weight`, [config.hiddenSize])
  }
  shapes.set('model.norm.weight', [config.hiddenSize])
  if (!config.tieWordEmbeddings) shapes.set('lm_head.weight', [config.vocabSize, config.hiddenSize])
  return shapes
}

function weightFiles(dir: string): string[] {
  const single = join(dir, 'model.safetensors')
  if (existsSync(single)) return [single]
  const index = join(dir, 'model.safetensors.index.json')
  if (!existsSync(index)) {
    throw new JobError(
      'input',
      `${dir} has no model.safetensors.`,
      'Only the safetensors format is read; convert .bin weights with transformers save_pretrained.',
    )
  }
  const map =
    (JSON.parse(readFileSync(index, 'utf8')) as { weight_map?: Record<string, string> }).weight_map ?? {}
  const files = [...new Set(Object.values(map))].sort().map((file) => join(dir, basename(file)))
  if (files.length === 0) throw new JobError('input', `${index} names no weight files.`)
  const missing = files.find((file) => !existsSync(file))
  if (missing !== undefined) throw new JobError('input', `${missing} is missing, ${index} names it.`)
  return files
}

function checkTensor(
  dir: string,
  name: string,
  shape: readonly number[],
  weight: StoredWeight | undefined,
  unreadType: string | undefined,
): void {
  if (weight === undefined) {
    throw new JobError(
      'input',
      unreadType === undefined
        ? `${dir} lacks the tensor ${name} ([${shape.join(', ')}]).`
        : `${dir} stores the tensor ${name} as ${unreadType}; only F32, BF16 and F16 are read.`,
    )
  }
  if (weight.shape.join() !== shape.join()) {
    throw new JobError(
      'input',
      `Tensor ${name} in ${dir} is [${weight.shape.join(', ')}]; config.json implies [${shape.join(', ')}].`,
    )
  }
}

function fingerprint(
  weightsDir: string,
  config: LlamaConfig,
  weights: ReadonlyMap<string, StoredWeight>,
): string {
  const hash = createHash('sha256')
  // Stop tokens and the longest position can be corrected without changing what an adapter was trained on.
  const { eosIds: _eos, maxPositions: _positions, ...shape } = config
  hash.update(JSON.stringify(Object.entries(shape).sort(([a], [b]) => (a < b ? -1 : 1))))
  for (const name of [...weights.keys()].sort()) {
    const weight = weights.get(name)!
    hash.update(`\n${name} ${weight.dtype} ${weight.shape.join('x')} `)
    const bytes = Math.min(weight.byteLength, FINGERPRINT_BYTES)
    hash.update(readRange(join(weightsDir, weight.file), weight.offset, bytes))
  }
  return hash.digest('hex')
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}
