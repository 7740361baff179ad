/**
 * Our side of the throughput benchmark: `prepare <dir> <shape>` writes the case, `train <dir> <threads>` trains it.
 *
 * The trainer asks at every step boundary whether it may go on. That is where this program waits for a number of steps
 * on stdin and where it stops its clock, so what is timed is the product's own loop, batches and optimizer included.
 * Answers are JSON lines on stdout: seconds, tokens and the steps' losses.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { packBatches } from '../workers/onnx/batches.ts'
import type { TokenText } from '../workers/onnx/batches.ts'
import { createRunner } from '../workers/onnx/llama-runner.ts'
import { initialLora } from '../workers/onnx/lora-parameters.ts'
import { shouldRecompute } from '../workers/onnx/memory-plan.ts'
import { readModel, readWeight } from '../workers/onnx/model-dir.ts'
import { LINEAR_GROUPS, fullLayout, loraLayout, viewOf } from '../workers/onnx/parameter-layout.ts'
import type { LoraShape } from '../workers/onnx/parameter-layout.ts'
import { seededRandom } from '../workers/onnx/random.ts'
import { train } from '../workers/onnx/trainer.ts'
import type { OpContext } from '../workers/op.ts'
import { CASES, writeCase } from './throughput-case.ts'

interface CaseFile {
  readonly batches: number
  readonly rows: number
  readonly length: number
  readonly lr: number
  readonly lora: { readonly r: number; readonly alpha: number } | null
}

const ENDLESS = 1_000_000
const MAX_TOKENS = 4096

const [mode, dir = '.', argument = ''] = process.argv.slice(2)
if (mode === 'prepare') {
  const found = CASES[argument]
  if (found === undefined)
    throw new Error(`no shape '${argument}'; there are ${Object.keys(CASES).join(', ')}`)
  writeCase(dir, found)
} else {
  await serveSteps(dir, Number(argument))
}

async function serveSteps(folder: string, threads: number): Promise<void> {
  const facts = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as CaseFile
  const model = readModel(join(folder, 'model'))
  const { config } = model
  const lora: LoraShape | null =
    facts.lora === null
      ? null
      : {
          r: facts.lora.r,
          scale: facts.lora.alpha / facts.lora.r,
          dropout: 0,
          targets: new Set(LINEAR_GROUPS.flat()),
        }
  const layout = lora === null ? fullLayout(config) : loraLayout(config, lora)
  const parameters =
    lora === null ? new Float32Array(layout.size) : initialLora(config, lora, seededRandom(1, 'lora'))
  if (lora === null) {
    for (const view of layout.views.values()) viewOf(parameters, view).set(readWeight(model, view.name))
  }
  const gradients = new Float32Array(layout.size)
  const runner = createRunner({
    config,
    model: lora === null ? null : model,
    layout,
    lora,
    parameters,
    gradients,
    recompute: shouldRecompute(config, facts.rows, facts.length),
    threads,
  })
  const batches = readBatches(join(folder, 'tokens.bin'), facts)
  let next = 0
  await train(steppedContext(threads, facts), {
    runner,
    layout,
    parameters,
    gradients,
    schedule: { name: 'constant', lr: facts.lr, warmup: 0, steps: ENDLESS },
    beta2: 0.999,
    weightDecay: 0,
    clip: 1,
    nextBatches: () => packBatches(batches[next++ % batches.length]!, { roundTo: 1, maxTokens: MAX_TOKENS }),
  })
}

function readBatches(path: string, { batches, rows, length }: CaseFile): TokenText[][] {
  const bytes = readFileSync(path)
  const all = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  // Every token is a target except the first, which nothing predicts.
  const loss = new Uint8Array(length + 1).fill(1)
  const row = (at: number): TokenText => ({
    ids: all.slice(at * (length + 1), (at + 1) * (length + 1)),
    loss,
  })
  return Array.from({ length: batches }, (_, batch) =>
    Array.from({ length: rows }, (_, index) => row(batch * rows + index)),
  )
}

/** Lets the trainer go on for as many steps as the next line of stdin says; the end of stdin ends the process. */
function steppedContext(threads: number, { rows, length }: CaseFile): OpContext {
  const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  let asked = 0
  let left = 0
  let started = 0
  let losses: number[] = []
  return {
    with: {},
    inputs: {},
    outputs: {},
    threads,
    progress: (_done, _total, _unit, values) => losses.push(values?.['loss'] ?? NaN),
    note: () => undefined,
    async throwIfCancelled() {
      if (left === 0) {
        const seconds = (performance.now() - started) / 1000
        const peak = process.resourceUsage().maxRSS * 1024
        const answer = { seconds, tokens: asked * rows * length, losses, peak }
        console.log(JSON.stringify(asked === 0 ? { ready: true } : answer))
        const order = await orders.next()
        if (order.done === true) process.exit(0)
        asked = left = Number(order.value)
        losses = []
        started = performance.now()
      }
      left -= 1
    },
  }
}
