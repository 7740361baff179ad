/** Linear maps that share an input, with their adapters: forward and backward. */
import { gradientName } from './graph-weights.ts'
import { layerTensor, turn } from './graph-context.ts'
import type { GraphContext } from './graph-context.ts'
import { linearShapes } from './model-dir.ts'
import { adaptedModules, loraDownName, loraUpName } from './parameter-layout.ts'

/** What the backward pass of a group needs from its forward pass. */
export interface LinearGroup {
  readonly layer: number
  readonly modules: readonly string[]
  readonly input: string
  /** One value per module, [tokens, out]. */
  readonly outputs: readonly string[]
  readonly adapters: AdapterValues | null
}

interface AdapterValues {
  /** The modules of the group that have an adapter, in group order. */
  readonly adapted: readonly string[]
  /** Stacked A matrices as one value [k·r, in]. */
  readonly down: string
  /** Per adapted module: its A [r, in], only with dropout. */
  readonly downs: readonly string[]
  /** Per adapted module: scale · (input or masked input) Aᵀ, [tokens, r]. */
  readonly low: readonly string[]
  /** Per adapted module: the 0/1 mask and the masked input, only with dropout. */
  readonly masks: readonly string[]
  readonly masked: readonly string[]
}

/** Name of the graph input that holds a dropout mask: uint8 0 or 1, [tokens, in]. */
export function dropoutMaskName(layer: number, module: string): string {
  return `mask.${layer}.${module}`
}

export function forwardLinears(
  context: GraphContext,
  layer: number,
  modules: readonly string[],
  input: string,
): LinearGroup {
  const { graph, weights } = context
  const adapters = forwardAdapters(context, layer, modules, input)
  const outputs = modules.map((module) => {
    const plain = graph.one('Gemm', [input, weights.get(weightName(context, layer, module))], { transB: 1 })
    const at = adapters?.adapted.indexOf(module) ?? -1
    if (adapters === null || at < 0) return plain
    return graph.one('Gemm', [adapters.low[at]!, weights.get(loraUpName(layer, module)), plain])
  })
  return { layer, modules, input, outputs, adapters }
}

/**
 * Emits the gradients of the group's trained tensors, and returns the gradient of the group's input, [tokens, in],
 * or null where nothing before the group is trained.
 * `outputGradients`: one per module, [tokens, out].
 */
export function backwardLinears(
  context: GraphContext,
  group: LinearGroup,
  outputGradients: readonly string[],
  needsInputGradient: boolean,
): string | null {
  const { graph, weights } = context
  emitWeightGradients(context, group, outputGradients)
  let inputGradient: string | null = null
  group.modules.forEach((module, i) => {
    const name = weightName(context, group.layer, module)
    if (!needsInputGradient) return
    // Gemm's third operand adds what the modules before contributed.
    const sum = inputGradient === null ? [] : [inputGradient]
    inputGradient = graph.one('Gemm', [outputGradients[i]!, weights.get(name), ...sum])
  })
  if (group.adapters === null) return inputGradient
  return backwardAdapters(context, group, group.adapters, outputGradients, inputGradient)
}

/**
 * dW = dYᵀ X for the trained weights of a group. Gemm is slow at reading its first operand across, so that the narrower
 * of the two is turned around beforehand; if that is the input, which the group shares, small dWᵀ are turned back.
 */
function emitWeightGradients(
  context: GraphContext,
  group: LinearGroup,
  outputGradients: readonly string[],
): void {
  const { graph, weights } = context
  const shapes = group.modules.map((module) => linearShapes(context.config).get(module)!)
  const inputIsNarrower = shapes[0]!.in < shapes.reduce((sum, { out }) => sum + out, 0)
  let turnedInput: string | null = null
  group.modules.forEach((module, i) => {
    const name = weightName(context, group.layer, module)
    if (!weights.trains(name)) return
    const outputs = [gradientName(name)]
    if (inputIsNarrower) {
      turnedInput ??= turn(graph, group.input)
      turn(graph, graph.one('Gemm', [turnedInput, outputGradients[i]!]), outputs)
    } else {
      graph.node('Gemm', [turn(graph, outputGradients[i]!), group.input], { outputs })
    }
  })
}

function forwardAdapters(
  context: GraphContext,
  layer: number,
  modules: readonly string[],
  input: string,
): AdapterValues | null {
  const { graph, weights, lora } = context
  const adapted = lora === null ? [] : adaptedModules(modules, lora)
  if (lora === null || adapted.length === 0) return null
  const down = weights.get(loraDownName(layer, adapted))
  const count = adapted.length
  const split = (value: string, axis: number): string[] =>
    count === 1
      ? [value]
      : graph.node('Split', [value], { attributes: { axis, num_outputs: count }, outputs: count })
  if (lora.dropout === 0) {
    const low = split(graph.one('Gemm', [input, down], { transB: 1, alpha: { float: lora.scale } }), 1)
    return { adapted, down, downs: [], low, masks: [], masked: [] }
  }
  // Every module sees its own mask, as in PEFT, so the input is no longer shared.
  const width = linearShapes(context.config).get(adapted[0]!)!.in
  const downs = split(down, 0)
  const FLOAT = 1
  const masks = adapted.map((module) => {
    const mask = graph.input(dropoutMaskName(layer, module), 'u8', [context.rows * context.length, width])
    return graph.one('Cast', [mask], { to: FLOAT })
  })
  const masked = masks.map((mask) => graph.one('Mul', [input, mask]))
  const alpha = { float: lora.scale / (1 - lora.dropout) }
  const low = masked.map((value, i) => graph.one('Gemm', [value, downs[i]!], { transB: 1, alpha }))
  return { adapted, down, downs, low, masks, masked }
}

function backwardAdapters(
  context: GraphContext,
  group: LinearGroup,
  adapters: AdapterValues,
  outputGradients: readonly string[],
  plainGradient: string | null,
): string | null {
  const { graph, weights } = context
  const lora = context.lora!
  const lowGradients = adapters.adapted.map((module, i) => {
    const outputGradient = outputGradients[group.modules.indexOf(module)]!
    const up = loraUpName(group.layer, module)
    if (weights.trains(up)) {
      graph.node('Gemm', [adapters.low[i]!, outputGradient], {
        attributes: { transA: 1 },
        outputs: [gradientName(up)],
      })
    }
    return graph.one('Gemm', [outputGradient, weights.get(up)], { transB: 1 })
  })
  const downGradient = gradientName(loraDownName(group.layer, adapters.adapted))

  if (lora.dropout === 0) {
    const alpha = { float: lora.scale }
    const low = lowGradients.length === 1 ? lowGradients[0]! : graph.one('Concat', lowGradients, { axis: 1 })
    graph.node('Gemm', [low, group.input], { attributes: { transA: 1, alpha }, outputs: [downGradient] })
    if (plainGradient === null) return null
    return graph.one('Gemm', [low, adapters.down, plainGradient], { alpha })
  }

  const alpha = { float: lora.scale / (1 - lora.dropout) }
  const parts = lowGradients.map((low, i) =>
    graph.one('Gemm', [low, adapters.masked[i]!], { transA: 1, alpha }),
  )
  graph.node('Concat', parts, { attributes: { axis: 0 }, outputs: [downGradient] })
  if (plainGradient === null) return null
  return lowGradients.reduce((sum, low, i) => {
    const masked = graph.one('Gemm', [low, adapters.downs[i]!], { alpha })
    return graph.one('Add', [sum, graph.one('Mul', [masked, adapters.masks[i]!])])
  }, plainGradient)
}

function weightName(context: GraphContext, layer: number, module: string): string {
  return layerTensor(layer, linearShapes(context.config).get(module)!.path)
}
