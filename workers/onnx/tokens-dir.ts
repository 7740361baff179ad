/** One split of a directory of encoded rows, with the texts they came from. */
import { readFileSync } from 'node:fs'
import { JobError } from '../op.ts'
import { CHAT } from '../text/template.ts'
import { readTokens } from '../tokens-file.ts'
import type { TokenRows } from '../tokens-file.ts'
import type { Model } from './model-dir.ts'
import { readTokensInfo, splitFile } from './tokenizer-check.ts'
import type { TokensInfo } from './tokenizer-check.ts'

export interface TokensManifest extends TokensInfo {
  readonly template: string
  readonly loss_on: 'response' | 'all'
  /** The token that ends every row. */
  readonly eos: { readonly id: number; readonly text: string }
  /** With `template: chat`: what the template writes around a response. */
  readonly around?: { readonly before: string; readonly after: string }
}

export interface TextRow {
  readonly id: string
  readonly prompt: string
  readonly response: string
}

export interface TokensSplit {
  readonly manifest: TokensManifest
  readonly rows: TokenRows
  /** In the order of `rows`. */
  readonly texts: readonly TextRow[]
  /** With `template: chat`: how many tokens of each row stand before its response. */
  readonly promptLengths: readonly number[] | null
}

/** Throws `JobError('input')` for tokens of another tokenizer, an unknown split, and texts that are not the rows'. */
export async function readTokensSplit(dir: string, model: Model, split: string): Promise<TokensSplit> {
  // The reader checks what all ops need; the rest of the manifest is written by the same tokenize op.
  const manifest = readTokensInfo(dir, model) as TokensManifest
  const tokensPath = splitFile(dir, manifest, split)
  const rows = await readTokens(tokensPath)
  const path = tokensPath.replace(/\.tokens$/, '.jsonl')
  const texts = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TextRow)
  const odd = texts.findIndex((text, i) => text.id !== rows.rowIds[i])
  if (texts.length !== rows.rowIds.length || odd >= 0) {
    throw new JobError(
      'input',
      `${path} does not match its tokens: ${texts.length} and ${rows.rowIds.length} rows` +
        (odd >= 0 ? `, the first difference in row ${odd + 1}.` : '.'),
      'Run the tokenize stage again.',
    )
  }
  const lengthsPath = tokensPath.replace(/\.tokens$/, '.prompts.json')
  const promptLengths =
    manifest.template === CHAT ? (JSON.parse(readFileSync(lengthsPath, 'utf8')) as number[]) : null
  return { manifest, rows, texts, promptLengths }
}
