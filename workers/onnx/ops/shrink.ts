/** Makes a tiny model of random weights that has another model's architecture and tokenizer. */
import { join } from 'node:path'
import type { OpContext } from '../../op.ts'
import type { JsonObject } from '../../protocol/json.ts'
import { readLlamaConfig } from '../llama-config.ts'
import { expectedShapes, writeModel } from '../model-dir.ts'
import type { LlamaConfig, WeightData } from '../model-dir.ts'
import { numberOption } from '../op-options.ts'
import { seededRandom } from '../random.ts'

const HEAD_DIM = 16
const INITIAL_STD = 0.02

/** Options: `seed`. Input and output `model`: Hugging Face's layout; of the input only config and tokenizer are read. */
export async function run(context: OpContext): Promise<JsonObject> {
  const { dir } = context.inputs['model']!
  const config = tinyTwin(readLlamaConfig(join(dir, 'config.json')))
  const random = seededRandom(numberOption(context.with, 'seed'), 'weights')
  const weights = new Map<string, WeightData>()
  let parameters = 0
  for (const [name, shape] of expectedShapes(config)) {
    const count = shape.reduce((product, size) => product * size, 1)
    const data = new Float32Array(count).fill(1)
    // Norms start at one, everything else at random.
    if (shape.length > 1) for (let i = 0; i < count; i++) data[i] = random.normal() * INITIAL_STD
    weights.set(name, { shape, data })
    parameters += count
  }
  writeModel(context.outputs['model']!, config, weights, dir)
  return { parameters }
}

/** Grouped heads stay grouped and tied embeddings tied, so that the same code is exercised. */
function tinyTwin(config: LlamaConfig): LlamaConfig {
  const grouped = config.kvHeads < config.heads
  return {
    ...config,
    hiddenSize: 2 * HEAD_DIM,
    intermediateSize: 4 * HEAD_DIM,
    layers: Math.min(2, config.layers),
    heads: 2,
    kvHeads: grouped ? 1 : 2,
    headDim: HEAD_DIM,
  }
}
