/** The part of a Hugging Face `config.json` that defines a Llama, and refusals of what we do not compute. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { JobError } from '../op.ts'

export interface LlamaConfig {
  readonly vocabSize: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly rmsNormEps: number
  readonly ropeTheta: number
  readonly tieWordEmbeddings: boolean
  readonly maxPositions: number
  /** Tokens that end a text; may be empty. */
  readonly eosIds: readonly number[]
}

/**
 * Reads `config.json` as transformers 4 (`rope_theta`) and 5 (`rope_parameters`) write it, with the defaults of
 * transformers' LlamaConfig. `generation_config.json` next to it may name more stop tokens.
 */
export function readLlamaConfig(path: string): LlamaConfig {
  const raw = readJson(path)
  const refuse = (what: string): never => {
    throw new JobError(
      'input',
      `${path}: ${what}`,
      'This worker computes plain Llama models (no biases, unscaled rotary positions).',
    )
  }
  const architectures = Array.isArray(raw['architectures']) ? raw['architectures'] : []
  if (
    raw['model_type'] !== 'llama' ||
    (architectures.length > 0 && architectures[0] !== 'LlamaForCausalLM')
  ) {
    refuse(
      `the architecture ${String(architectures[0] ?? raw['model_type'] ?? 'without a name')} is not supported.`,
    )
  }
  if (raw['attention_bias'] === true) refuse('attention_bias is true; biases are not supported.')
  if (raw['mlp_bias'] === true) refuse('mlp_bias is true; biases are not supported.')
  const activation = raw['hidden_act'] ?? 'silu'
  if (activation !== 'silu') refuse(`hidden_act is ${JSON.stringify(activation)}; only "silu" is supported.`)
  if (raw['quantization_config'] != null) refuse('the weights are quantized; save them unquantized first.')

  const count = (key: string, fallback: number): number => {
    const value = raw[key] ?? fallback
    if (!Number.isSafeInteger(value) || (value as number) < 1) refuse(`${key} must be a positive integer.`)
    return value as number
  }
  const hiddenSize = count('hidden_size', 4096)
  const heads = count('num_attention_heads', 32)
  const kvHeads = count('num_key_value_heads', heads)
  const headDim = count('head_dim', Math.floor(hiddenSize / heads))
  if (heads % kvHeads !== 0)
    refuse(`num_attention_heads (${heads}) is no multiple of num_key_value_heads (${kvHeads}).`)
  if (headDim % 2 !== 0) refuse(`head_dim (${headDim}) must be even for rotary positions.`)

  const rope = rotary(raw)
  if (rope.type !== 'default')
    refuse(`rope type ${JSON.stringify(rope.type)} is not supported, only "default".`)
  const eps = raw['rms_norm_eps'] ?? 1e-6
  if (typeof eps !== 'number' || !(eps > 0)) refuse('rms_norm_eps must be a positive number.')
  if (typeof rope.theta !== 'number' || !(rope.theta > 0)) refuse('rope_theta must be a positive number.')

  const generationPath = join(dirname(path), 'generation_config.json')
  const generation = existsSync(generationPath) ? readJson(generationPath) : {}
  return {
    vocabSize: count('vocab_size', 32000),
    hiddenSize,
    intermediateSize: count('intermediate_size', 11008),
    layers: count('num_hidden_layers', 32),
    heads,
    kvHeads,
    headDim,
    rmsNormEps: eps as number,
    ropeTheta: rope.theta as number,
    tieWordEmbeddings: raw['tie_word_embeddings'] === true,
    maxPositions: count('max_position_embeddings', 2048),
    eosIds: [...new Set([...ids(raw['eos_token_id']), ...ids(generation['eos_token_id'])])],
  }
}

/** transformers 5 nests type and theta; 4 has theta on top and an optional `rope_scaling` whose key was renamed. */
function rotary(raw: Readonly<Record<string, unknown>>): { type: unknown; theta: unknown } {
  const nested = raw['rope_parameters'] as Record<string, unknown> | null | undefined
  const scaling = raw['rope_scaling'] as Record<string, unknown> | null | undefined
  const type = nested?.['rope_type'] ?? scaling?.['rope_type'] ?? scaling?.['type'] ?? 'default'
  return { type, theta: nested?.['rope_theta'] ?? raw['rope_theta'] ?? 10000 }
}

function ids(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).filter(
    (id): id is number => Number.isSafeInteger(id) && id >= 0,
  )
}

function readJson(path: string): Record<string, unknown> {
  if (!existsSync(path))
    throw new JobError('input', `${path} is missing.`, 'Name a directory that holds a model.')
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Told below, in our words.
  }
  throw new JobError('input', `${path} is not a JSON object.`)
}
