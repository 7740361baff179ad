/** Rows of a tokens file as texts that can be packed, with the checks that must come before any training. */
import { JobError } from '../op.ts'
import type { TokenRows } from '../tokens-file.ts'
import type { TokenText } from './batches.ts'
import type { LlamaConfig } from './model-dir.ts'

/**
 * One text per row. Throws `JobError('input')` naming the rows if any has nothing to learn, is longer than the
 * model's positions, or holds ids outside the vocabulary.
 */
export function textsOf(rows: TokenRows, config: LlamaConfig): TokenText[] {
  const texts = rows.rowIds.map((_, row) => {
    const [from, to] = [rows.offsets[row]!, rows.offsets[row + 1]!]
    return { ids: rows.ids.subarray(from, to), loss: rows.loss.subarray(from, to) }
  })
  const named = (bad: (text: TokenText) => boolean): string[] =>
    rows.rowIds.filter((_, row) => bad(texts[row]!))
  refuse(
    // The first token has nothing before it that could predict it.
    named(({ loss }) => !loss.includes(1, 1)),
    'have no response tokens left to learn: their prompt fills max_length',
    'Raise max_length of the tokenize stage, shorten the prompts, or remove these rows.',
  )
  refuse(
    named(({ ids }) => ids.length - 1 > config.maxPositions),
    `are longer than the model's ${config.maxPositions} positions`,
    'Lower max_length of the tokenize stage.',
  )
  refuse(
    named(({ ids }) => ids.some((id) => id < 0 || id >= config.vocabSize)),
    `hold tokens outside the model's vocabulary of ${config.vocabSize}`,
    "Tokenize with the model's own tokenizer.",
  )
  return texts
}

function refuse(ids: readonly string[], what: string, help: string): void {
  if (ids.length === 0) return
  const shown = ids.slice(0, 5).join(', ')
  const more = ids.length > 5 ? ` and ${ids.length - 5} more` : ''
  throw new JobError('input', `${ids.length === 1 ? 'Row' : 'Rows'} ${shown}${more} ${what}.`, help)
}
