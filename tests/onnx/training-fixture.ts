/** Reads the gradient fixtures that tests/fixtures/make_gradients.py wrote, and makes the same seeded tensors. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packBatches } from '../../workers/onnx/batches.ts'
import type { Batch } from '../../workers/onnx/batches.ts'
import { readModel, writeModel } from '../../workers/onnx/model-dir.ts'
import type { LlamaConfig, Model, WeightData } from '../../workers/onnx/model-dir.ts'

export interface GradientFixture {
  readonly config: Omit<LlamaConfig, 'eosIds'>
  readonly r: number | null
  readonly alpha: number | null
  readonly ids: readonly (readonly number[])[]
  readonly targets: readonly (readonly number[])[]
  readonly segments: readonly (readonly number[])[]
  readonly targetCount: number
  readonly tensors: readonly TensorSpec[]
  readonly loss: number
  readonly gradients: readonly {
    readonly name: string
    readonly norm: number
    readonly projectionSeed: number
    readonly projections: readonly number[]
  }[]
}

interface TensorSpec {
  readonly name: string
  readonly shape: readonly number[]
  readonly seed: number
  readonly scale: number
  readonly offset: number
}

export function readFixture(name: string): GradientFixture {
  const url = new URL(`../fixtures/gradients-${name}.json`, import.meta.url)
  return JSON.parse(readFileSync(url, 'utf8')) as GradientFixture
}

export function fixtureConfig(fixture: GradientFixture): LlamaConfig {
  return { ...fixture.config, eosIds: [0] }
}

/** All tensors of the fixture, model and adapter. */
export function fixtureTensors(fixture: GradientFixture): Map<string, WeightData> {
  return new Map(
    fixture.tensors.map((spec) => {
      const data = new Float32Array(spec.shape.reduce((a, b) => a * b, 1))
      for (let i = 0; i < data.length; i++) {
        data[i] = spec.offset + spec.scale * (draw(spec.seed, i) / 2 ** 31 - 1)
      }
      return [spec.name, { shape: spec.shape, data }]
    }),
  )
}

/** Writes the fixture's base model to a temporary directory. */
export function fixtureModel(fixture: GradientFixture): Model {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-gradients-'))
  writeFileSync(join(dir, 'tokenizer.json'), '{}')
  const own = new Map([...fixtureTensors(fixture)].filter(([name]) => !name.startsWith('base_model')))
  const target = mkdtempSync(join(tmpdir(), 'sluice-gradients-'))
  writeModel(target, fixtureConfig(fixture), own, dir)
  return readModel(target)
}

/** The fixture's texts; a row with several segments holds several texts. */
export function fixtureBatches(fixture: GradientFixture, maxTokens = 4096): Batch[] {
  const texts = fixture.segments.flatMap((lengths, row) => {
    let start = 0
    return lengths.map((length) => {
      const from = start
      start += length
      return {
        ids: Int32Array.from(fixture.ids[row]!.slice(from, start)),
        loss: Uint8Array.from(fixture.targets[row]!.slice(from, start)),
      }
    })
  })
  return packBatches(texts, { roundTo: 16, maxTokens })
}

/** 64 sums of the values under random signs; a pseudo-random fingerprint that sees every element. */
export function projections(values: Float32Array, seed: number): number[] {
  const sums = new Array<number>(64).fill(0)
  for (let i = 0; i < values.length; i++) {
    for (let word = 0; word < 2; word++) {
      const bits = draw(seed, 2 * i + word)
      for (let p = 0; p < 32; p++) {
        sums[32 * word + p]! += (bits >>> p) & 1 ? values[i]! : -values[i]!
      }
    }
  }
  return sums
}

/** Mulberry32 as fixtures/seeded.py defines it: number `i` of the stream `seed`. */
function draw(seed: number, i: number): number {
  const s = (seed + Math.imul(i + 1, 0x6d2b79f5)) | 0
  let t = Math.imul(s ^ (s >>> 15), s | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return (t ^ (t >>> 14)) >>> 0
}
