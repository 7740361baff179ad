/** Where a graph's weights come from: the model's file, or inputs that training changes between runs. */
import type { GraphBuilder } from './onnx-graph.ts'
import type { Model } from './model-dir.ts'
import type { ParameterLayout } from './parameter-layout.ts'

export interface GraphWeights {
  /** The value that holds tensor `name` as float32. */
  get(name: string): string
  /** Whether `name` is trained, so that its gradient is an output. */
  trains(name: string): boolean
}

/** Name of the graph output that is the gradient of `name`. */
export function gradientName(name: string): string {
  return `grad ${name}`
}

/**
 * Tensors in `layout` become float32 graph inputs of the same name; all others are read from the model's file in
 * place. Half-precision weights are widened in the graph, layer by layer, so they never occupy float32 at once.
 */
export function graphWeights(
  graph: GraphBuilder,
  layout: ParameterLayout | null,
  model: Model | null,
): GraphWeights {
  const known = new Map<string, string>()
  const declare = (name: string): string => {
    const view = layout?.views.get(name)
    if (view !== undefined) return graph.input(name, 'f32', view.shape)
    const weight = model?.weights.get(name)
    if (weight === undefined) throw new Error(`no weight ${name}`)
    const dtype = ({ F32: 'f32', BF16: 'bf16', F16: 'f16' } as const)[weight.dtype]
    const value = graph.external(name, dtype, weight.shape, weight.file, weight.offset, weight.byteLength)
    const FLOAT = 1
    return dtype === 'f32' ? value : graph.one('Cast', [value], { to: FLOAT })
  }
  return {
    get(name) {
      const value = known.get(name) ?? declare(name)
      known.set(name, value)
      return value
    },
    trains: (name) => layout?.views.has(name) ?? false,
  }
}
