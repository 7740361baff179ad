/** Places every trainable tensor in one flat vector, so that optimizer and clipping are plain loops. */
import { expectedShapes, linearShapes } from './model-dir.ts'
import type { LlamaConfig } from './model-dir.ts'

export interface ParameterView {
  readonly name: string
  readonly shape: readonly number[]
  /** First element in the flat vector, and how many. */
  readonly offset: number
  readonly size: number
  /** Whether weight decay applies: matrices yes, norm weights no. */
  readonly decays: boolean
}

export interface ParameterLayout {
  readonly size: number
  readonly views: ReadonlyMap<string, ParameterView>
}

/** A low-rank adapter: y = x Wᵀ + scale · (x Aᵀ) Bᵀ on every linear map in `targets`. */
export interface LoraShape {
  readonly r: number
  /** alpha / r. */
  readonly scale: number
  /** Probability of zeroing an element of the adapter's input, per linear map. */
  readonly dropout: number
  readonly targets: ReadonlySet<string>
}

/** Linear maps that share their input share one matrix product with their stacked A matrices. */
export const LINEAR_GROUPS = [
  ['q_proj', 'k_proj', 'v_proj'],
  ['o_proj'],
  ['gate_proj', 'up_proj'],
  ['down_proj'],
] as const

/** Every tensor of the model, under its Hugging Face name. */
export function fullLayout(config: LlamaConfig): ParameterLayout {
  return placeViews([...expectedShapes(config)].map(([name, shape]) => ({ name, shape })))
}

/** The stacked A matrices [k·r, in] of a group's k adapted maps. */
export function loraDownName(layer: number, adapted: readonly string[]): string {
  return `lora.${layer}.${adapted.join('+')}.A`
}

/** The transposed B matrix [r, out] of one map. */
export function loraUpName(layer: number, module: string): string {
  return `lora.${layer}.${module}.Bt`
}

export function adaptedModules(group: readonly string[], lora: LoraShape): readonly string[] {
  return group.filter((module) => lora.targets.has(module))
}

/** The adapter's tensors in the orientation that the graph uses (A stacked by group, B transposed). */
export function loraLayout(config: LlamaConfig, lora: LoraShape): ParameterLayout {
  const linears = linearShapes(config)
  const tensors: { name: string; shape: number[] }[] = []
  for (let layer = 0; layer < config.layers; layer++) {
    for (const group of LINEAR_GROUPS) {
      const adapted = adaptedModules(group, lora)
      if (adapted.length === 0) continue
      const width = linears.get(adapted[0]!)!.in
      tensors.push({ name: loraDownName(layer, adapted), shape: [adapted.length * lora.r, width] })
      for (const module of adapted) {
        tensors.push({ name: loraUpName(layer, module), shape: [lora.r, linears.get(module)!.out] })
      }
    }
  }
  return placeViews(tensors)
}

function placeViews(tensors: readonly { name: string; shape: readonly number[] }[]): ParameterLayout {
  const views = new Map<string, ParameterView>()
  let offset = 0
  for (const { name, shape } of tensors) {
    const size = shape.reduce((product, dim) => product * dim, 1)
    views.set(name, { name, shape, offset, size, decays: shape.length > 1 })
    offset += size
  }
  return { size: offset, views }
}

/** The part of a flat vector that belongs to `view`; shares memory. */
export function viewOf(flat: Float32Array, view: ParameterView): Float32Array {
  return flat.subarray(view.offset, view.offset + view.size)
}
