/** Moves LoRA matrices between PEFT's tensors and the flat vector of a `loraLayout`. */
import { adapterTensorName } from './adapter-dir.ts'
import type { Adapter } from './adapter-dir.ts'
import { linearShapes } from './model-dir.ts'
import type { LlamaConfig, WeightData } from './model-dir.ts'
import { LINEAR_GROUPS, adaptedModules, loraDownName, loraLayout, loraUpName } from './parameter-layout.ts'
import type { LoraShape, ParameterLayout } from './parameter-layout.ts'
import type { Random } from './random.ts'

/** A drawn uniformly from ±1/√in (what PEFT's Kaiming initialisation amounts to), B zero: no change at first. */
export function initialLora(config: LlamaConfig, lora: LoraShape, random: Random): Float32Array {
  const flat = new Float32Array(loraLayout(config, lora).size)
  for (const { matrix, at, size, width } of loraMatrices(config, lora)) {
    if (matrix === 'B') continue
    const bound = 1 / Math.sqrt(width)
    for (let i = 0; i < size; i++) flat[at + i] = (2 * random.uniform() - 1) * bound
  }
  return flat
}

/** The flat vector of an adapter that was read from a directory. */
export function loraFromAdapter(config: LlamaConfig, lora: LoraShape, adapter: Adapter): Float32Array {
  const flat = new Float32Array(loraLayout(config, lora).size)
  for (const place of loraMatrices(config, lora)) {
    const data = adapter.tensors.get(place.name)!.data
    if (place.matrix === 'A') flat.set(data, place.at)
    else transpose(data, flat.subarray(place.at, place.at + place.size), place.out, lora.r)
  }
  return flat
}

/** PEFT's tensors (A [r, in], B [out, r]) of a flat vector of parameters, or of their gradients. */
export function loraTensors(
  config: LlamaConfig,
  lora: LoraShape,
  flat: Float32Array,
): Map<string, WeightData> {
  const tensors = new Map<string, WeightData>()
  for (const { name, matrix, at, size, out, width } of loraMatrices(config, lora)) {
    const part = flat.slice(at, at + size)
    if (matrix === 'A') tensors.set(name, { shape: [lora.r, width], data: part })
    else {
      const data = new Float32Array(size)
      transpose(part, data, lora.r, out)
      tensors.set(name, { shape: [out, lora.r], data })
    }
  }
  return tensors
}

/** The shape of an adapter's LoRA for inference, where dropout is off. */
export function loraShape(adapter: Pick<Adapter, 'r' | 'alpha' | 'targets'>): LoraShape {
  return { r: adapter.r, scale: adapter.alpha / adapter.r, dropout: 0, targets: new Set(adapter.targets) }
}

interface Place {
  readonly name: string
  readonly matrix: 'A' | 'B'
  readonly at: number
  readonly size: number
  readonly out: number
  readonly width: number
}

/** Where each of PEFT's matrices lies, layer by layer. */
function loraMatrices(config: LlamaConfig, lora: LoraShape): Place[] {
  const layout: ParameterLayout = loraLayout(config, lora)
  const linears = linearShapes(config)
  const places: Place[] = []
  for (let layer = 0; layer < config.layers; layer++) {
    for (const group of LINEAR_GROUPS) {
      const adapted = adaptedModules(group, lora)
      adapted.forEach((module, i) => {
        const { path, out, in: width } = linears.get(module)!
        const down = layout.views.get(loraDownName(layer, adapted))!
        const up = layout.views.get(loraUpName(layer, module))!
        const size = lora.r * width
        const named = (matrix: 'A' | 'B') => ({
          name: adapterTensorName(layer, path, matrix),
          matrix,
          out,
          width,
        })
        places.push({ ...named('A'), at: down.offset + i * size, size })
        places.push({ ...named('B'), at: up.offset, size: up.size })
      })
    }
  }
  return places
}

/** from [rows, columns] into to [columns, rows] */
function transpose(from: Float32Array, to: Float32Array, rows: number, columns: number): void {
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j]!
}
