/** Gradients of the emitted graphs against float64 PyTorch, at sizes where threads really share the work. */
import { describe, expect, test } from 'vitest'
import type { Batch } from '../../workers/onnx/batches.ts'
import { createRunner } from '../../workers/onnx/llama-runner.ts'
import { loraFromAdapter, loraTensors } from '../../workers/onnx/lora-parameters.ts'
import type { WeightData } from '../../workers/onnx/model-dir.ts'
import { fullLayout, loraLayout, viewOf } from '../../workers/onnx/parameter-layout.ts'
import type { LoraShape } from '../../workers/onnx/parameter-layout.ts'
import { addInto } from '../../workers/onnx/adamw.ts'
import { seededRandom } from '../../workers/onnx/random.ts'
import * as fixtures from './training-fixture.ts'
import type { GradientFixture } from './training-fixture.ts'

const ALL = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']

interface Settings {
  readonly recompute?: boolean
  readonly threads?: number
  readonly dropout?: number
  /** Adds this multiple of the vector to the parameters. */
  readonly shift?: { readonly by: number; readonly along: Float32Array }
  readonly maxTokens?: number
}

interface Outcome {
  readonly loss: number
  readonly flat: Float32Array
  readonly tensors: ReadonlyMap<string, WeightData>
}

async function gradientsOf(fixture: GradientFixture, settings: Settings = {}): Promise<Outcome> {
  const config = fixtures.fixtureConfig(fixture)
  const tensors = fixtures.fixtureTensors(fixture)
  const lora: LoraShape | null =
    fixture.r === null
      ? null
      : {
          r: fixture.r,
          scale: fixture.alpha! / fixture.r,
          dropout: settings.dropout ?? 0,
          targets: new Set(ALL),
        }
  const layout = lora === null ? fullLayout(config) : loraLayout(config, lora)
  let parameters: Float32Array = new Float32Array(layout.size)
  if (lora === null) {
    for (const view of layout.views.values()) viewOf(parameters, view).set(tensors.get(view.name)!.data)
  } else {
    const adapter = { r: lora.r, alpha: fixture.alpha!, dropout: 0, targets: ALL, tensors }
    parameters = loraFromAdapter(config, lora, adapter)
  }
  const { shift } = settings
  if (shift !== undefined) for (let i = 0; i < layout.size; i++) parameters[i]! += shift.by * shift.along[i]!
  const gradients = new Float32Array(layout.size).fill(NaN)
  const runner = createRunner({
    config,
    model: lora === null ? null : fixtures.fixtureModel(fixture),
    layout,
    lora,
    parameters,
    gradients,
    recompute: settings.recompute ?? false,
    threads: settings.threads ?? 2,
  })
  const random = seededRandom(7, 'masks')
  let loss = 0
  const total = new Float32Array(layout.size)
  for (const batch of fixtures.fixtureBatches(fixture, settings.maxTokens)) {
    const weights = slotWeights(batch, fixture.targetCount)
    const nll = await runner.run(batch, weights, (mask) =>
      random.bernoulli(mask, 1 - (settings.dropout ?? 0)),
    )
    nll.forEach((value, slot) => (loss += weights[slot]! * value))
    addInto(total, gradients)
  }
  await runner.close()
  const named =
    lora === null
      ? new Map(
          [...layout.views.values()].map((view) => [
            view.name,
            { shape: view.shape, data: viewOf(total, view) },
          ]),
        )
      : loraTensors(config, lora, total)
  return { loss, flat: total, tensors: named }
}

function slotWeights(batch: Batch, count: number): Float32Array {
  return Float32Array.from(batch.owners, (owner) => (owner < 0 ? 0 : 1 / count))
}

describe.each(['lora', 'lora-tied', 'lora-packed', 'full', 'full-tied'])('gradients of %s', (name) => {
  const fixture = fixtures.readFixture(name)

  test.each([false, true])('equal those of PyTorch in float64 (recompute: %s)', async (recompute) => {
    const { loss, tensors } = await gradientsOf(fixture, { recompute })
    expect(Math.abs(loss - fixture.loss)).toBeLessThan(5e-6)
    expect(new Set(tensors.keys())).toEqual(new Set(fixture.gradients.map((gradient) => gradient.name)))
    const worst = { error: 0, name: '' }
    for (const expected of fixture.gradients) {
      const { data } = tensors.get(expected.name)!
      const norm = Math.hypot(...blockNorms(data))
      expect(Math.abs(norm / expected.norm - 1), expected.name).toBeLessThan(5e-6)
      // A projection of a wrong gradient is off by about the error's norm, so the mean square estimates that norm.
      const got = fixtures.projections(data, expected.projectionSeed)
      const squares = got.map((value, p) => (value - expected.projections[p]!) ** 2)
      const error = Math.sqrt(squares.reduce((a, b) => a + b, 0) / 64) / expected.norm
      if (error > worst.error) Object.assign(worst, { error, name: expected.name })
    }
    expect(worst.error, worst.name).toBeLessThan(5e-6)
  })
})

test('gradients are the same bits in every run, for one thread and two', async () => {
  for (const name of ['full-tied', 'lora-packed']) {
    const fixture = fixtures.readFixture(name)
    const first = await gradientsOf(fixture)
    for (const threads of [2, 2, 1]) {
      const again = await gradientsOf(fixture, { threads })
      expect(Buffer.from(again.flat.buffer).equals(Buffer.from(first.flat.buffer))).toBe(true)
    }
  }
})

test('one batch and its parts have the same gradient', async () => {
  const fixture = fixtures.readFixture('lora')
  const whole = await gradientsOf(fixture)
  const parts = await gradientsOf(fixture, { maxTokens: 256 })
  expect(parts.loss).toBeCloseTo(whole.loss, 5)
  expect(distance(parts.flat, whole.flat)).toBeLessThan(2e-6)
})

test('with dropout, the gradient predicts how the loss moves along random directions', async () => {
  const fixture = fixtures.readFixture('lora-packed')
  const { flat } = await gradientsOf(fixture, { dropout: 0.25 })
  const plain = await gradientsOf(fixture)
  expect(distance(flat, plain.flat)).toBeGreaterThan(0.1)
  expect((await gradientsOf(fixture, { dropout: 0.25, recompute: true })).flat).toEqual(flat)
  const random = seededRandom(3, 'direction')
  const along = Float32Array.from(flat, (value) => value * (0.5 + random.uniform()))
  const slope = flat.reduce((sum, value, i) => sum + value * along[i]!, 0)
  const by = 0.02 / slope
  const up = await gradientsOf(fixture, { dropout: 0.25, shift: { by, along } })
  const down = await gradientsOf(fixture, { dropout: 0.25, shift: { by: -by, along } })
  expect((up.loss - down.loss) / (2 * by) / slope).toBeCloseTo(1, 2)
})

function blockNorms(data: Float32Array): number[] {
  return [Math.sqrt(data.reduce((sum, value) => sum + value * value, 0))]
}

function distance(a: Float32Array, b: Float32Array): number {
  const square = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0)
  return Math.sqrt(square(a.map((value, i) => value - b[i]!)) / square(b))
}
