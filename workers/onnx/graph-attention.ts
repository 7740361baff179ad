/** Causal self-attention with grouped heads and rotary positions: forward and backward. */
import type { GraphContext, SharedValues } from './graph-context.ts'

const MICROSOFT = 'com.microsoft'

/**
 * Queries are taken in blocks of consecutive positions, because a block needs only the keys up to its own end: with many
 * blocks nearly half of all scores are never computed, and a block's scores fit into the processor's caches.
 */
const BLOCK_LENGTH = 64
/** More blocks save little more, and every block costs nodes in every layer. */
const MAX_BLOCKS = 8

interface Block {
  /** First query position, how many, and the end of the keys that they see. */
  readonly from: number
  readonly size: number
  readonly end: number
}

function blocksOf(length: number): readonly Block[] {
  const count = Math.min(MAX_BLOCKS, Math.max(1, Math.floor(length / BLOCK_LENGTH)))
  const size = Math.ceil(length / count)
  return Array.from({ length: Math.ceil(length / size) }, (_, i) => {
    const end = Math.min(length, (i + 1) * size)
    return { from: i * size, size: end - i * size, end }
  })
}

/** What the backward pass needs; all is laid out by head. */
export interface Attention {
  readonly blocks: readonly AttentionBlock[]
  /** The result as [tokens, heads · headDim]. */
  readonly merged: string
}

interface AttentionBlock {
  /** Rotated queries [rows, kvHeads, group · size, headDim], rotated keys and values [rows, kvHeads, end, headDim]. */
  readonly q: string
  readonly k: string
  readonly v: string
  /** Attention weights [rows, kvHeads, group · size, end]. */
  readonly probabilities: string
  readonly out: string
}

/** Masks, positions and rotation tables. Tokens attend to earlier tokens of the same segment. */
export function emitSharedValues(context: GraphContext): SharedValues {
  const { graph, config, rows, length } = context
  const positions = graph.input('positions', 'i64', [rows, length])
  const segments = graph.input('segments', 'i32', [rows, length])
  const causal = new Uint8Array(length * length)
  for (let i = 0; i < length; i++) causal.fill(1, i * length, i * length + i + 1)
  const sameSegment = graph.one('Equal', [
    graph.one('Reshape', [segments, graph.shape(rows, length, 1)]),
    graph.one('Reshape', [segments, graph.shape(rows, 1, length)]),
  ])
  const allowed = graph.one('And', [
    sameSegment,
    graph.constant('causal', 'bool', [1, length, length], causal),
  ])
  const bias = graph.one('Where', [allowed, graph.scalar(0), graph.scalar(-1e30)])
  const perHead = graph.one('Reshape', [bias, graph.shape(rows, 1, length, length)])
  const group = config.heads / config.kvHeads
  const masks = blocksOf(length).map(({ from, end }) => {
    const part = graph.one('Slice', [perHead, graph.shape(from, 0), graph.shape(end, end), graph.shape(2, 3)])
    return group === 1 ? part : graph.one('Concat', Array<string>(group).fill(part), { axis: 2 })
  })

  const half = config.headDim / 2
  const { cos, sin } = rotaryTables(length, config.headDim, config.ropeTheta)
  return {
    positions,
    masks,
    cos: graph.constant('cos', 'f32', [length, half], cos),
    sin: graph.constant('sin', 'f32', [length, half], sin),
    minusSin: graph.constant(
      'minus sin',
      'f32',
      [length, half],
      sin.map((value) => -value),
    ),
  }
}

/** cos and sin of position · theta^(-2i / headDim), rounded to float32 where transformers rounds. */
export function rotaryTables(
  length: number,
  headDim: number,
  theta: number,
): { cos: Float32Array; sin: Float32Array } {
  const half = headDim / 2
  const cos = new Float32Array(length * half)
  const sin = new Float32Array(length * half)
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / headDim)))
    for (let position = 0; position < length; position++) {
      const angle = Math.fround(position * frequency)
      cos[position * half + i] = Math.cos(angle)
      sin[position * half + i] = Math.sin(angle)
    }
  }
  return { cos, sin }
}

/** `q` is [tokens, heads · headDim], `k` and `v` are [tokens, kvHeads · headDim]. */
export function forwardAttention(
  context: GraphContext,
  shared: SharedValues,
  q: string,
  k: string,
  v: string,
): Attention {
  const { graph, config, length } = context
  const queries = queryBlocks(context, rotate(context, shared, q, config.heads, shared.sin))
  const keys = byHead(context, rotate(context, shared, k, config.kvHeads, shared.sin))
  const values = byHead(context, v)
  /** The positions before `end`. */
  const first = (value: string, end: number): string =>
    end === length ? value : graph.one('Slice', [value, graph.shape(0), graph.shape(end), graph.shape(2)])
  const blocks = blocksOf(length).map(({ end }, i) => {
    const block = { q: queries[i]!, k: first(keys, end), v: first(values, end) }
    const scores = graph.one(
      'FusedMatMul',
      [block.q, block.k],
      { transB: 1, alpha: scale(context) },
      MICROSOFT,
    )
    const probabilities = graph.one('Softmax', [graph.one('Add', [scores, shared.masks[i]!])], { axis: -1 })
    return { ...block, probabilities, out: graph.one('MatMul', [probabilities, block.v]) }
  })
  const outs = blocks.map((block) => block.out)
  return { blocks, merged: mergeQueries(context, outs) }
}

/** From the gradient of `merged` to those of `q`, `k` and `v` as they were given. */
export function backwardAttention(
  context: GraphContext,
  shared: SharedValues,
  attention: Attention,
  gradient: string,
): { q: string; k: string; v: string } {
  const { graph, config } = context
  const fused = (a: string, b: string, attributes: Record<string, number | { float: number }>): string =>
    graph.one('FusedMatMul', [a, b], attributes, MICROSOFT)
  const alpha = scale(context)
  const outGradients = queryBlocks(context, gradient)
  const parts = attention.blocks.map(({ q, k, v, probabilities, out }, i) => {
    const outGradient = outGradients[i]!
    // The softmax's own backward: dS = P (dP - sum(P dP)), where the sum equals sum(dO O).
    const delta = graph.one('ReduceSum', [graph.one('Mul', [outGradient, out]), graph.shape(-1)], {
      keepdims: 1,
    })
    const pGradient = fused(outGradient, v, { transB: 1 })
    const sGradient = graph.one('Mul', [probabilities, graph.one('Sub', [pGradient, delta])])
    // dKᵀ and dVᵀ instead of dK and dV: to turn a narrow matrix around is cheaper than to turn the scores.
    return {
      q: fused(sGradient, k, { alpha }),
      k: fused(q, sGradient, { transA: 1, alpha }),
      v: fused(outGradient, probabilities, { transA: 1 }),
    }
  })
  // A rotation's transpose turns the other way.
  const unrotate = (value: string, heads: number): string =>
    rotate(context, shared, value, heads, shared.minusSin)
  return {
    q: unrotate(
      mergeQueries(
        context,
        parts.map((part) => part.q),
      ),
      config.heads,
    ),
    k: unrotate(
      mergeKeys(
        context,
        parts.map((part) => part.k),
      ),
      config.kvHeads,
    ),
    v: mergeKeys(
      context,
      parts.map((part) => part.v),
    ),
  }
}

function scale(context: GraphContext): { float: number } {
  return { float: 1 / Math.sqrt(context.config.headDim) }
}

function rotate(
  context: GraphContext,
  shared: SharedValues,
  value: string,
  heads: number,
  sin: string,
): string {
  const { graph, config, rows, length } = context
  const width = heads * config.headDim
  const by3 = graph.one('Reshape', [value, graph.shape(rows, length, width)])
  const rotated = graph.one('RotaryEmbedding', [by3, shared.positions, shared.cos, sin], {}, MICROSOFT)
  return graph.one('Reshape', [rotated, graph.shape(rows * length, width)])
}

/** [tokens, kvHeads · headDim] -> [rows, kvHeads, length, headDim] */
function byHead(context: GraphContext, value: string): string {
  const { graph, config, rows, length } = context
  const byToken = graph.one('Reshape', [value, graph.shape(rows, length, config.kvHeads, config.headDim)])
  return graph.one('Transpose', [byToken], { perm: [0, 2, 1, 3] })
}

/** [tokens, heads · headDim] -> per block [rows, kvHeads, group · size, headDim]: queries of a group lie together. */
function queryBlocks(context: GraphContext, value: string): readonly string[] {
  const { graph, config, rows, length } = context
  const { heads, kvHeads, headDim } = config
  const byToken = graph.one('Reshape', [value, graph.shape(rows, length, heads, headDim)])
  const sizes = blocksOf(length).map((block) => block.size)
  const parts =
    sizes.length === 1
      ? [byToken]
      : graph.node('Split', [byToken, graph.shape(...sizes)], {
          attributes: { axis: 1 },
          outputs: sizes.length,
        })
  return parts.map((part, i) => {
    const turned = graph.one('Transpose', [part], { perm: [0, 2, 1, 3] })
    return graph.one('Reshape', [turned, graph.shape(rows, kvHeads, (heads / kvHeads) * sizes[i]!, headDim)])
  })
}

/** The reverse of `queryBlocks`. */
function mergeQueries(context: GraphContext, parts: readonly string[]): string {
  const { graph, config, rows, length } = context
  const { heads, headDim } = config
  const sizes = blocksOf(length).map((block) => block.size)
  const byToken = parts.map((part, i) => {
    const split = graph.one('Reshape', [part, graph.shape(rows, heads, sizes[i]!, headDim)])
    return graph.one('Transpose', [split], { perm: [0, 2, 1, 3] })
  })
  const whole = byToken.length === 1 ? byToken[0]! : graph.one('Concat', byToken, { axis: 1 })
  return graph.one('Reshape', [whole, graph.shape(rows * length, heads * headDim)])
}

/** Adds gradients of the blocks' keys, each [rows, kvHeads, headDim, end]; gives [tokens, kvHeads · headDim]. */
function mergeKeys(context: GraphContext, parts: readonly string[]): string {
  const { graph, config, rows, length } = context
  const blocks = blocksOf(length)
  const sum = parts.reduce((before, part, i) => {
    const missing = blocks[i]!.size
    return graph.one('Add', [part, graph.one('Pad', [before, graph.shape(0, 0, 0, 0, 0, 0, 0, missing)])])
  })
  const byToken = graph.one('Transpose', [sum], { perm: [0, 3, 1, 2] })
  return graph.one('Reshape', [byToken, graph.shape(rows * length, config.kvHeads * config.headDim)])
}
