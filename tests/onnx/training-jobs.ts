/** Jobs for the ops that train, on models small enough to train in a second. */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tokenizer } from 'tokenizers'
import { afterAll } from 'vitest'
import { readModel } from '../../workers/onnx/model-dir.ts'
import type { Checkpoints, Op } from '../../workers/op.ts'
import type { JsonObject } from '../../workers/protocol/json.ts'
import type { InputFiles } from '../../workers/protocol/messages.ts'
import { writeTokens } from '../../workers/tokens-file.ts'
import { writeTokenizerFiles } from '../../workers/text/tokenizer-files.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-training-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let made = 0
export function freshDir(): string {
  const dir = join(root, String(made++))
  mkdirSync(dir)
  return dir
}

function filesOf(dir: string): InputFiles {
  return { dir, files: readdirSync(dir).sort() }
}

export interface Ran {
  readonly summary: JsonObject
  readonly outputs: Readonly<Record<string, string>>
  readonly values: readonly Readonly<Record<string, number>>[]
}

export interface Settings {
  readonly threads?: number
  readonly throwIfCancelled?: () => void
  readonly outputs?: Record<string, string>
  readonly checkpoints?: Checkpoints
  readonly note?: (text: string) => void
}

export async function runJob(
  op: Op,
  options: JsonObject,
  inputs: Readonly<Record<string, string>>,
  outputNames: readonly string[],
  settings: Settings = {},
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
    note: (_level, text) => settings.note?.(text),
    throwIfCancelled: async () => settings.throwIfCancelled?.(),
    ...(settings.checkpoints === undefined ? {} : { checkpoints: settings.checkpoints }),
  })
  return { summary, outputs, values }
}

export const PRETRAIN = {
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
export const LORA = {
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
export async function makeTokens(
  model: string,
  changes: { loss?: 'none'; tokenizer?: string; longer?: number } = {},
): Promise<string> {
  const dir = freshDir()
  const letters = letterIds(model)
  const end = readModel(model).config.eosIds[0]!
  const rows = Array.from({ length: 24 }, (_, row) => {
    const prompt = Array.from(
      { length: 3 + (row % 7) + (changes.longer ?? 0) },
      (_, t) => letters[(row * 3 + t) % 12]!,
    )
    const response = [...[0, 5, 10].map((t) => letters[(row + t) % 12]!), end]
    return { prompt, response }
  })
  const ids = rows.flatMap(({ prompt, response }) => [...prompt, ...response])
  const loss = rows.flatMap(({ prompt, response }, row) => [
    ...prompt.map(() => 0),
    ...response.map(() => (changes.loss === 'none' && row % 10 === 3 ? 0 : 1)),
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
    tokenizer: changes.tokenizer ?? digest,
    splits: { train: { rows: rows.length }, test: { rows: rows.length } },
  }
  writeFileSync(join(dir, 'tokens.json'), JSON.stringify(info))
  return dir
}

export function bytesOf(dir: string, file: string): string {
  return createHash('sha256')
    .update(readFileSync(join(dir, file)))
    .digest('hex')
}

/** A small corpus and its tokenizer, of bytes only. */
export function makeCorpus(): { corpus: string; tokenizer: string } {
  const corpus = freshDir()
  const documents = Array.from({ length: 30 }, (_, i) => `the ${i % 5} cat sat on mat ${i % 3}\nand slept`)
  writeFileSync(join(corpus, 'corpus.txt'), documents.join('\n\n'))
  const tokenizer = freshDir()
  writeTokenizerFiles(tokenizer, [], 257)
  return { corpus, tokenizer }
}
