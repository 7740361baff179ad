/** A Llama as one ONNX graph of static shape: the loss of a batch and, for training, the gradient of every parameter. */
import { emitSharedValues, backwardAttention, forwardAttention } from './graph-attention.ts'
import type { Attention } from './graph-attention.ts'
import { layerTensor } from './graph-context.ts'
import type { GraphContext, SharedValues } from './graph-context.ts'
import { emitLossHead } from './graph-loss.ts'
import { backwardLinears, forwardLinears } from './graph-linear.ts'
import type { LinearGroup } from './graph-linear.ts'
import { backwardNorm, forwardNorm } from './graph-norm.ts'
import type { Norm } from './graph-norm.ts'
import { gradientName, graphWeights } from './graph-weights.ts'
import type { LlamaConfig, Model } from './model-dir.ts'
import { GraphBuilder } from './onnx-graph.ts'
import { LINEAR_GROUPS } from './parameter-layout.ts'
import type { LoraShape, ParameterLayout } from './parameter-layout.ts'

export interface LlamaGraph {
  readonly config: LlamaConfig
  /** Weights that are not inputs come from here; null if all are inputs. */
  readonly model: Model | null
  /** Parameters that are graph inputs; with `gradients`, each has an output `gradientName(name)`. */
  readonly layout: ParameterLayout | null
  readonly lora: LoraShape | null
  readonly gradients: boolean
  /** Recomputes each layer in the backward pass instead of keeping its activations: about 25 % slower, less memory. */
  readonly recompute: boolean
  /** Sequences, tokens per sequence, and how many positions have a loss (equal to rows · length: all of them). */
  readonly rows: number
  readonly length: number
  readonly targets: number
}

/** Output: gradient rows of the embedding, one per input token, [rows · length, hidden]; the caller adds them up. */
export const EMBEDDING_ROWS = 'embedding rows'

/**
 * Inputs: `ids` int64 [rows·length], `positions` int64 and `segments` int32 [rows, length], `labels` int64 [targets],
 * with gradients `weights` f32 [targets] (0 for padding); if targets < rows · length also `picked` int64 [targets]
 * (which positions have a loss) and, with gradients, `places` int64 [rows·length] (index into targets, or `targets`
 * for none). Output: `nll` f32 [targets] in nats, unweighted.
 */
export function buildLlamaGraph(spec: LlamaGraph): Uint8Array {
  const { config, rows, length } = spec
  const graph = new GraphBuilder()
  const weights = graphWeights(graph, spec.layout, spec.model)
  const context: GraphContext = { graph, config, weights, lora: spec.lora, rows, length }
  const tokens = rows * length
  const shared = emitSharedValues(context)

  const embedding = 'model.embed_tokens.weight'
  const ids = graph.input('ids', 'i64', [tokens])
  let hidden = graph.one('Gather', [weights.get(embedding), ids], { axis: 0 })
  const layers: Layer[] = []
  for (let index = 0; index < config.layers; index++) {
    const layer = forwardLayer(context, shared, index, hidden)
    layers.push(layer)
    hidden = layer.output
  }
  const headGradient = emitLossHead(context, hidden, spec.targets, spec.gradients)
  if (headGradient !== null) {
    // A frozen embedding means that nothing before the first layer's adapters needs a gradient.
    const trainsEmbedding = weights.trains(embedding)
    let gradient: string | null = headGradient
    for (const layer of layers.reverse()) {
      const again = spec.recompute
        ? forwardLayer(context, shared, layer.index, graph.one('Identity', [layer.input]))
        : layer
      gradient = backwardLayer(context, shared, again, gradient!, layer.index > 0 || trainsEmbedding)
    }
    if (trainsEmbedding) {
      graph.node('Identity', [gradient!], { outputs: [EMBEDDING_ROWS] })
      graph.output(EMBEDDING_ROWS, 'f32', [tokens, config.hiddenSize])
    }
    for (const view of spec.layout?.views.values() ?? []) {
      // An untied embedding is reached only through EMBEDDING_ROWS.
      if (view.name === embedding && !config.tieWordEmbeddings) continue
      graph.output(gradientName(view.name), 'f32', view.shape)
    }
  }
  return graph.encode()
}

/** One layer's values that its backward pass uses. */
interface Layer {
  readonly index: number
  readonly input: string
  readonly attentionNorm: Norm
  readonly qkv: LinearGroup
  readonly attention: Attention
  readonly o: LinearGroup
  readonly mlpNorm: Norm
  readonly gateUp: LinearGroup
  readonly sigmoid: string
  /** silu(gate). */
  readonly silu: string
  readonly down: LinearGroup
  readonly output: string
}

function forwardLayer(context: GraphContext, shared: SharedValues, index: number, input: string): Layer {
  const { graph } = context
  const [qkvMaps, oMaps, gateUpMaps, downMaps] = LINEAR_GROUPS
  const attentionNorm = forwardNorm(context, layerTensor(index, 'input_layernorm'), input)
  const qkv = forwardLinears(context, index, qkvMaps, attentionNorm.output)
  const attention = forwardAttention(context, shared, qkv.outputs[0]!, qkv.outputs[1]!, qkv.outputs[2]!)
  const o = forwardLinears(context, index, oMaps, attention.merged)
  const middle = graph.one('Add', [input, o.outputs[0]!])
  const mlpNorm = forwardNorm(context, layerTensor(index, 'post_attention_layernorm'), middle)
  const gateUp = forwardLinears(context, index, gateUpMaps, mlpNorm.output)
  const [gate, up] = [gateUp.outputs[0]!, gateUp.outputs[1]!]
  const sigmoid = graph.one('Sigmoid', [gate])
  const silu = graph.one('Mul', [gate, sigmoid])
  const down = forwardLinears(context, index, downMaps, graph.one('Mul', [silu, up]))
  const output = graph.one('Add', [middle, down.outputs[0]!])
  return { index, input, attentionNorm, qkv, attention, o, mlpNorm, gateUp, sigmoid, silu, down, output }
}

function backwardLayer(
  context: GraphContext,
  shared: SharedValues,
  layer: Layer,
  gradient: string,
  needsInputGradient: boolean,
): string | null {
  const { graph } = context
  const product = backwardLinears(context, layer.down, [gradient], true)!
  const upGradient = graph.one('Mul', [product, layer.silu])
  // silu'(g) = sigmoid(g) + silu(g) (1 - sigmoid(g))
  const slope = graph.one('Add', [
    layer.sigmoid,
    graph.one('Mul', [layer.silu, graph.one('Sub', [graph.scalar(1), layer.sigmoid])]),
  ])
  const siluGradient = graph.one('Mul', [product, layer.gateUp.outputs[1]!])
  const gateGradient = graph.one('Mul', [siluGradient, slope])
  const mlpInput = backwardLinears(context, layer.gateUp, [gateGradient, upGradient], true)!
  const middle = graph.one('Add', [gradient, backwardNorm(context, layer.mlpNorm, mlpInput)])

  const merged = backwardLinears(context, layer.o, [middle], true)!
  const { q, k, v } = backwardAttention(context, shared, layer.attention, merged)
  // The norm's own weight needs the gradient of its output even where nothing before it is trained.
  const needsNormGradient = needsInputGradient || context.weights.trains(layer.attentionNorm.weight)
  const attentionInput = backwardLinears(context, layer.qkv, [q, k, v], needsNormGradient)
  if (attentionInput === null) return null
  const normInput = backwardNorm(context, layer.attentionNorm, attentionInput)
  return needsInputGradient ? graph.one('Add', [middle, normInput]) : null
}
