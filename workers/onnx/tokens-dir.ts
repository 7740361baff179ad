/** A directory of encoded rows as the kernel's ops read it: manifest, token rows and the texts they came from. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { JobError } from '../op.ts'
import { readTokens } from '../tokens-file.ts'
import type { TokenRows } from '../tokens-file.ts'

export interface TokensManifest {
  readonly template: string
  readonly loss_on: 'response' | 'all'
  readonly eos: { readonly id: number; readonly text: string }
  /** SHA-256 of the tokenizer.json that the rows were encoded with, in hex. */
  readonly tokenizer: string
  readonly splits: Readonly<Record<string, { readonly rows: number }>>
}

export interface TextRow {
  readonly id: string
  readonly prompt: string
  readonly response: string
}

export function readTokensManifest(dir: string): TokensManifest {
  const path = join(dir, 'tokens.json')
  if (!existsSync(path)) throw new JobError('input', `${path} is missing.`, 'Wire the output of a tokenize stage.')
  return JSON.parse(readFileSync(path, 'utf8')) as TokensManifest
}

/** Reads one split; throws `JobError('input')` that lists the splits there are if it is not one of them. */
export async function readTokensSplit(
  dir: string,
  manifest: TokensManifest,
  split: string,
): Promise<{ readonly rows: TokenRows; readonly texts: readonly TextRow[] }> {
  if (manifest.splits[split] === undefined) {
    throw new JobError(
      'input',
      `The tokens have no split ${split}; they have ${Object.keys(manifest.splits).join(', ')}.`,
      'Set split to one of these, or divide the data with a split stage before tokenize.',
    )
  }
  const rows = await readTokens(join(dir, `${split}.tokens`))
  const path = join(dir, `${split}.jsonl`)
  const texts = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TextRow)
  const odd = texts.findIndex((text, i) => text.id !== rows.rowIds[i])
  if (texts.length !== rows.rowIds.length || odd >= 0) {
    throw new JobError(
      'input',
      `${path} does not match ${split}.tokens: ${texts.length} and ${rows.rowIds.length} rows` +
        (odd >= 0 ? `, the first difference in row ${odd + 1}.` : '.'),
      'Run the tokenize stage again.',
    )
  }
  return { rows, texts }
}

/** Refuses rows that another tokenizer encoded: their ids would mean other texts to this model. */
export function checkSameTokenizer(manifest: TokensManifest, modelDir: string): void {
  const path = join(modelDir, 'tokenizer.json')
  if (!existsSync(path)) throw new JobError('input', `${path} is missing.`, 'Save the tokenizer next to the model.')
  const digest = createHash('sha256').update(readFileSync(path)).digest('hex')
  if (digest === manifest.tokenizer) return
  throw new JobError(
    'input',
    `The tokens were encoded with the tokenizer ${manifest.tokenizer.slice(0, 12)}, ` +
      `the model in ${modelDir} has ${digest.slice(0, 12)}.`,
    'Wire the tokenize stage to the same model.',
  )
}
