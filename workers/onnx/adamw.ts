/** AdamW (Loshchilov and Hutter 2019) and clipping by global norm, as loops over flat vectors. */
import { viewOf } from './parameter-layout.ts'
import type { ParameterLayout } from './parameter-layout.ts'

export interface AdamW {
  /** First and second moments, laid out like the parameters. */
  readonly m: Float32Array
  readonly v: Float32Array
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  /** Updates made so far. */
  steps: number
}

export function createAdamW(
  size: number,
  options: { readonly beta1: number; readonly beta2: number; readonly weightDecay: number },
): AdamW {
  return { m: new Float32Array(size), v: new Float32Array(size), epsilon: 1e-8, steps: 0, ...options }
}

/** Updates `parameters` in place; `gradientScale` multiplies every gradient (see `clipScale`). */
export function stepAdamW(
  optimizer: AdamW,
  layout: ParameterLayout,
  parameters: Float32Array,
  gradients: Float32Array,
  lr: number,
  gradientScale: number,
): void {
  optimizer.steps += 1
  const { beta1, beta2, epsilon, steps } = optimizer
  const stepSize = lr / (1 - beta1 ** steps)
  const rootCorrection = 1 / Math.sqrt(1 - beta2 ** steps)
  for (const view of layout.views.values()) {
    updateView(
      viewOf(parameters, view),
      viewOf(gradients, view),
      viewOf(optimizer.m, view),
      viewOf(optimizer.v, view),
      gradientScale,
      view.decays ? 1 - lr * optimizer.weightDecay : 1,
      beta1,
      beta2,
      stepSize,
      rootCorrection,
      epsilon,
    )
  }
}

// Everything comes as an argument: V8 does not optimise such a loop over variables that outlive it.
function updateView(
  parameters: Float32Array,
  gradients: Float32Array,
  m: Float32Array,
  v: Float32Array,
  gradientScale: number,
  decay: number,
  beta1: number,
  beta2: number,
  stepSize: number,
  rootCorrection: number,
  epsilon: number,
): void {
  for (let i = 0; i < parameters.length; i++) {
    const gradient = gradients[i]! * gradientScale
    const mean = beta1 * m[i]! + (1 - beta1) * gradient
    const square = beta2 * v[i]! + (1 - beta2) * gradient * gradient
    m[i] = mean
    v[i] = square
    parameters[i] =
      parameters[i]! * decay - (stepSize * mean) / (Math.sqrt(square) * rootCorrection + epsilon)
  }
}

/** Euclidean norm, summed in float64. Not finite if any element is not. */
export function globalNorm(values: Float32Array): number {
  // Four sums hide the latency of one addition.
  let [a, b, c, d] = [0, 0, 0, 0]
  const whole = values.length - (values.length % 4)
  for (let i = 0; i < whole; i += 4) {
    a += values[i]! * values[i]!
    b += values[i + 1]! * values[i + 1]!
    c += values[i + 2]! * values[i + 2]!
    d += values[i + 3]! * values[i + 3]!
  }
  for (let i = whole; i < values.length; i++) a += values[i]! * values[i]!
  return Math.sqrt(a + b + c + d)
}

/** What to multiply gradients by so that their norm is at most `limit`; 0 means no limit. */
export function clipScale(norm: number, limit: number): number {
  return limit > 0 && norm > limit ? limit / (norm + 1e-6) : 1
}

/** total += part */
export function addInto(total: Float32Array, part: Float32Array): void {
  for (let i = 0; i < total.length; i++) total[i] = total[i]! + part[i]!
}
