/** Saves one training state again and again: `<shape> <rounds> <folder>` -> milliseconds of each round and bytes, as JSON. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { keepCheckpoints } from '../workers/checkpoint-folder.ts'
import { createAdamW } from '../workers/onnx/adamw.ts'
import type { LlamaConfig } from '../workers/onnx/llama-config.ts'
import { LINEAR_GROUPS, fullLayout, loraLayout } from '../workers/onnx/parameter-layout.ts'
import { seededRandom } from '../workers/onnx/random.ts'
import { openTrainingState, writeTrainingState } from '../workers/onnx/training-state.ts'
import type { StepRecord } from '../workers/onnx/trainer.ts'
import { CASES } from './throughput-case.ts'

/** The shapes of the pipeline support-zh. */
const DEMO: LlamaConfig = {
  ...CASES['a']!.config,
  vocabSize: 1024,
  hiddenSize: 128,
  intermediateSize: 352,
  layers: 4,
  heads: 4,
  kvHeads: 4,
  tieWordEmbeddings: true,
}
/** Rank of the adapter (null: every weight), and steps done when the checkpoint is written. */
const SHAPES: Readonly<Record<string, { config: LlamaConfig; r: number | null; steps: number }>> = {
  a: { config: CASES['a']!.config, r: 8, steps: 10_000 },
  b: { config: CASES['b']!.config, r: null, steps: 10_000 },
  'demo pretrain': { config: DEMO, r: null, steps: 600 },
  'demo lora-train': { config: DEMO, r: 32, steps: 840 },
}

const [name = '', rounds = '1', dir = '.'] = process.argv.slice(2)
const { config, r, steps } = SHAPES[name]!
const layout =
  r === null
    ? fullLayout(config)
    : loraLayout(config, { r, scale: 2, dropout: 0, targets: new Set(LINEAR_GROUPS.flat()) })
const random = seededRandom(1, 'checkpoint')
const parameters = Float32Array.from({ length: layout.size }, () => random.uniform())
const optimizer = createAdamW(layout.size, { beta1: 0.9, beta2: 0.999, weightDecay: 0 })
const records = Array.from({ length: steps }, (_, i): StepRecord => {
  const [loss, lr] = [random.uniform(), random.uniform()]
  return { step: i + 1, loss, lr, grad_norm: random.uniform(), tokens: (i + 1) * 2048 }
})
const state = { parameters, optimizer, records, dropout: random.state() }
const milliseconds: number[] = []
const kept = keepCheckpoints({ dir, resume: null, of: 'bench', everyMs: 60_000 }, (told) => {
  if (told.type === 'note') throw new Error(told.text)
})
for (let round = 0; round < Number(rounds); round++) {
  const began = performance.now()
  kept.save(steps, (folder) => writeTrainingState(folder, layout, state))
  milliseconds.push(performance.now() - began)
}
const folder = join(dir, String(steps))
const bytes = readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
const began = performance.now()
openTrainingState(folder, layout, steps).load({ parameters, optimizer })
const loading = performance.now() - began
console.log(JSON.stringify({ milliseconds, bytes, parameters: layout.size, loading }))
