/** What a worker says of the rows' losses, held against the rows themselves: a gate must not believe a slip of a worker. */
import { join } from 'node:path'
import { JobError } from '../op.ts'
import type { JsonObject } from '../protocol/json.ts'
import type { InputFiles } from '../protocol/messages.ts'
import { readTokens } from '../tokens-file.ts'

export interface Score {
  /** Sum over the learnt tokens, in nats; NaN where the worker has no usable number. */
  readonly nll: number
  readonly tokens: number
  readonly bytes: number
}

const HELP =
  'The worker of `score` computes wrongly: nll is the sum of -ln p over the tokens that are learnt, tokens their ' +
  'number, bytes the length of the response in UTF-8. sluice worker check shows more.'

/** `rows` are those of the split, in its order, and `scores` the worker's lines for them. */
export async function checkedScores(
  scores: readonly JsonObject[],
  rows: readonly { readonly id: string; readonly response: string }[],
  tokens: InputFiles,
  split: string,
): Promise<readonly Score[]> {
  const { offsets, loss, rowIds } = await readTokens(join(tokens.dir, `${split}.tokens`))
  return scores.map((score, at) => {
    const { id, response } = rows[at]!
    const refuse = (field: string, why: string): never => {
      const found = JSON.stringify(score[field] ?? null)
      throw new JobError('input', `scores of row ${JSON.stringify(id)}: ${field} is ${found}, ${why}`, HELP)
    }
    if (rowIds[at] !== id) throw new Error(`metrics: ${split}.tokens and ${split}.jsonl have other rows`)
    // The first token of a row is predicted from nothing, so nobody learns it.
    const learnt = loss.subarray(offsets[at]! + 1, offsets[at + 1]).reduce((sum, bit) => sum + bit, 0)
    const bytes = Buffer.byteLength(response)
    // JSON writes NaN and Infinity as null; both mean that the row's loss is not a usable number.
    const { nll: written = null } = score
    if (written !== null && typeof written !== 'number') refuse('nll', 'not a number')
    const nll = typeof written === 'number' ? written : NaN
    if (nll < 0) refuse('nll', 'and no probability is above 1')
    if (score['tokens'] !== learnt) refuse('tokens', `but ${learnt} of its tokens are learnt`)
    if (score['bytes'] !== bytes) refuse('bytes', `but its response has ${bytes}`)
    return { nll, tokens: learnt, bytes }
  })
}
