/** Small models for tests: the stored ones that transformers and PEFT wrote, and random ones made on the spot. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { expectedShapes, linearShapes, writeModel } from '../../workers/onnx/model-dir.ts'
import type { LlamaConfig, Model, WeightData } from '../../workers/onnx/model-dir.ts'
import { adapterTensorName } from '../../workers/onnx/adapter-dir.ts'
import type { Adapter } from '../../workers/onnx/adapter-dir.ts'
import { writeTokenizerFiles } from '../../workers/text/tokenizer-files.ts'

export interface Observed {
  /** After every token of the first prompt, [tokens][vocab]. */
  readonly logits: readonly (readonly number[])[]
  /** The continuation of each prompt. */
  readonly greedy: readonly (readonly number[])[]
}

export interface TinyLlama {
  readonly prompts: readonly (readonly number[])[]
  readonly cases: readonly {
    readonly model: string
    readonly adapter: string
    readonly plain: Observed
    readonly adapted: Observed
  }[]
}

export const SMALL: LlamaConfig = {
  vocabSize: 270,
  hiddenSize: 32,
  intermediateSize: 48,
  layers: 2,
  heads: 2,
  kvHeads: 1,
  headDim: 16,
  rmsNormEps: 1e-5,
  ropeTheta: 10000,
  tieWordEmbeddings: false,
  maxPositions: 64,
  eosIds: [0],
}

export function fixtureDir(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))
}

export function readTinyLlama(): TinyLlama {
  return JSON.parse(readFileSync(fixtureDir('tiny-llama.json'), 'utf8')) as TinyLlama
}

export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-onnx-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A stored directory, copied so that a test may damage it. */
export function copyOf(name: string): string {
  const dir = tempDir()
  cpSync(fixtureDir(name), dir, { recursive: true })
  return dir
}

/** Numbers between -1 and 1 that depend on the seed alone (a linear congruential generator). */
export function randomValues(count: number, seed: number): Float32Array {
  let state = seed >>> 0
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

export function randomWeights(config: LlamaConfig, seed: number, scale = 0.4): Map<string, WeightData> {
  const weights = new Map<string, WeightData>()
  for (const [name, shape] of expectedShapes(config)) {
    const count = shape.reduce((total, size) => total * size, 1)
    const data = randomValues(count, seed + weights.size * 7919)
    weights.set(name, {
      shape,
      data: data.map((value) => (shape.length === 1 ? 1 + 0.1 * value : scale * value)),
    })
  }
  return weights
}

/** A tokenizer of single bytes and the end token, as a directory. */
export function byteTokenizerDir(): string {
  const dir = tempDir()
  writeTokenizerFiles(dir, [], 257)
  return dir
}

export function randomModelDir(config: LlamaConfig, seed: number, scale?: number): string {
  const dir = join(tempDir(), 'model')
  mkdirSync(dir)
  writeModel(dir, config, randomWeights(config, seed, scale), byteTokenizerDir())
  return dir
}

export function randomAdapter(model: Model, targets: readonly string[], r: number, seed: number): Adapter {
  const tensors = new Map<string, WeightData>()
  for (const target of targets) {
    const { path, out, in: width } = linearShapes(model.config).get(target)!
    for (let layer = 0; layer < model.config.layers; layer++) {
      const values = (count: number): Float32Array => randomValues(count, seed + tensors.size * 104729)
      tensors.set(adapterTensorName(layer, path, 'A'), { shape: [r, width], data: values(r * width) })
      tensors.set(adapterTensorName(layer, path, 'B'), {
        shape: [out, r],
        data: values(out * r).map((v) => v / 20),
      })
    }
  }
  return { r, alpha: 2 * r, dropout: 0, targets: [...targets].sort(), tensors }
}
