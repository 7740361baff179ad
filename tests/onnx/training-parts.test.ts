/** The parts of training that have exact answers: optimizer, schedules, random numbers, packing, corpus windows. */
import { expect, test } from 'vitest'
import { clipScale, createAdamW, globalNorm, stepAdamW } from '../../workers/onnx/adamw.ts'
import { packBatches } from '../../workers/onnx/batches.ts'
import type { TokenText } from '../../workers/onnx/batches.ts'
import { corpusWindows, splitDocuments } from '../../workers/onnx/corpus.ts'
import { resumeRandom, seededRandom } from '../../workers/onnx/random.ts'
import { learningRate } from '../../workers/onnx/schedule.ts'
import { shuffledEpochs } from '../../workers/onnx/text-order.ts'

test('AdamW with clipping makes the updates of torch.optim.AdamW', () => {
  // torch 2.13: AdamW(lr=0.01, betas=(0.9, 0.98), weight_decay=0.1) after clip_grad_norm_(1.5), four steps.
  const norms = [3.606937885284424, 3.168595790863037, 3.014962673187256, 3.1874754428863525]
  const expected = [0.45973291993141174, -0.20901240408420563, 0.9960060715675354, -2.0217373371124268]
  const parameters = Float32Array.of(0.5, -0.25, 1, -2)
  const view = { name: 'w', shape: [2, 2], offset: 0, size: 4, decays: true }
  const layout = { size: 4, views: new Map([['w', view]]) }
  const optimizer = createAdamW(4, { beta1: 0.9, beta2: 0.98, weightDecay: 0.1 })
  norms.forEach((expectedNorm, step) => {
    const gradients = Float32Array.of(0.1 * (step + 1), -3, 0, 2 - step)
    const norm = globalNorm(gradients)
    expect(norm).toBeCloseTo(expectedNorm, 5)
    stepAdamW(optimizer, layout, parameters, gradients, 0.01, clipScale(norm, 1.5))
  })
  parameters.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 6))
})

test('a norm that overflows float32 is still found, and one NaN makes it NaN', () => {
  expect(globalNorm(new Float32Array(9).fill(1e30))).toBeCloseTo(3e30, -25)
  const values = new Float32Array(9)
  values[8] = NaN
  expect(globalNorm(values)).toBeNaN()
  expect(clipScale(100, 0)).toBe(1)
  expect(clipScale(0.5, 1)).toBe(1)
})

test('schedules rise, stay or fall, and never waste the first step', () => {
  const rates = (name: 'constant' | 'linear' | 'cosine', warmup = 0.2): number[] =>
    Array.from({ length: 10 }, (_, step) => learningRate({ name, lr: 1, warmup, steps: 10 }, step))
  expect(rates('constant')).toEqual([0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1])
  expect(rates('linear')).toEqual([0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])
  expect(rates('cosine')[6]).toBeCloseTo(0.5, 12)
  expect(rates('cosine', 0)[0]).toBe(1)
  expect(learningRate({ name: 'cosine', lr: 3, warmup: 0.03, steps: 1 }, 0)).toBe(3)
})

test('a generator continues from its state and differs by seed and purpose', () => {
  const random = seededRandom(42, 'order')
  random.normal()
  const later = resumeRandom(JSON.parse(JSON.stringify(random.state())) as ReturnType<typeof random.state>)
  const draws = (from: typeof random): number[] => [
    from.normal(),
    from.uniform(),
    from.below(10),
    from.next(),
  ]
  expect(draws(later)).toEqual(draws(random))
  const first = (seed: number, purpose: string): number => seededRandom(seed, purpose).next()
  expect(
    new Set([first(42, 'order'), first(43, 'order'), first(42, 'dropout'), first(42 + 2 ** 32, 'order')])
      .size,
  ).toBe(4)
})

test('draws have the moments they should', () => {
  const random = seededRandom(5, 'moments')
  const n = 200_000
  let [sum, squares] = [0, 0]
  for (let i = 0; i < n; i++) {
    const value = random.normal()
    sum += value
    squares += value * value
  }
  expect(Math.abs(sum / n)).toBeLessThan(0.01)
  expect(squares / n).toBeCloseTo(1, 1)
  const mask = new Uint8Array(n + 1)
  random.bernoulli(mask, 0.9)
  const kept = mask.reduce((count, bit) => count + bit, 0)
  expect(kept / n).toBeGreaterThan(0.897)
  expect(kept / n).toBeLessThan(0.903)
  random.bernoulli(mask, 1)
  expect(mask.includes(0)).toBe(false)
})

test('every epoch visits every item once, in a new order', () => {
  const order = shuffledEpochs(50, seededRandom(1, 'order'))
  const epochs = [0, 1].map(() => Array.from({ length: 50 }, () => order.next()))
  expect(epochs[0]).not.toEqual(epochs[1])
  for (const epoch of epochs) expect(new Set(epoch).size).toBe(50)
  expect(order.epoch).toBe(1)
})

test('packing keeps every text whole and every target exactly once', () => {
  const random = seededRandom(9, 'texts')
  const texts: TokenText[] = Array.from({ length: 23 }, (_, i) => {
    const length = 2 + random.below(90)
    const ids = Int32Array.from({ length }, (_, t) => 1000 * i + t)
    return { ids, loss: Uint8Array.from({ length }, () => random.below(2)) }
  })
  const seen = new Map<string, number>()
  for (const batch of packBatches(texts, { roundTo: 16, maxTokens: 400 })) {
    const { rows, length, targets } = batch.shape
    expect(rows * length).toBeLessThanOrEqual(400)
    expect(batch.ids.length).toBe(rows * length)
    expect(batch.owners.length).toBe(targets)
    batch.owners.forEach((owner, slot) => {
      if (owner < 0) return
      const at = Number(batch.picked[slot])
      expect(Number(batch.places[at])).toBe(slot)
      const t = Number(batch.positions[at])
      const label = Number(batch.labels[slot])
      // Label t + 1 of the text, seen from position t of the same text in the same segment.
      expect(label).toBe(1000 * owner + t + 1)
      expect(Number(batch.ids[at])).toBe(1000 * owner + t)
      expect(batch.segments[at]).toBe(owner)
      const key = `${owner}:${t + 1}`
      seen.set(key, (seen.get(key) ?? 0) + 1)
    })
  }
  const expected = texts.flatMap(({ loss }, i) =>
    [...loss.keys()].filter((t) => t > 0 && loss[t] === 1).map((t) => `${i}:${t}`),
  )
  expect([...seen.keys()].sort()).toEqual(expected.sort())
  expect([...seen.values()].every((count) => count === 1)).toBe(true)
})

test('a corpus is cut at blank lines and streams on without losing a token', () => {
  expect(splitDocuments('\uFEFFa\r\nb\r\n\r\n \t\r\n\nc\n')).toEqual(['a\nb', 'c'])
  const documents = [[1, 2, 3], [4], [5, 6]]
  const windows = corpusWindows(documents, 0, 4, seededRandom(1, 'documents'))
  const stream = [0]
  for (let i = 0; i < 9; i++) {
    const { ids, loss } = windows.next()
    expect(ids[0]).toBe(stream.at(-1))
    expect([...loss]).toEqual([0, 1, 1, 1, 1])
    stream.push(...ids.subarray(1))
  }
  // 36 tokens after the first end are four passes over 9 tokens (6 and three ends).
  for (let pass = 0; pass < 4; pass++) {
    const epoch = stream.slice(1 + 9 * pass, 10 + 9 * pass)
    expect([...epoch].sort()).toEqual([0, 0, 0, 1, 2, 3, 4, 5, 6])
  }
})
