/** The shapes that are timed, and the random model and tokens that both trainers get. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expectedShapes, writeModel } from '../workers/onnx/model-dir.ts'
import type { LlamaConfig, WeightData } from '../workers/onnx/model-dir.ts'
import { seededRandom } from '../workers/onnx/random.ts'

export interface Case {
  readonly config: LlamaConfig
  /** Tokens of a row that are computed, and rows of a step. */
  readonly length: number
  readonly rows: number
  /** Rank and alpha of the adapter on all seven linear maps; null trains every weight. */
  readonly lora: { readonly r: number; readonly alpha: number } | null
}

/** Steps walk through so many different batches. */
export const BATCHES = 8
/** Of every step, constant: small enough that random tokens do not diverge. */
export const LEARNING_RATE = 1e-4
const INITIAL_STD = 0.02

const TINY: LlamaConfig = {
  vocabSize: 4096,
  hiddenSize: 256,
  intermediateSize: 688,
  layers: 6,
  heads: 8,
  kvHeads: 4,
  headDim: 32,
  rmsNormEps: 1e-5,
  ropeTheta: 10000,
  tieWordEmbeddings: false,
  maxPositions: 512,
  eosIds: [],
}
const LORA = { r: 8, alpha: 16 }

export const CASES: Readonly<Record<string, Case>> = {
  a: { config: TINY, length: 256, rows: 8, lora: LORA },
  b: { config: TINY, length: 256, rows: 8, lora: null },
  c: {
    config: {
      ...TINY,
      vocabSize: 49152,
      hiddenSize: 576,
      intermediateSize: 1536,
      layers: 30,
      heads: 9,
      kvHeads: 3,
      headDim: 64,
      tieWordEmbeddings: true,
    },
    length: 256,
    rows: 4,
    lora: LORA,
  },
}

/** Writes `model/` (Hugging Face layout), `tokens.bin` (int32, [batches, rows, length + 1]) and `case.json`. */
export function writeCase(dir: string, { config, length, rows, lora }: Case): void {
  const random = seededRandom(1, 'throughput')
  const weights = new Map<string, WeightData>()
  for (const [name, shape] of expectedShapes(config)) {
    const count = shape.reduce((product, size) => product * size, 1)
    const data = new Float32Array(count).fill(1)
    if (shape.length > 1) for (let i = 0; i < count; i++) data[i] = random.normal() * INITIAL_STD
    weights.set(name, { shape, data })
  }
  const tokenizer = join(dir, 'tokenizer')
  const model = join(dir, 'model')
  mkdirSync(tokenizer)
  mkdirSync(model)
  // Never read: both trainers get token numbers.
  writeFileSync(join(tokenizer, 'tokenizer.json'), '{}')
  writeModel(model, config, weights, tokenizer)
  const tokens = Int32Array.from({ length: BATCHES * rows * (length + 1) }, () =>
    random.below(config.vocabSize),
  )
  writeFileSync(join(dir, 'tokens.bin'), new Uint8Array(tokens.buffer))
  const about = { batches: BATCHES, rows, length, lr: LEARNING_RATE, lora }
  writeFileSync(join(dir, 'case.json'), JSON.stringify(about))
}
