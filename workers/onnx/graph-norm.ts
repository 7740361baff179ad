/** RMSNorm: forward and backward. */
import type { GraphContext } from './graph-context.ts'
import { gradientName } from './graph-weights.ts'

export interface Norm {
  /** Name of the weight tensor. */
  readonly weight: string
  readonly input: string
  /** [tokens, hidden] */
  readonly output: string
  /** 1 / rms(input), [tokens, 1]. */
  readonly inverse: string
}

export function forwardNorm(context: GraphContext, weight: string, input: string): Norm {
  const { graph, weights, config } = context
  const [output, inverse] = graph.node('SimplifiedLayerNormalization', [input, weights.get(weight)], {
    attributes: { axis: -1, epsilon: { float: config.rmsNormEps }, stash_type: 1 },
    outputs: 2,
  })
  return { weight, input, output: output!, inverse: inverse! }
}

/** From the gradient of the output to that of the input. */
export function backwardNorm(context: GraphContext, norm: Norm, gradient: string): string {
  const { graph, weights } = context
  if (weights.trains(norm.weight)) {
    const unit = graph.one('Mul', [norm.input, norm.inverse])
    graph.node('ReduceSum', [graph.one('Mul', [gradient, unit]), graph.shape(0)], {
      attributes: { keepdims: 0 },
      outputs: [gradientName(norm.weight)],
    })
  }
  // With g = gradient · weight and i = 1/rms: dx = i (g - x · mean(g x) i²).
  const scaled = graph.one('Mul', [gradient, weights.get(norm.weight)])
  const mean = graph.one('ReduceMean', [graph.one('Mul', [scaled, norm.input]), graph.shape(-1)], {
    keepdims: 1,
  })
  const square = graph.one('Mul', [norm.inverse, norm.inverse])
  const along = graph.one('Mul', [norm.input, graph.one('Mul', [mean, square])])
  return graph.one('Mul', [graph.one('Sub', [scaled, along]), norm.inverse])
}
