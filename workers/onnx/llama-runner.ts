/** Runs batches through graphs of a Llama, one session per shape, with parameters and gradients in flat vectors. */
import type { Batch, BatchShape } from './batches.ts'
import { dropoutMaskName } from './graph-linear.ts'
import { HEAD_ROWS } from './graph-loss.ts'
import { gradientName } from './graph-weights.ts'
import { EMBEDDING_ROWS, buildLlamaGraph } from './llama-graph.ts'
import { linearShapes } from './model-dir.ts'
import type { LlamaConfig, Model } from './model-dir.ts'
import { viewOf } from './parameter-layout.ts'
import type { LoraShape, ParameterLayout } from './parameter-layout.ts'
import { Tensor, openSession } from './session.ts'
import type { Feeds, Session } from './session.ts'

export interface RunnerOptions {
  readonly config: LlamaConfig
  /** Frozen weights; null if `layout` holds them all. */
  readonly model: Model | null
  readonly layout: ParameterLayout | null
  readonly lora: LoraShape | null
  /** Flat vectors of `layout.size`; the runner reads the first and, if given, overwrites the second. */
  readonly parameters: Float32Array
  readonly gradients: Float32Array | null
  readonly recompute: boolean
  readonly threads: number
}

export interface LlamaRunner {
  /**
   * Computes the loss of every slot (nats, unweighted; the vector is reused by the next run) and, with gradients,
   * those of sum(weights · nll). `weights` has one number per slot; `fillMask` draws a dropout mask, 0 or 1.
   */
  run(
    batch: Batch,
    weights: Float32Array | null,
    fillMask?: (mask: Uint8Array) => void,
  ): Promise<Float32Array>
  close(): Promise<void>
}

/** What belongs to one shape: the session and the buffers of its changing inputs and outputs. */
interface Bucket {
  readonly session: Session
  readonly fetches: Feeds
  readonly nll: Float32Array
  readonly embeddingRows: Float32Array | null
  readonly headRows: Float32Array | null
  readonly masks: Readonly<Record<string, { data: Uint8Array; tensor: Tensor }>>
}

/** Every open session keeps an arena of the size of its activations. */
const MAX_SESSIONS = 12

export function createRunner(options: RunnerOptions): LlamaRunner {
  const { config, layout, gradients } = options
  const buckets = new Map<string, Bucket>()
  const parameterFeeds = viewTensors(layout, options.parameters, (name) => name)
  const headName = config.tieWordEmbeddings ? EMBEDDING : 'lm_head.weight'

  const bucketFor = async (shape: BatchShape): Promise<Bucket> => {
    const key = `${shape.rows}x${shape.length}/${shape.targets}`
    const known = buckets.get(key)
    if (known !== undefined) {
      // Re-inserting keeps the map in order of last use.
      buckets.delete(key)
      buckets.set(key, known)
      return known
    }
    if (buckets.size >= MAX_SESSIONS) {
      const [oldest, bucket] = [...buckets][0]!
      buckets.delete(oldest)
      await bucket.session.release()
    }
    const bucket = await openBucket(options, shape)
    buckets.set(key, bucket)
    return bucket
  }

  return {
    async run(batch, weights, fillMask) {
      const bucket = await bucketFor(batch.shape)
      const feeds: Feeds = { ...parameterFeeds, ...batchFeeds(batch, weights, gradients !== null) }
      for (const [name, mask] of Object.entries(bucket.masks)) {
        fillMask?.(mask.data)
        feeds[name] = mask.tensor
      }
      await bucket.session.run(feeds, bucket.fetches)
      if (gradients !== null && layout !== null) {
        const { embeddingRows, headRows } = bucket
        const embedding = layout.views.get(EMBEDDING)
        const head = layout.views.get(headName)
        // Gather's and the labels' gradients: exact and deterministic here, where ONNX Runtime's scatter is neither.
        if (embeddingRows !== null && embedding !== undefined) {
          const into = viewOf(gradients, embedding)
          if (!config.tieWordEmbeddings) into.fill(0)
          addRows(into, embeddingRows, new Int32Array(batch.ids.buffer), config.hiddenSize, 1)
        }
        if (headRows !== null && head !== undefined) {
          addRows(
            viewOf(gradients, head),
            headRows,
            new Int32Array(batch.labels.buffer),
            config.hiddenSize,
            -1,
          )
        }
      }
      return bucket.nll
    },
    async close() {
      for (const bucket of buckets.values()) await bucket.session.release()
      buckets.clear()
    },
  }
}

const EMBEDDING = 'model.embed_tokens.weight'

async function openBucket(options: RunnerOptions, shape: BatchShape): Promise<Bucket> {
  const { config, model, layout, gradients, lora } = options
  const bytes = buildLlamaGraph({ ...options, ...shape, gradients: gradients !== null })
  const session = await openSession(bytes, {
    threads: options.threads,
    ...(model === null ? {} : { weightsDir: model.weightsDir }),
  })
  const tokens = shape.rows * shape.length
  const nll = new Float32Array(shape.targets)
  const fetches: Feeds = { nll: new Tensor('float32', nll, [shape.targets]) }
  const rowsOutput = (name: string, rows: number): Float32Array | null => {
    if (!session.outputNames.includes(name)) return null
    const data = new Float32Array(rows * config.hiddenSize)
    fetches[name] = new Tensor('float32', data, [rows, config.hiddenSize])
    return data
  }
  const embeddingRows = rowsOutput(EMBEDDING_ROWS, tokens)
  const headRows = rowsOutput(HEAD_ROWS, shape.targets)
  if (gradients !== null) {
    const all = viewTensors(layout, gradients, gradientName)
    for (const name of session.outputNames) if (all[name] !== undefined) fetches[name] = all[name]
  }
  const masks: Record<string, { data: Uint8Array; tensor: Tensor }> = {}
  if (lora !== null && lora.dropout > 0) {
    for (let layer = 0; layer < config.layers; layer++) {
      for (const [module, { in: width }] of linearShapes(config)) {
        if (!lora.targets.has(module)) continue
        const data = new Uint8Array(tokens * width)
        masks[dropoutMaskName(layer, module)] = { data, tensor: new Tensor('uint8', data, [tokens, width]) }
      }
    }
  }
  return { session, fetches, nll, embeddingRows, headRows, masks }
}

function viewTensors(
  layout: ParameterLayout | null,
  flat: Float32Array,
  rename: (name: string) => string,
): Feeds {
  const tensors: Feeds = {}
  for (const view of layout?.views.values() ?? []) {
    tensors[rename(view.name)] = new Tensor('float32', viewOf(flat, view), view.shape)
  }
  return tensors
}

function batchFeeds(batch: Batch, weights: Float32Array | null, gradients: boolean): Feeds {
  const { rows, length, targets } = batch.shape
  const feeds: Feeds = {
    ids: new Tensor('int64', batch.ids, [rows * length]),
    positions: new Tensor('int64', batch.positions, [rows, length]),
    segments: new Tensor('int32', batch.segments, [rows, length]),
    labels: new Tensor('int64', batch.labels, [targets]),
  }
  if (weights !== null && gradients) feeds['weights'] = new Tensor('float32', weights, [targets])
  if (targets < rows * length) {
    feeds['picked'] = new Tensor('int64', batch.picked, [targets])
    if (gradients) feeds['places'] = new Tensor('int64', batch.places, [rows * length])
  }
  return feeds
}

/** table[index[i]] += sign · rows[i]; `words` holds int64 indices as pairs of 32-bit words. */
function addRows(
  table: Float32Array,
  rows: Float32Array,
  words: Int32Array,
  width: number,
  sign: number,
): void {
  for (let i = 0; 2 * i < words.length; i++) {
    const to = words[2 * i]! * width
    const from = i * width
    for (let j = 0; j < width; j++) table[to + j] = table[to + j]! + sign * rows[from + j]!
  }
}
