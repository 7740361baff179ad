/** Trains a byte-level BPE tokenizer on plain text: corpus -> tokenizer. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tokenizer } from 'tokenizers'
import { JobError } from '../../op.ts'
import type { Op } from '../../op.ts'
import { SMALLEST_VOCAB, tokenizerJson, writeTokenizerFiles } from '../tokenizer-files.ts'
import type { Merge } from '../tokenizer-files.ts'

/**
 * Options: `vocab`, the largest number of tokens (a small corpus gives fewer). The library's trainer takes no
 * options and always learns 30 000 tokens; merges are learned in order, so the first ones are a smaller training.
 */
export const run: Op = async (context) => {
  const vocab = context.with['vocab']
  if (typeof vocab !== 'number' || !Number.isSafeInteger(vocab) || vocab < SMALLEST_VOCAB) {
    throw new JobError(
      'input',
      `vocab is ${JSON.stringify(vocab ?? null)}; it must be an integer of at least ${SMALLEST_VOCAB}.`,
      `${SMALLEST_VOCAB} tokens are one for each byte and the end token.`,
    )
  }
  const corpus = context.inputs['corpus']
  const out = context.outputs['tokenizer']
  if (corpus === undefined || out === undefined) throw new Error('train-tokenizer needs corpus and tokenizer')
  const files = corpus.files.map((file) => join(corpus.dir, file))
  const bytes = files.reduce((total, file) => total + statSync(file).size, 0)
  if (bytes === 0)
    throw new JobError('input', 'The corpus is empty.', 'Give at least one text file with some text.')
  context.progress(0, bytes, 'bytes')
  await context.throwIfCancelled()
  const merges = learnMerges(files)
  context.progress(bytes, bytes, 'bytes')
  const tokens = writeTokenizerFiles(out, merges, vocab)
  if (tokens < vocab) {
    context.note('info', `The corpus gives ${tokens} tokens; vocab ${vocab} is not reached.`)
  }
  return { vocab: tokens, files: files.length, bytes }
}

function learnMerges(files: readonly string[]): Merge[] {
  const tokenizer = Tokenizer.fromString(JSON.stringify(tokenizerJson([], SMALLEST_VOCAB)))
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-tokenizer-'))
  try {
    tokenizer.train([...files])
    const path = join(scratch, 'tokenizer.json')
    tokenizer.save(path)
    const trained = JSON.parse(readFileSync(path, 'utf8')) as { model: { merges: (Merge | string)[] } }
    return trained.model.merges.map((merge) =>
      typeof merge === 'string' ? (merge.split(' ') as unknown as Merge) : merge,
    )
  } catch (error) {
    throw new JobError(
      'input',
      `The tokenizer could not be trained on ${files.join(', ')}: ${(error as Error).message}`,
      'The corpus must be plain text in UTF-8.',
    )
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
