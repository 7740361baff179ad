/** Causal self-attention with grouped heads and rotary positions: forward and backward. */
import type { GraphContext, SharedValues } from './graph-context.ts'

const MICROSOFT = 'com.microsoft'

/** What the backward pass needs; q, k, v and out are laid out by head. */
export interface Attention {
  /** Rotated queries [rows, kvHeads, group · length, headDim], rotated keys and values [rows, kvHeads, length, headDim]. */
  readonly q: string
  readonly k: string
  readonly v: string
  /** Attention weights [rows, kvHeads, group · length, length]. */
  readonly probabilities: string
  readonly out: string
  /** The result as [tokens, heads · headDim]. */
  readonly merged: string
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
  const mask = group === 1 ? perHead : graph.one('Concat', Array<string>(group).fill(perHead), { axis: 2 })

  const half = config.headDim / 2
  const { cos, sin } = rotaryTables(length, config.headDim, config.ropeTheta)
  return {
    positions,
    mask,
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
  const { graph, config } = context
  const heads = {
    q: splitHeads(context, rotate(context, shared, q, config.heads, shared.sin), config.heads),
    k: splitHeads(context, rotate(context, shared, k, config.kvHeads, shared.sin), config.kvHeads),
    v: splitHeads(context, v, config.kvHeads),
  }
  const scores = graph.one('FusedMatMul', [heads.q, heads.k], { transB: 1, alpha: scale(context) }, MICROSOFT)
  const probabilities = graph.one('Softmax', [graph.one('Add', [scores, shared.mask])], { axis: -1 })
  const out = graph.one('MatMul', [probabilities, heads.v])
  return { ...heads, probabilities, out, merged: mergeHeads(context, out, config.heads) }
}

/** From the gradient of `merged` to those of `q`, `k` and `v` as they were given. */
export function backwardAttention(
  context: GraphContext,
  shared: SharedValues,
  attention: Attention,
  gradient: string,
): { q: string; k: string; v: string } {
  const { graph, config } = context
  const { q, k, v, probabilities, out } = attention
  const fused = (a: string, b: string, attributes: Record<string, number | { float: number }>): string =>
    graph.one('FusedMatMul', [a, b], attributes, MICROSOFT)
  const alpha = scale(context)
  const outGradient = splitHeads(context, gradient, config.heads)
  // The softmax's own backward: dS = P (dP - sum(P dP)), where the sum equals sum(dO O).
  const delta = graph.one('ReduceSum', [graph.one('Mul', [outGradient, out]), graph.shape(-1)], {
    keepdims: 1,
  })
  const vGradient = fused(probabilities, outGradient, { transA: 1 })
  const pGradient = fused(outGradient, v, { transB: 1 })
  const sGradient = graph.one('Mul', [probabilities, graph.one('Sub', [pGradient, delta])])
  const qGradient = fused(sGradient, k, { alpha })
  const kGradient = fused(sGradient, q, { transA: 1, alpha })
  // A rotation's transpose turns the other way.
  const unrotate = (value: string, heads: number): string =>
    rotate(context, shared, mergeHeads(context, value, heads), heads, shared.minusSin)
  return {
    q: unrotate(qGradient, config.heads),
    k: unrotate(kGradient, config.kvHeads),
    v: mergeHeads(context, vGradient, config.kvHeads),
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

/** [tokens, heads · headDim] -> [rows, kvHeads, (heads / kvHeads) · length, headDim]: queries of a group lie together. */
function splitHeads(context: GraphContext, value: string, heads: number): string {
  const { graph, config, rows, length } = context
  const byToken = graph.one('Reshape', [value, graph.shape(rows, length, heads, config.headDim)])
  const byHead = graph.one('Transpose', [byToken], { perm: [0, 2, 1, 3] })
  if (heads === config.kvHeads) return byHead
  const group = heads / config.kvHeads
  return graph.one('Reshape', [byHead, graph.shape(rows, config.kvHeads, group * length, config.headDim)])
}

function mergeHeads(context: GraphContext, value: string, heads: number): string {
  const { graph, config, rows, length } = context
  const byHead =
    heads === config.kvHeads
      ? value
      : graph.one('Reshape', [value, graph.shape(rows, heads, length, config.headDim)])
  const byToken = graph.one('Transpose', [byHead], { perm: [0, 2, 1, 3] })
  return graph.one('Reshape', [byToken, graph.shape(rows * length, heads * config.headDim)])
}
