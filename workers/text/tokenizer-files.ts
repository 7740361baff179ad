/** The files of a byte-level BPE tokenizer as Hugging Face's `AutoTokenizer` loads them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from 'tokenizers'
import { JobError } from '../op.ts'

/** Ends a text and separates texts; the only special token. */
export const END_TOKEN = '<|end|>'
/** The special token and one token for each byte: what a vocabulary cannot do without. */
export const SMALLEST_VOCAB = 257

export type Merge = readonly [left: string, right: string]

/**
 * The 256 characters that stand for bytes in byte-level BPE, by byte. Printable Latin-1 characters stand for
 * themselves, the other bytes for the characters from U+0100 on (the convention of GPT-2).
 */
export function byteAlphabet(): string[] {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    return String.fromCharCode(printable ? byte : next++)
  })
}

/**
 * `tokenizer.json` for the first merges that fit into `vocab` tokens. Token 0 is `<|end|>`, then come the bytes,
 * then the merged tokens in the order of training, so a smaller vocabulary is a prefix of a larger one.
 */
export function tokenizerJson(merges: readonly Merge[], vocab: number): object {
  const ids = new Map<string, number>([[END_TOKEN, 0]])
  for (const character of byteAlphabet()) ids.set(character, ids.size)
  const kept: Merge[] = []
  for (const [left, right] of merges) {
    const token = left + right
    // Two merges may make the same token; the second costs no place.
    if (!ids.has(token)) {
      if (ids.size >= vocab) break
      ids.set(token, ids.size)
    }
    kept.push([left, right])
  }
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: 0,
        content: END_TOKEN,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      // The old spelling ("a b"), which every reader knows; byte-level characters contain no space.
      merges: kept.map(([left, right]) => `${left} ${right}`),
    },
  }
}

/** Writes `tokenizer.json` and `tokenizer_config.json` into `dir`; returns the number of tokens. */
export function writeTokenizerFiles(dir: string, merges: readonly Merge[], vocab: number): number {
  const text = JSON.stringify(tokenizerJson(merges, vocab), null, 1)
  writeFileSync(join(dir, 'tokenizer.json'), `${text}\n`)
  const config = {
    add_bos_token: false,
    add_eos_token: false,
    add_prefix_space: false,
    clean_up_tokenization_spaces: false,
    eos_token: END_TOKEN,
    // Far above any context: the model's own limit is in config.json.
    model_max_length: 1_000_000_000,
    pad_token: END_TOKEN,
    tokenizer_class: 'PreTrainedTokenizerFast',
  }
  writeFileSync(join(dir, 'tokenizer_config.json'), `${JSON.stringify(config, null, 2)}\n`)
  return Tokenizer.fromString(text).getVocabSize(true)
}

/** Opens `tokenizer.json` in `dir`; throws `JobError('input')` where there is none or it is damaged. */
export function openTokenizer(dir: string): Tokenizer {
  const path = join(dir, 'tokenizer.json')
  if (!existsSync(path))
    throw new JobError('input', `${path} is missing.`, 'Save the tokenizer next to the model.')
  try {
    return Tokenizer.fromString(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new JobError('input', `${path} is not a tokenizer that can be read: ${(error as Error).message}`)
  }
}
