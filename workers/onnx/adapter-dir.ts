/** A LoRA adapter directory as PEFT reads and writes it, plus `base.json`, which names the model it belongs to. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JobError } from '../op.ts'
import { copyTokenizer } from '../tokenizer-copy.ts'
import { linearShapes } from './model-dir.ts'
import type { Model, WeightData } from './model-dir.ts'
import { openSafetensors, readFloat32, writeSafetensors } from './safetensors.ts'

export interface Adapter {
  readonly r: number
  /** Scale of the update is `alpha / r`. */
  readonly alpha: number
  readonly dropout: number
  /** Sorted subset of `q_proj k_proj v_proj o_proj gate_proj up_proj down_proj`. */
  readonly targets: readonly string[]
  /** PEFT name -> float32 values; A is [r, in], B is [out, r]; complete for every layer and target. */
  readonly tensors: ReadonlyMap<string, WeightData>
}

/** PEFT's name of one LoRA matrix; `path` is e.g. `self_attn.q_proj`. */
export function adapterTensorName(layer: number, path: string, matrix: 'A' | 'B'): string {
  return `base_model.model.model.layers.${layer}.${path}.lora_${matrix}.weight`
}

/**
 * Reads an adapter and checks that it fits `model`. Layers that the adapter leaves alone get zero matrices.
 * Throws `JobError('input')` for another base model, for variants we do not compute, and for misshapen tensors.
 */
export function readAdapter(dir: string, model: Model): Adapter {
  checkBase(dir, model)
  const { r, alpha, dropout } = readConfig(join(dir, 'adapter_config.json'))
  const path = join(dir, 'adapter_model.safetensors')
  if (!existsSync(path))
    throw new JobError('input', `${path} is missing.`, 'Name a directory that holds an adapter.')
  const file = openSafetensors(path)
  const other = file.unread.keys().next()
  if (other.done !== true)
    throw new JobError('input', `${path} stores ${other.value} in a type that is not read.`)

  const tensors = new Map<string, WeightData>()
  const remaining = new Set(file.tensors.keys())
  const take = (name: string, shape: readonly number[]): boolean => {
    const stored = file.tensors.get(name)
    if (stored === undefined) return false
    if (stored.shape.join() !== shape.join()) {
      throw new JobError(
        'input',
        `Tensor ${name} in ${dir} is [${stored.shape.join(', ')}]; this model with r = ${r} ` +
          `needs [${shape.join(', ')}].`,
        'The adapter was trained on a model of another shape.',
      )
    }
    remaining.delete(name)
    tensors.set(name, { shape, data: readFloat32(path, stored) })
    return true
  }
  const targets: string[] = []
  for (const [target, linear] of linearShapes(model.config)) {
    const absent: number[] = []
    for (let layer = 0; layer < model.config.layers; layer++) {
      const nameA = adapterTensorName(layer, linear.path, 'A')
      const nameB = adapterTensorName(layer, linear.path, 'B')
      const hasA = take(nameA, [r, linear.in])
      const hasB = take(nameB, [linear.out, r])
      if (hasA !== hasB)
        throw new JobError('input', `${path} has ${hasA ? nameA : nameB} without its partner.`)
      if (!hasA) absent.push(layer)
    }
    if (absent.length === model.config.layers) continue
    targets.push(target)
    for (const layer of absent) {
      const zeros = (shape: number[]) => ({ shape, data: new Float32Array(shape[0]! * shape[1]!) })
      tensors.set(adapterTensorName(layer, linear.path, 'A'), zeros([r, linear.in]))
      tensors.set(adapterTensorName(layer, linear.path, 'B'), zeros([linear.out, r]))
    }
  }
  const unknown = [...remaining].sort()[0]
  if (unknown !== undefined) {
    throw new JobError(
      'input',
      `${path} adapts ${unknown}, which this model does not have or this worker does not adapt.`,
    )
  }
  if (targets.length === 0) throw new JobError('input', `${path} holds no LoRA matrices.`)
  return { r, alpha, dropout, targets: targets.sort(), tensors }
}

/** Writes an adapter that PEFT loads, with the base's fingerprint and its tokenizer. */
export function writeAdapter(dir: string, adapter: Adapter, model: Model, tokenizerDir: string): void {
  const config = {
    auto_mapping: null,
    base_model_name_or_path: null,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: adapter.alpha,
    lora_dropout: adapter.dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: adapter.r,
    revision: null,
    target_modules: [...adapter.targets].sort(),
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: false,
  }
  writeFileSync(join(dir, 'adapter_config.json'), `${JSON.stringify(config, null, 2)}\n`)
  writeSafetensors(join(dir, 'adapter_model.safetensors'), adapter.tensors, { format: 'pt' })
  const base = { format: 1, fingerprint: model.fingerprint, name: modelName(model) }
  writeFileSync(join(dir, 'base.json'), `${JSON.stringify(base, null, 2)}\n`)
  copyTokenizer(tokenizerDir, dir)
}

/**
 * The float32 weight of a linear with the adapter folded in: `W + alpha/r * B A`. `data` is changed in place.
 * `name` is the weight's name in the model; a weight that the adapter does not touch stays as it is (false).
 */
export function mergeInto(
  adapter: Adapter,
  name: string,
  shape: readonly number[],
  data: Float32Array,
): boolean {
  const stem = `base_model.model.${name.replace(/\.weight$/, '')}`
  const a = adapter.tensors.get(`${stem}.lora_A.weight`)?.data
  const b = adapter.tensors.get(`${stem}.lora_B.weight`)?.data
  if (a === undefined || b === undefined) return false
  addProduct(data, b, a, shape[0]!, adapter.r, shape[1]!, adapter.alpha / adapter.r)
  return true
}

/** `w += scale * b a` with b [out, r] and a [r, width]. */
function addProduct(
  w: Float32Array,
  b: Float32Array,
  a: Float32Array,
  out: number,
  r: number,
  width: number,
  scale: number,
): void {
  // Sums in doubles: the update is rounded once, when it is added.
  const row = new Float64Array(width)
  for (let i = 0; i < out; i++) {
    row.fill(0)
    for (let k = 0; k < r; k++) {
      const factor = b[i * r + k]! * scale
      if (factor === 0) continue
      for (let j = 0; j < width; j++) row[j] = row[j]! + factor * a[k * width + j]!
    }
    for (let j = 0; j < width; j++) w[i * width + j] = w[i * width + j]! + row[j]!
  }
}

/** What people see instead of a path, which may be a cache entry: shape and the fingerprint's beginning. */
function modelName(model: Model): string {
  const { hiddenSize, layers, vocabSize } = model.config
  return `llama hidden ${hiddenSize}, ${layers} layers, vocabulary ${vocabSize} (${model.fingerprint.slice(0, 12)})`
}

/** An adapter that PEFT wrote has no `base.json`; then only shapes can be checked. */
function checkBase(dir: string, model: Model): void {
  const path = join(dir, 'base.json')
  if (!existsSync(path)) return
  const base = readJson(path)
  if (base['fingerprint'] === model.fingerprint) return
  throw new JobError(
    'input',
    `The adapter in ${dir} was trained on ${String(base['name'] ?? base['fingerprint'])}, ` +
      `but the model given is ${modelName(model)}.`,
    'Wire the adapter and the model it was trained on to the same stage.',
  )
}

function readConfig(path: string): { r: number; alpha: number; dropout: number } {
  if (!existsSync(path))
    throw new JobError('input', `${path} is missing.`, 'Name a directory that holds an adapter.')
  const raw = readJson(path)
  const refuse = (what: string): never => {
    throw new JobError(
      'input',
      `${path}: ${what}`,
      'Supported: plain LoRA on the linear layers, one rank for all.',
    )
  }
  const filled = (value: unknown): boolean =>
    typeof value === 'object' && value !== null && Object.keys(value).length > 0
  if (raw['peft_type'] !== 'LORA')
    refuse(`peft_type is ${JSON.stringify(raw['peft_type'] ?? null)}, not "LORA".`)
  for (const key of ['use_dora', 'fan_in_fan_out', 'lora_bias', 'use_qalora']) {
    if (raw[key] === true) refuse(`${key} is not supported.`)
  }
  if ((raw['bias'] ?? 'none') !== 'none') refuse(`bias ${JSON.stringify(raw['bias'])} is not supported.`)
  const patterns = [
    'rank_pattern',
    'alpha_pattern',
    'modules_to_save',
    'trainable_token_indices',
    'layer_replication',
  ]
  for (const key of patterns) if (filled(raw[key])) refuse(`${key} is not supported.`)
  const r = raw['r'] ?? 8
  const alpha = raw['lora_alpha'] ?? 8
  const dropout = raw['lora_dropout'] ?? 0
  if (!Number.isSafeInteger(r) || (r as number) < 1) refuse('r must be a positive integer.')
  if (typeof alpha !== 'number' || !Number.isFinite(alpha)) refuse('lora_alpha must be a number.')
  if (typeof dropout !== 'number' || !(dropout >= 0 && dropout < 1))
    refuse('lora_dropout must be between 0 and 1.')
  // Rank-stabilised LoRA scales by alpha / sqrt(r); the same scale is written alpha' / r with alpha' = alpha sqrt(r).
  const effective =
    raw['use_rslora'] === true ? (alpha as number) * Math.sqrt(r as number) : (alpha as number)
  return { r: r as number, alpha: effective, dropout: dropout as number }
}

function readJson(path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Told below, in our words.
  }
  throw new JobError('input', `${path} is not a JSON object.`)
}
