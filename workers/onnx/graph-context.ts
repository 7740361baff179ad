/** What every part of the Llama graph needs to know while it is emitted. */
import type { GraphBuilder } from './onnx-graph.ts'
import type { GraphWeights } from './graph-weights.ts'
import type { LlamaConfig } from './model-dir.ts'
import type { LoraShape } from './parameter-layout.ts'

/** All shapes are static: `rows` sequences of `length` tokens. Activations are [rows · length, width]. */
export interface GraphContext {
  readonly graph: GraphBuilder
  readonly config: LlamaConfig
  readonly weights: GraphWeights
  readonly lora: LoraShape | null
  readonly rows: number
  readonly length: number
}

/** Values that all layers share; made once per graph. */
export interface SharedValues {
  /** Token positions within their text, int64 [rows, length]. */
  readonly positions: string
  /** Per block of queries: 0 where attention is allowed, -1e30 elsewhere; [rows, 1, (heads / kvHeads) · size, end]. */
  readonly masks: readonly string[]
  /** Tables [length, headDim / 2]. */
  readonly cos: string
  readonly sin: string
  readonly minusSin: string
}

/** The name of a layer's tensor in a Hugging Face Llama. */
export function layerTensor(layer: number, path: string): string {
  return `model.layers.${layer}.${path}.weight`
}

/** The transpose of a matrix. */
export function turn(graph: GraphBuilder, value: string, outputs: readonly string[] | number = 1): string {
  return graph.node('Transpose', [value], { attributes: { perm: [1, 0] }, outputs })[0]!
}
