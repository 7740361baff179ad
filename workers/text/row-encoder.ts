/** Rows -> tokens by a text template; what `template: chat` (chat-rows.ts) does in its own way. */
import type { Row } from './dataset-files.ts'
import type { ModelTokenizer, SpecialToken } from './model-tokenizer.ts'
import type { Template } from './template.ts'

export interface EncodedRow {
  readonly id: string
  readonly prompt: readonly number[]
  /** The response's tokens and the end token. */
  readonly response: readonly number[]
}

export interface RowEncoder {
  /** The last token of every row. */
  readonly end: SpecialToken
  /** What the template writes around a response, between prompt and end token. */
  readonly around: { readonly before: string; readonly after: string }
  /** Tokens whose text no row may hold: it would be encoded as the token. */
  readonly reserved: readonly SpecialToken[]
  /** How many tokens stand in front of every prompt; they stay when a prompt loses its start. */
  readonly head: number
  /** The fewest tokens that have to stay in front of a response. */
  readonly frame: number
  readonly encode: (rows: readonly Row[]) => Promise<readonly EncodedRow[]>
}

/** Prompt and response are encoded apart, so that a prompt to generate from is an exact prefix of its row. */
export function textRows(template: Template, tokenizer: ModelTokenizer): RowEncoder {
  return {
    end: tokenizer.eos,
    around: { before: '', after: template.response('') },
    reserved: [tokenizer.eos],
    head: 0,
    frame: 1,
    encode: async (rows) => {
      const prompts = await tokenizer.encode(rows.map((row) => template.prompt(row.prompt)))
      const responses = await tokenizer.encode(rows.map((row) => template.response(row.response)))
      return rows.map(({ id }, i) => ({
        id,
        prompt: prompts[i] ?? [],
        response: [...(responses[i] ?? []), tokenizer.eos.id],
      }))
    },
  }
}
