/** pretrain, lora-train and score as jobs, on models small enough to train in a second. */
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tokenizer } from 'tokenizers'
import { beforeAll, describe, expect, test } from 'vitest'
import { readAdapter } from '../../workers/onnx/adapter-dir.ts'
import { readModel } from '../../workers/onnx/model-dir.ts'
import { run as loraTrain } from '../../workers/onnx/ops/lora-train.ts'
import { run as pretrain } from '../../workers/onnx/ops/pretrain.ts'
import { run as score } from '../../workers/onnx/ops/score.ts'
import { JobError } from '../../workers/op.ts'
import type { Op } from '../../workers/op.ts'
import type { JsonObject } from '../../workers/protocol/json.ts'
import type { InputFiles } from '../../workers/protocol/messages.ts'
import { writeTokens } from '../../workers/tokens-file.ts'
import { writeTokenizerFiles } from '../../workers/text/tokenizer-files.ts'
import { fixtureDir, readTinyLlama } from './model-fixture.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-training-'))
let made = 0
function freshDir(): string {
  const dir = join(root, String(made++))
  mkdirSync(dir)
  return dir
}

function filesOf(dir: string): InputFiles {
  return { dir, files: readdirSync(dir).sort() }
}

interface Ran {
  readonly summary: JsonObject
  readonly outputs: Readonly<Record<string, string>>
  readonly values: readonly Readonly<Record<string, number>>[]
}

async function runJob(
  op: Op,
  options: JsonObject,
  inputs: Readonly<Record<string, string>>,
  outputNames: readonly string[],
  settings: { threads?: number; throwIfCancelled?: () => void; outputs?: Record<string, string> } = {},
): Promise<Ran> {
  const outputs = settings.outputs ?? {}
  for (const name of outputNames) outputs[name] ??= freshDir()
  const values: Readonly<Record<string, number>>[] = []
  const summary = await op({
    with: options,
    inputs: Object.fromEntries(Object.entries(inputs).map(([role, dir]) => [role, filesOf(dir)])),
    outputs,
    threads: settings.threads ?? 2,
    progress: (_done, _total, _unit, latest) => values.push(latest ?? {}),
    note: () => undefined,
    throwIfCancelled: async () => settings.throwIfCancelled?.(),
  })
  return { summary, outputs, values }
}

const PRETRAIN = {
  hidden: 32,
  layers: 2,
  heads: 2,
  kv_heads: 1,
  ffn: 48,
  context: 32,
  steps: 100,
  batch_size: 4,
  lr: 1e-2,
  warmup: 0.1,
  weight_decay: 0.05,
  clip: 1,
  seed: 42,
}
const LORA = {
  r: 8,
  alpha: 16,
  dropout: 0,
  target: 'all-linear',
  lr: 2e-2,
  schedule: 'cosine',
  warmup: 0.05,
  epochs: 20,
  batch_size: 4,
  grad_accum: 1,
  weight_decay: 0,
  clip: 1,
  seed: 42,
}

/** Byte tokens of letters that the corpus has; a base knows nothing of tokens it never saw. */
function letterIds(model: string): number[] {
  const tokenizer = Tokenizer.fromFile(join(model, 'tokenizer.json'))
  return [...'thecasonmdlp'].map((letter) => tokenizer.tokenToId(letter)!)
}

/** Tokens of rows "k k k ... | answer" over letters, so that answers depend on the prompt. */
async function makeTokens(
  model: string,
  damage: { loss?: 'none'; tokenizer?: string } = {},
): Promise<string> {
  const dir = freshDir()
  const letters = letterIds(model)
  const end = readModel(model).config.eosIds[0]!
  const rows = Array.from({ length: 24 }, (_, row) => {
    const prompt = Array.from({ length: 3 + (row % 7) }, (_, t) => letters[(row * 3 + t) % 12]!)
    const response = [...[0, 5, 10].map((t) => letters[(row + t) % 12]!), end]
    return { prompt, response }
  })
  const ids = rows.flatMap(({ prompt, response }) => [...prompt, ...response])
  const loss = rows.flatMap(({ prompt, response }, row) => [
    ...prompt.map(() => 0),
    ...response.map(() => (damage.loss === 'none' && row % 10 === 3 ? 0 : 1)),
  ])
  const offsets = [0]
  for (const { prompt, response } of rows) offsets.push(offsets.at(-1)! + prompt.length + response.length)
  const rowIds = rows.map((_, row) => `row-${row}`)
  for (const split of ['train', 'test']) {
    await writeTokens(join(dir, `${split}.tokens`), {
      ids: Int32Array.from(ids),
      loss: Uint8Array.from(loss),
      offsets: Uint32Array.from(offsets),
      rowIds,
    })
    const lines = rowIds.map((id) => JSON.stringify({ id, prompt: 'p', response: '答案x' }))
    writeFileSync(join(dir, `${split}.jsonl`), `${lines.join('\n')}\n`)
  }
  const digest = createHash('sha256')
    .update(readFileSync(join(model, 'tokenizer.json')))
    .digest('hex')
  const info = {
    format: 1,
    tokenizer: damage.tokenizer ?? digest,
    splits: { train: { rows: rows.length }, test: { rows: rows.length } },
  }
  writeFileSync(join(dir, 'tokens.json'), JSON.stringify(info))
  return dir
}

function bytesOf(dir: string, file: string): string {
  return createHash('sha256')
    .update(readFileSync(join(dir, file)))
    .digest('hex')
}

let corpus: string
let tokenizer: string
let base: Ran
let model: string
beforeAll(async () => {
  corpus = freshDir()
  const documents = Array.from({ length: 30 }, (_, i) => `the ${i % 5} cat sat on mat ${i % 3}\nand slept`)
  writeFileSync(join(corpus, 'corpus.txt'), documents.join('\n\n'))
  tokenizer = freshDir()
  writeTokenizerFiles(tokenizer, [], 257)
  base = await runJob(pretrain, PRETRAIN, { corpus, tokenizer }, ['model'])
  model = base.outputs['model']!
  return () => rmSync(root, { recursive: true, force: true })
})

describe('pretrain', () => {
  test('learns the corpus and writes a model that can be read', () => {
    expect(base.summary['first_loss']).toBeGreaterThan(5)
    expect(base.summary['loss']).toBeLessThan(1)
    expect(base.values).toHaveLength(100)
    expect(Object.keys(base.values[0]!).sort()).toEqual(['loss', 'lr', 'tokensPerSecond'])
    expect(readModel(model).config).toMatchObject({ hiddenSize: 32, kvHeads: 1, tieWordEmbeddings: true })
    expect(bytesOf(model, 'tokenizer.json')).toBe(bytesOf(tokenizer, 'tokenizer.json'))
  })

  test('gives the same bytes for a seed with one thread and two, and others for another seed', async () => {
    const again = await runJob(pretrain, PRETRAIN, { corpus, tokenizer }, ['model'], { threads: 1 })
    expect(bytesOf(again.outputs['model']!, 'model.safetensors')).toBe(bytesOf(model, 'model.safetensors'))
    const other = await runJob(pretrain, { ...PRETRAIN, seed: 43, steps: 2 }, { corpus, tokenizer }, [
      'model',
    ])
    const two = await runJob(pretrain, { ...PRETRAIN, steps: 2 }, { corpus, tokenizer }, ['model'])
    expect(bytesOf(other.outputs['model']!, 'model.safetensors')).not.toBe(
      bytesOf(two.outputs['model']!, 'model.safetensors'),
    )
  })

  test('refuses an empty corpus and widths that heads cannot share', async () => {
    const empty = freshDir()
    writeFileSync(join(empty, 'a.txt'), '\n\n')
    await expect(runJob(pretrain, PRETRAIN, { corpus: empty, tokenizer }, ['model'])).rejects.toThrow(/empty/)
    const odd = runJob(pretrain, { ...PRETRAIN, heads: 3, kv_heads: 3 }, { corpus, tokenizer }, ['model'])
    await expect(odd).rejects.toThrow(/3 heads/)
  })
})

describe('lora-train', () => {
  test('lowers the loss that score measures, and without an adapter nothing changes', async () => {
    const tokens = await makeTokens(model)
    const trained = await runJob(loraTrain, LORA, { tokens, model }, ['adapter', 'training'])
    const before = await runJob(score, { split: 'test' }, { tokens, model }, ['scores'])
    const adapter = trained.outputs['adapter']!
    const after = await runJob(score, { split: 'test' }, { tokens, model, adapter }, ['scores'])
    expect(before.summary['loss']).toBeGreaterThan(3)
    // Guessing among the twelve letters and the end would cost more.
    expect(after.summary['loss']).toBeLessThan(Math.log(12))
    // Training's last loss and score's loss describe the same rows.
    expect(Math.abs((after.summary['loss'] as number) - (trained.summary['loss'] as number))).toBeLessThan(
      0.3,
    )

    const lines = readFileSync(join(trained.outputs['training']!, 'metrics.jsonl'), 'utf8').trim().split('\n')
    expect(lines).toHaveLength(120)
    expect(Object.keys(JSON.parse(lines[0]!) as object)).toEqual([
      'step',
      'loss',
      'lr',
      'grad_norm',
      'tokens',
    ])
    const read = readAdapter(adapter, readModel(model))
    expect(read).toMatchObject({ r: 8, alpha: 16 })
    expect(read.targets).toHaveLength(7)
  })

  test('gives the same bytes whatever the threads; grad_accum only divides the work', async () => {
    const tokens = await makeTokens(model)
    const train = async (options: JsonObject, threads: number): Promise<string> => {
      const settings = { ...LORA, epochs: 2, dropout: 0.1, ...options }
      const { outputs } = await runJob(loraTrain, settings, { tokens, model }, ['adapter', 'training'], {
        threads,
      })
      return bytesOf(outputs['adapter']!, 'adapter_model.safetensors')
    }
    const first = await train({}, 2)
    expect(await train({}, 2)).toBe(first)
    expect(await train({}, 1)).toBe(first)
    expect(await train({ batch_size: 2, grad_accum: 2 }, 2)).toBe(first)
    expect(await train({ dropout: 0 }, 2)).not.toBe(first)
  })

  test('adapts only the listed layers', async () => {
    const tokens = await makeTokens(model)
    const options = { ...LORA, epochs: 1, target: ['v_proj', 'q_proj'] }
    const { outputs } = await runJob(loraTrain, options, { tokens, model }, ['adapter', 'training'])
    expect(readAdapter(outputs['adapter']!, readModel(model)).targets).toEqual(['q_proj', 'v_proj'])
    const wrong = runJob(loraTrain, { ...LORA, target: ['query_key_value'] }, { tokens, model }, [
      'adapter',
      'training',
    ])
    await expect(wrong).rejects.toThrow(/query_key_value/)
  })

  test('stops when numbers are no longer finite, names the step and writes nothing', async () => {
    const tokens = await makeTokens(model)
    const outputs: Record<string, string> = {}
    const options = { ...LORA, lr: 1e30, clip: 0 }
    const failed = runJob(loraTrain, options, { tokens, model }, ['adapter', 'training'], { outputs })
    await expect(failed).rejects.toThrow(/diverged at step \d+ of 120/)
    await expect(failed).rejects.toMatchObject({ kind: 'input' })
    for (const dir of Object.values(outputs)) expect(readdirSync(dir)).toEqual([])
  })

  test('refuses rows with nothing to learn by name, before it trains', async () => {
    const tokens = await makeTokens(model, { loss: 'none' })
    const steps: number[] = []
    const run = runJob(loraTrain, LORA, { tokens, model }, ['adapter', 'training'], {
      throwIfCancelled: () => steps.push(1),
    })
    await expect(run).rejects.toThrow(/row-3, row-13, row-23/)
    expect(steps).toEqual([])
  })

  test('refuses tokens of another tokenizer', async () => {
    const tokens = await makeTokens(model, { tokenizer: 'f'.repeat(64) })
    await expect(runJob(loraTrain, LORA, { tokens, model }, ['adapter', 'training'])).rejects.toThrow(
      /another tokenizer/,
    )
    await expect(runJob(score, {}, { tokens, model }, ['scores'])).rejects.toThrow(/another tokenizer/)
  })

  test('lets itself be cancelled between steps', async () => {
    const tokens = await makeTokens(model)
    let left = 3
    const throwIfCancelled = (): void => {
      if (left-- === 0) throw new JobError('cancelled', 'cancelled')
    }
    const run = runJob(loraTrain, LORA, { tokens, model }, ['adapter', 'training'], { throwIfCancelled })
    await expect(run).rejects.toMatchObject({ kind: 'cancelled' })
  })
})

test.each(readTinyLlama().cases)(
  'score of $model equals the logits of transformers and PEFT',
  async (example) => {
    const ids = readTinyLlama().prompts[0]!
    const dir = freshDir()
    for (const file of readdirSync(fixtureDir(example.model))) {
      copyFileSync(join(fixtureDir(example.model), file), join(dir, file))
    }
    writeTokenizerFiles(dir, [], 257)
    const tokens = await makeTokens(dir)
    await writeTokens(join(tokens, 'test.tokens'), {
      ids: Int32Array.from(ids),
      loss: Uint8Array.from(ids, (_, t) => (t >= 2 ? 1 : 0)),
      offsets: Uint32Array.of(0, ids.length),
      rowIds: ['a'],
    })
    writeFileSync(join(tokens, 'test.jsonl'), `${JSON.stringify({ id: 'a', prompt: '', response: '好a' })}\n`)
    for (const [observed, inputs] of [
      [example.plain, { tokens, model: dir }],
      [example.adapted, { tokens, model: dir, adapter: fixtureDir(example.adapter) }],
    ] as const) {
      const { outputs } = await runJob(score, { split: 'test' }, inputs, ['scores'])
      const row = JSON.parse(readFileSync(join(outputs['scores']!, 'rows.jsonl'), 'utf8')) as Record<
        string,
        number
      >
      const expected = ids.slice(2).reduce((sum, id, i) => sum + nll(observed.logits[i + 1]!, id), 0)
      expect(row['nll']).toBeCloseTo(expected, 4)
      expect(row).toMatchObject({ id: 'a', tokens: ids.length - 2, bytes: 4 })
    }
  },
)

function nll(logits: readonly number[], id: number): number {
  const largest = Math.max(...logits)
  return largest + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - largest), 0)) - logits[id]!
}
