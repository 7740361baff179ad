/** Greedy decoding of many prompts at once, with caches that shrink as rows end. */
import type { Adapter } from './adapter-dir.ts'
import { buildDecoderGraph } from './decoder-graph.ts'
import type { DecoderGraph } from './decoder-graph.ts'
import type { LlamaConfig, Model } from './model-dir.ts'
import { Tensor, openSession } from './session.ts'
import type { Feeds, Session } from './session.ts'

export interface DecoderOptions {
  readonly threads: number
  readonly maxNewTokens: number
  readonly eosIds: readonly number[]
  /** Called when a row ends, with the number of rows that have ended. */
  readonly onRow?: (done: number) => void
  /** Awaited before every step; may throw to stop. */
  readonly throwIfCancelled?: () => Promise<void>
  /** Most rows at once; by default what fits into a gigabyte of cache, at most 32. */
  readonly batchRows?: number
}

export interface Continuation {
  /** New tokens without the stop token. */
  readonly ids: readonly number[]
  readonly stop: 'eos' | 'length'
}

const MAX_BATCH_ROWS = 32
const CACHE_BUDGET_BYTES = 2 ** 30

/**
 * Continues every prompt (token ids, at least one each) with the likeliest tokens until a stop token or
 * `maxNewTokens`. Results are in the order of the prompts and do not depend on which rows share a batch, except
 * where two tokens are equally likely up to float32 rounding.
 */
export async function generateGreedy(
  model: Model,
  adapter: Adapter | null,
  prompts: readonly (readonly number[])[],
  options: DecoderOptions,
): Promise<Continuation[]> {
  if (prompts.length === 0 || options.maxNewTokens === 0)
    return prompts.map(() => ({ ids: [], stop: 'length' }))
  const capacity = Math.max(...prompts.map((prompt) => prompt.length)) + options.maxNewTokens
  const graph = buildDecoderGraph(model, adapter, capacity, false)
  const session = await openSession(graph.bytes, { threads: options.threads, weightsDir: model.weightsDir })
  try {
    const results: Continuation[] = new Array<Continuation>(prompts.length)
    // Rows of similar length share a batch, so that little of a batch is padding.
    const order = prompts
      .map((_, row) => row)
      .sort((a, b) => prompts[a]!.length - prompts[b]!.length || a - b)
    const size = options.batchRows ?? batchRows(model.config, capacity)
    let done = 0
    for (let start = 0; start < order.length; start += size) {
      const rows = order.slice(start, start + size)
      await decodeBatch({ session, graph, config: model.config }, prompts, rows, options, (row, result) => {
        results[row] = result
        options.onRow?.(++done)
      })
    }
    return results
  } finally {
    await session.release()
  }
}

/** Logits after every prefix of `ids`: float32 [ids.length, vocab], as a full forward pass gives them. */
export async function prefixLogits(
  model: Model,
  adapter: Adapter | null,
  ids: readonly number[],
  threads: number,
): Promise<Float32Array> {
  const graph = buildDecoderGraph(model, adapter, ids.length, true)
  const session = await openSession(graph.bytes, { threads, weightsDir: model.weightsDir })
  try {
    const prefixes = ids.map((_, i) => ids.slice(0, i + 1))
    const caches = allocateCaches(graph, model.config, prefixes.length, ids.length)
    const output = await session.run({ ...promptFeeds(prefixes), ...cacheFeeds(graph, caches, 'past') }, [
      'logits',
      ...graph.caches.map((cache) => cache.present),
    ])
    return output['logits']!.data as Float32Array
  } finally {
    await session.release()
  }
}

interface Decoder {
  readonly session: Session
  readonly graph: DecoderGraph
  readonly config: LlamaConfig
}

/** The caches of a batch: one flat vector per cache tensor, row after row, of which the first `rows` are in use. */
interface Caches {
  readonly data: readonly Float32Array[]
  readonly rowSize: number
  readonly capacity: number
  readonly config: LlamaConfig
  readonly rows: number
}

async function decodeBatch(
  decoder: Decoder,
  prompts: readonly (readonly number[])[],
  batch: readonly number[],
  options: DecoderOptions,
  finish: (row: number, result: Continuation) => void,
): Promise<void> {
  const { session, graph, config } = decoder
  const eos = new Set(options.eosIds)
  const active = batch.map((row) => ({ row, length: prompts[row]!.length, made: [] as number[] }))
  const capacity = Math.max(...active.map((item) => item.length)) + options.maxNewTokens
  let caches = allocateCaches(graph, config, active.length, capacity)
  let pasts = cacheFeeds(graph, caches, 'past')
  let presents = cacheFeeds(graph, caches, 'present')
  let feeds = promptFeeds(active.map((item) => prompts[item.row]!))
  while (active.length > 0) {
    await options.throwIfCancelled?.()
    const next = new BigInt64Array(active.length)
    await session.run(
      { ...feeds, ...pasts },
      { ...presents, next: new Tensor('int64', next, [active.length]) },
    )
    // From the end, so that filling a gap with the last row never moves a row that was not looked at.
    for (let i = active.length - 1; i >= 0; i--) {
      const item = active[i]!
      const token = Number(next[i])
      const ended = eos.has(token)
      if (!ended) item.made.push(token)
      if (!ended && item.made.length < options.maxNewTokens) continue
      finish(item.row, { ids: item.made, stop: ended ? 'eos' : 'length' })
      const moved = active.pop()!
      if (moved !== item) {
        active[i] = moved
        moveRow(caches, active.length, i)
      }
    }
    if (active.length === 0) return
    if (active.length < caches.rows) {
      caches = { ...caches, rows: active.length }
      pasts = cacheFeeds(graph, caches, 'past')
      presents = cacheFeeds(graph, caches, 'present')
    }
    feeds = stepFeeds(
      active.map(({ length, made }) => ({ token: made.at(-1)!, length: length + made.length })),
    )
  }
}

function batchRows(config: LlamaConfig, capacity: number): number {
  const bytes = 2 * config.layers * config.kvHeads * config.headDim * capacity * 4
  return Math.max(1, Math.min(MAX_BATCH_ROWS, Math.floor(CACHE_BUDGET_BYTES / bytes)))
}

function allocateCaches(graph: DecoderGraph, config: LlamaConfig, rows: number, capacity: number): Caches {
  const rowSize = config.kvHeads * capacity * config.headDim
  return { data: graph.caches.map(() => new Float32Array(rows * rowSize)), rowSize, capacity, config, rows }
}

function cacheFeeds(graph: DecoderGraph, caches: Caches, side: 'past' | 'present'): Feeds {
  const { rows, rowSize, capacity, config } = caches
  const dims = [rows, config.kvHeads, capacity, config.headDim]
  return Object.fromEntries(
    graph.caches.map((cache, i) => [
      cache[side],
      new Tensor('float32', caches.data[i]!.subarray(0, rows * rowSize), dims),
    ]),
  )
}

function moveRow(caches: Caches, from: number, to: number): void {
  const { data, rowSize } = caches
  for (const cache of data) cache.copyWithin(to * rowSize, from * rowSize, (from + 1) * rowSize)
}

/** All prompts at once, padded on the right: padding comes after everything that counts, so nothing attends to it. */
function promptFeeds(prompts: readonly (readonly number[])[]): Feeds {
  const width = Math.max(...prompts.map((prompt) => prompt.length))
  const ids = new BigInt64Array(prompts.length * width)
  prompts.forEach((prompt, row) => prompt.forEach((id, t) => (ids[row * width + t] = BigInt(id))))
  return makeFeeds(
    ids,
    width,
    prompts.map((prompt) => prompt.length),
    prompts.map((prompt, row) => row * width + prompt.length - 1),
  )
}

/** One new token a row; `length` counts it. */
function stepFeeds(rows: readonly { token: number; length: number }[]): Feeds {
  return makeFeeds(
    BigInt64Array.from(rows, (row) => BigInt(row.token)),
    1,
    rows.map((row) => row.length),
    rows.map((_, i) => i),
  )
}

function makeFeeds(
  ids: BigInt64Array,
  width: number,
  lengths: readonly number[],
  last: readonly number[],
): Feeds {
  const rows = lengths.length
  return {
    ids: new Tensor('int64', ids, [rows, width]),
    last: new Tensor('int64', BigInt64Array.from(last, BigInt), [rows]),
    lengths: new Tensor(
      'int32',
      Int32Array.from(lengths, (length) => length - 1),
      [rows],
    ),
    total: new Tensor('int32', Int32Array.of(Math.max(...lengths)), [1]),
  }
}
