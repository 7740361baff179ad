/** Loads the tokenizer of a model directory, with its end token. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Tokenizer } from 'tokenizers'
import { JobError } from '../op.ts'
import { readModelJson, readOptional, tokenText } from './model-json.ts'

export interface SpecialToken {
  readonly id: number
  readonly text: string
}

export interface ModelTokenizer {
  /** Token ids of each text, with no special tokens added and nothing cut. */
  readonly encode: (texts: readonly string[]) => Promise<readonly (readonly number[])[]>
  readonly eos: SpecialToken
  /** Those whose text is never ordinary text, in the order of the file. */
  readonly specials: readonly SpecialToken[]
  /** Where programs that use the model stop, by config.json and generation_config.json; may be empty. */
  readonly stopIds: readonly number[]
  readonly vocabSize: number
  /** SHA-256 of tokenizer.json, in hex. */
  readonly digest: string
}

/**
 * `dir` is a Hugging Face model directory. The end token is config.json's `eos_token_id` (the first, if several),
 * else tokenizer_config.json's `eos_token`. Throws `JobError('input')` for missing or unreadable files.
 */
export async function loadModelTokenizer(dir: string): Promise<ModelTokenizer> {
  const bytes = await readOptional(join(dir, 'tokenizer.json'))
  if (!bytes) {
    throw new JobError('input', 'the model has no tokenizer.json', 'Use a model with a fast tokenizer.')
  }
  let tokenizer: Tokenizer
  try {
    tokenizer = Tokenizer.fromString(bytes.toString('utf8'))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new JobError(
      'input',
      `${join(dir, 'tokenizer.json')} cannot be read: ${why}`,
      'Copy or download the file again.',
    )
  }
  // A saved tokenizer may cut or pad by itself, unseen.
  tokenizer.disableTruncation()
  tokenizer.disablePadding()
  return {
    encode: async (texts) => {
      const encodings = await tokenizer.encodeBatch([...texts], { addSpecialTokens: false })
      return encodings.map((encoding) => encoding.getIds())
    },
    eos: await findEos(dir, tokenizer),
    specials: specialsIn(bytes),
    stopIds: await stopIds(dir),
    vocabSize: tokenizer.getVocabSize(true),
    digest: createHash('sha256').update(bytes).digest('hex'),
  }
}

async function findEos(dir: string, tokenizer: Tokenizer): Promise<SpecialToken> {
  const config = await readModelJson(join(dir, 'config.json'))
  const configured = config['eos_token_id']
  const id: unknown = Array.isArray(configured) ? configured[0] : configured
  if (typeof id === 'number') {
    const text = tokenizer.idToToken(id)
    if (text !== null) return { id, text }
    throw new JobError('input', `config.json says eos_token_id ${id}, which tokenizer.json does not have`)
  }
  const token = (await readModelJson(join(dir, 'tokenizer_config.json')))['eos_token']
  const text = tokenText(token)
  if (text !== null) {
    const found = tokenizer.tokenToId(text)
    if (found !== null) return { id: found, text }
    throw new JobError(
      'input',
      `tokenizer_config.json says eos_token ${text}, which tokenizer.json does not have`,
    )
  }
  throw new JobError(
    'input',
    'the model does not say which token ends a text',
    'Set eos_token_id in its config.json; without an end token a tuned model never stops.',
  )
}

function specialsIn(tokenizerJson: Buffer): readonly SpecialToken[] {
  const { added_tokens: added = [] } = JSON.parse(tokenizerJson.toString('utf8')) as {
    added_tokens?: readonly { readonly id: number; readonly content: string; readonly special: boolean }[]
  }
  return added.filter(({ special }) => special).map(({ id, content }) => ({ id, text: content }))
}

async function stopIds(dir: string): Promise<readonly number[]> {
  const files = ['config.json', 'generation_config.json'].map((name) => readModelJson(join(dir, name)))
  const values = (await Promise.all(files)).flatMap((file) => file['eos_token_id'])
  return values.filter((id) => typeof id === 'number')
}
