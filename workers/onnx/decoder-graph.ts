/** The graph of one decoding step of a Llama: new tokens in, the next token out, keys and values kept in a cache. */
import { join } from 'node:path'
import { JobError } from '../op.ts'
import { mergeInto } from './adapter-dir.ts'
import type { Adapter } from './adapter-dir.ts'
import { rotaryTables } from './graph-attention.ts'
import { readWeight } from './model-dir.ts'
import type { Model } from './model-dir.ts'
import { GraphBuilder } from './onnx-graph.ts'

const MICROSOFT = 'com.microsoft'
/** A model in memory is one protobuf message, which cannot pass 2 GiB; the rest is room for everything else. */
const MAX_CONSTANT_BYTES = 1.9e9
/** The cached attention's kernel takes head sizes that are multiples of this. */
const HEAD_STEP = 16

export interface DecoderGraph {
  readonly bytes: Uint8Array
  /** Names of the cache tensors as inputs (`past`) and outputs (`present`), in equal order. */
  readonly caches: readonly { readonly past: string; readonly present: string }[]
}

/**
 * Emits the graph. Symbolic sizes: b rows, s new tokens a row, c places in the cache.
 *
 * Inputs: `ids` int64 [b, s], padded on the right; `last` int64 [b], the flat index of each row's last new token;
 * `lengths` int32 [b], tokens of each row including the new ones, minus one; `total` int32 [1], the largest length;
 * one cache pair a layer, float32 [b, kvHeads, c, headDim].
 * Outputs: `next` int64 [b], the likeliest next token (the lowest id of equals); `logits` float32 [b, vocab] if
 * asked for; the caches. A cache output must be the same buffer as its input: the kernel appends in place.
 *
 * An adapter is added to the weights here, in float32, so that it costs nothing per token.
 * Source of the attention's contract: ONNX Runtime's contrib operator GroupQueryAttention.
 */
export function buildDecoderGraph(
  model: Model,
  adapter: Adapter | null,
  capacity: number,
  withLogits: boolean,
): DecoderGraph {
  const { config } = model
  if (config.headDim % HEAD_STEP !== 0) {
    throw new JobError(
      'input',
      `${model.dir} has heads of ${config.headDim} values; generation needs a multiple of ${HEAD_STEP}.`,
    )
  }
  const graph = new GraphBuilder()
  const weight = weightSource(graph, model, adapter)
  const { headDim, heads, kvHeads } = config

  const ids = graph.input('ids', 'i64', ['b', 's'])
  const last = graph.input('last', 'i64', ['b'])
  const lengths = graph.input('lengths', 'i32', ['b'])
  const total = graph.input('total', 'i32', [1])
  const tables = rotaryTables(capacity, headDim, config.ropeTheta)
  const cos = graph.constant('cos', 'f32', [capacity, headDim / 2], tables.cos)
  const sin = graph.constant('sin', 'f32', [capacity, headDim / 2], tables.sin)

  const norm = (input: string, name: string): string =>
    graph.one('SimplifiedLayerNormalization', [input, weight(name)], {
      axis: -1,
      epsilon: { float: config.rmsNormEps },
      stash_type: 1,
    })
  /** Tokens are rows of one matrix for the linear maps, [b · s, width], and by row for attention, [b, s, width]. */
  const linear = (input: string, name: string, sum: readonly string[] = []): string =>
    graph.one('Gemm', [input, weight(name), ...sum], { transB: 1 })
  const idsShape = graph.one('Shape', [ids])
  const byRow = (value: string, width: number): string =>
    graph.one('Reshape', [value, graph.one('Concat', [idsShape, graph.shape(width)], { axis: 0 })])

  const caches: { past: string; present: string }[] = []
  const flatIds = graph.one('Reshape', [ids, graph.shape(-1)])
  let x = graph.one('Gather', [weight('model.embed_tokens.weight'), flatIds], { axis: 0 })
  for (let layer = 0; layer < config.layers; layer++) {
    const at = (path: string): string => `model.layers.${layer}.${path}.weight`
    const h = norm(x, at('input_layernorm'))
    const past = ['key', 'value'].map((kind) =>
      graph.input(`past ${kind} ${layer}`, 'f32', ['b', kvHeads, 'c', headDim]),
    )
    const present = ['key', 'value'].map((kind) => `present ${kind} ${layer}`)
    const [attended] = graph.node(
      'GroupQueryAttention',
      [
        byRow(linear(h, at('self_attn.q_proj')), heads * headDim),
        byRow(linear(h, at('self_attn.k_proj')), kvHeads * headDim),
        byRow(linear(h, at('self_attn.v_proj')), kvHeads * headDim),
        ...past,
        lengths,
        total,
        cos,
        sin,
      ],
      {
        attributes: { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1, rotary_interleaved: 0 },
        outputs: [`attended ${layer}`, ...present],
        domain: MICROSOFT,
      },
    )
    past.forEach((name, i) => {
      graph.output(present[i]!, 'f32', ['b', kvHeads, 'c', headDim])
      caches.push({ past: name, present: present[i]! })
    })
    const merged = graph.one('Reshape', [attended!, graph.shape(-1, heads * headDim)])
    x = linear(merged, at('self_attn.o_proj'), [x])
    const m = norm(x, at('post_attention_layernorm'))
    const gate = linear(m, at('mlp.gate_proj'))
    const silu = graph.one('Mul', [gate, graph.one('Sigmoid', [gate])])
    x = linear(graph.one('Mul', [silu, linear(m, at('mlp.up_proj'))]), at('mlp.down_proj'), [x])
  }
  // Only the last token of a row predicts something new, so the head sees [b, hidden].
  const final = norm(graph.one('Gather', [x, last], { axis: 0 }), 'model.norm.weight')
  const head = config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight'
  const [logits] = graph.node('Gemm', [final, weight(head)], {
    attributes: { transB: 1 },
    outputs: ['logits'],
  })
  graph.node('ArgMax', [logits!], { attributes: { axis: 1, keepdims: 0 }, outputs: ['next'] })
  graph.output('next', 'i64', ['b'])
  if (withLogits) graph.output('logits', 'f32', ['b', config.vocabSize])
  return { bytes: graph.encode(), caches }
}

/**
 * Float32 weights that nothing changes stay in the model's file. Adapted and half-precision weights become float32
 * constants: widening them in the graph would repeat the work for every token.
 */
function weightSource(graph: GraphBuilder, model: Model, adapter: Adapter | null): (name: string) => string {
  const adapted = (name: string): boolean =>
    adapter?.tensors.has(`base_model.model.${name.replace(/\.weight$/, '')}.lora_A.weight`) ?? false
  const declared = new Set<string>()
  let constantBytes = 0
  return (name) => {
    if (declared.has(name)) return name
    declared.add(name)
    const stored = model.weights.get(name)!
    if (stored.dtype === 'F32' && !adapted(name)) {
      return graph.external(name, 'f32', stored.shape, stored.file, stored.offset, stored.byteLength)
    }
    const data = readWeight(model, name)
    constantBytes += data.byteLength
    if (constantBytes > MAX_CONSTANT_BYTES) {
      throw new JobError(
        'resources',
        `${join(model.weightsDir, stored.file)}: the adapted and half-precision weights need more than 1.9 GB as float32.`,
        'Merge the adapter and save the model in float32, or use a smaller model.',
      )
    }
    if (adapter !== null) mergeInto(adapter, name, stored.shape, data)
    return graph.constant(name, 'f32', stored.shape, data)
  }
}
