/**
 * Our side of the gradient-drift experiment: answers each line of stdin with one JSON line; see gradient-drift.py.
 *
 * `gradient <parameters> <out>` computes the loss and the gradient at the parameters in a file; `train <parameters>
 * <steps> <prefix>` runs the product's own training loop and leaves every step's gradient and parameters in files.
 * Files hold little-endian float32 in the order of the full layout.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { packBatches } from '../workers/onnx/batches.ts'
import { readLlamaConfig } from '../workers/onnx/llama-config.ts'
import { createRunner } from '../workers/onnx/llama-runner.ts'
import { fullLayout } from '../workers/onnx/parameter-layout.ts'
import { train } from '../workers/onnx/trainer.ts'

interface Facts {
  readonly rows: number
  readonly length: number
  readonly lr: number
  readonly clip: number
  readonly decay: number
}

const [dir = '.', threads = '1'] = process.argv.slice(2)
const facts = JSON.parse(readFileSync(join(dir, 'case.json'), 'utf8')) as Facts
const config = readLlamaConfig(join(dir, 'config.json'))
const layout = fullLayout(config)
const parameters = new Float32Array(layout.size)
const gradients = new Float32Array(layout.size)
const runner = createRunner({
  config,
  model: null,
  layout,
  lora: null,
  parameters,
  gradients,
  recompute: false,
  threads: Number(threads),
})
const width = facts.length + 1
const tokens = floatsOrInts(join(dir, 'tokens.bin'), Int32Array)
const texts = Array.from({ length: facts.rows }, (_, row) => ({
  ids: tokens.slice(row * width, (row + 1) * width),
  // Every token is a target except the first, which nothing predicts.
  loss: new Uint8Array(width).fill(1),
}))
const batches = packBatches(texts, { roundTo: 1, maxTokens: facts.rows * facts.length })

console.log(JSON.stringify({ layout: [...layout.views.values()] }))
for await (const line of createInterface({ input: process.stdin })) {
  const [order, from = '', ...rest] = line.split('\t')
  parameters.set(floatsOrInts(from, Float32Array))
  if (order === 'gradient') {
    const batch = batches[0]!
    const weights = new Float32Array(batch.shape.targets).fill(1 / batch.supervised)
    const nll = await runner.run(batch, weights)
    writeFloats(rest[0]!, gradients)
    console.log(JSON.stringify({ loss: nll.reduce((sum, value) => sum + value, 0) / nll.length }))
  } else {
    console.log(JSON.stringify(await trainAndKeep(Number(rest[0]), rest[1]!)))
  }
}

async function trainAndKeep(steps: number, prefix: string): Promise<unknown> {
  const context = {
    with: {},
    inputs: {},
    outputs: {},
    threads: Number(threads),
    note: () => undefined,
    throwIfCancelled: () => Promise.resolve(),
    // The trainer reports a step when it has updated the parameters and before it computes the next gradient.
    progress: (done: number) => {
      writeFloats(`${prefix}gradient-${done}.f32`, gradients)
      writeFloats(`${prefix}parameters-${done}.f32`, parameters)
    },
  }
  return train(context, {
    runner,
    layout,
    parameters,
    gradients,
    schedule: { name: 'constant', lr: facts.lr, warmup: 0, steps },
    beta2: 0.999,
    weightDecay: facts.decay,
    clip: facts.clip,
    nextBatches: () => batches,
  })
}

function floatsOrInts<T>(
  path: string,
  Kind: new (buffer: ArrayBufferLike, offset: number, length: number) => T,
): T {
  const bytes = readFileSync(path)
  return new Kind(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}

function writeFloats(path: string, values: Float32Array): void {
  writeFileSync(path, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
}
