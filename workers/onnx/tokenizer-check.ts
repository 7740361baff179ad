/** Makes sure that token ids mean the same to the model as to the tokenizer that made them. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { JobError } from '../op.ts'
import type { Model } from './model-dir.ts'

export interface TokensInfo {
  readonly tokenizer: string
  readonly max_length?: number
  readonly splits: Readonly<Record<string, { readonly rows: number }>>
}

/** Reads tokens.json and refuses tokens that were not made with `model`'s tokenizer. */
export function readTokensInfo(dir: string, model: Model): TokensInfo {
  const path = join(dir, 'tokens.json')
  if (!existsSync(path)) throw new JobError('input', `${path} is missing.`, 'Run the tokenize stage first.')
  const info = JSON.parse(readFileSync(path, 'utf8')) as TokensInfo
  const tokenizer = join(model.dir, 'tokenizer.json')
  if (!existsSync(tokenizer)) throw new JobError('input', `The model ${model.dir} has no tokenizer.json.`)
  const digest = createHash('sha256').update(readFileSync(tokenizer)).digest('hex')
  if (info.tokenizer !== digest) {
    throw new JobError(
      'input',
      `These tokens were made with another tokenizer (${info.tokenizer.slice(0, 12)}) than the model's (${digest.slice(0, 12)}).`,
      'Wire the tokenize stage and this stage to the same model.',
    )
  }
  return info
}

/** The split called `name`, or the whole of data that was never split. */
export function splitFile(dir: string, info: TokensInfo, name: string): string {
  const names = Object.keys(info.splits)
  const split = names.includes(name) ? name : names.length === 1 && names[0] === 'all' ? 'all' : null
  if (split === null) {
    throw new JobError('input', `The tokens have no split "${name}"; they have ${names.join(', ')}.`)
  }
  return join(dir, `${split}.tokens`)
}
