/** `tokenize`: renders rows with a template, encodes them and marks which tokens are learnt. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { JobError } from '../../op.ts'
import type { Op, OpContext } from '../../op.ts'
import { writeTokens } from '../../tokens-file.ts'
import type { TokenRows } from '../../tokens-file.ts'
import { rowNamer, writeRows } from '../dataset-files.ts'
import type { Row } from '../dataset-files.ts'
import { loadModelTokenizer } from '../model-tokenizer.ts'
import type { ModelTokenizer } from '../model-tokenizer.ts'
import { sameText } from '../normalize.ts'
import { readRows } from '../read-rows.ts'
import { parseTemplate } from '../template.ts'
import type { Template } from '../template.ts'

interface TokenizeOptions {
  readonly template: string
  readonly loss_on: 'response' | 'all'
  readonly max_length: number
}

interface Encoded {
  readonly id: string
  readonly prompt: readonly number[]
  /** The response's tokens and the end token. */
  readonly response: readonly number[]
}

const BATCH = 256
const LISTED = 5

export const run: Op = async (context) => {
  const options = context.with as unknown as TokenizeOptions
  const data = context.inputs['data']
  const model = context.inputs['model']
  const output = context.outputs['tokens']
  if (!data || !model || !output) throw new Error('tokenize needs data, model and an output named tokens')
  const template = parseTemplate(options.template)
  const tokenizer = await loadModelTokenizer(model.dir)
  const read = await readRows(data)
  const total = read.files.reduce((sum, file) => sum + file.rows, 0)
  const name = rowNamer()
  const splits: Record<string, { rows: number; tokens: number; supervised: number; truncated: number }> = {}
  let done = 0
  for (const [split, raw] of read.splits) {
    const rows = raw.map(({ id, prompt, response, fields }) => ({
      id: id ?? name(sameText(prompt), response),
      prompt,
      response,
      fields,
    }))
    refuseEndTokens(rows, tokenizer.eos.text)
    const encoded = await encodeRows(rows, template, tokenizer, context, (count) => {
      context.progress((done += count), total, 'rows')
    })
    refuseTooLong(encoded, options.max_length)
    const tokens = layOut(encoded, options)
    await writeTokens(join(output, `${split}.tokens`), tokens)
    await writeRows(join(output, `${split}.jsonl`), rows)
    splits[split] = {
      rows: rows.length,
      tokens: tokens.ids.length,
      supervised: tokens.loss.reduce((sum, bit) => sum + bit, 0),
      truncated: encoded.filter((row) => lengthOf(row) > options.max_length).length,
    }
  }
  const truncated = Object.values(splits).reduce((sum, split) => sum + split.truncated, 0)
  if (truncated > 0) {
    context.note(
      'warning',
      `${truncated} of ${total} rows lost the start of their prompt (max_length ${options.max_length})`,
    )
  }
  const manifest = {
    format: 1,
    template: options.template,
    loss_on: options.loss_on,
    max_length: options.max_length,
    eos: tokenizer.eos,
    tokenizer: tokenizer.digest,
    vocab_size: tokenizer.vocabSize,
    splits,
  }
  await writeFile(join(output, 'tokens.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return { truncated, splits }
}

/** Prompt and response are encoded apart, so that a prompt to generate from is an exact prefix of its row. */
async function encodeRows(
  rows: readonly Row[],
  template: Template,
  tokenizer: ModelTokenizer,
  context: OpContext,
  onBatch: (rows: number) => void,
): Promise<readonly Encoded[]> {
  const encoded: Encoded[] = []
  for (let start = 0; start < rows.length; start += BATCH) {
    await context.throwIfCancelled()
    const batch = rows.slice(start, start + BATCH)
    const prompts = await tokenizer.encode(batch.map((row) => template.prompt(row.prompt)))
    const responses = await tokenizer.encode(batch.map((row) => template.response(row.response)))
    for (const [i, row] of batch.entries()) {
      const response = [...(responses[i] ?? []), tokenizer.eos.id]
      encoded.push({ id: row.id, prompt: prompts[i] ?? [], response })
    }
    onBatch(batch.length)
  }
  return encoded
}

/** The end token's text inside a row would be encoded as the end token and end the answer there. */
function refuseEndTokens(rows: readonly Row[], eos: string): void {
  const ids = rows
    .filter((row) => row.prompt.includes(eos) || row.response.includes(eos))
    .map((row) => row.id)
  if (ids.length === 0) return
  throw new JobError(
    'input',
    `${countRows(ids.length)} with ${eos}, the model's end token, as text: ${list(ids)}`,
    `Remove it from the data, e.g. with the clean stage: terms: { ${JSON.stringify(eos)}: "" }`,
  )
}

/** A response is never cut, and needs one token before it to be predicted from. */
function refuseTooLong(rows: readonly Encoded[], maxLength: number): void {
  const long = rows.filter((row) => row.response.length > maxLength - 1)
  if (long.length === 0) return
  const longest = long.reduce((most, row) => Math.max(most, row.response.length), 0)
  throw new JobError(
    'input',
    `the responses of ${countRows(long.length)} do not fit in max_length ${maxLength}: ` +
      list(long.map((row) => `${row.id} (${row.response.length} tokens)`)),
    `Raise max_length above ${longest}, or shorten or remove these rows.`,
  )
}

function layOut(rows: readonly Encoded[], options: TokenizeOptions): TokenRows {
  const kept = rows.map((row) => {
    const room = Math.max(0, options.max_length - row.response.length)
    return { ...row, prompt: row.prompt.slice(Math.max(0, row.prompt.length - room)) }
  })
  const offsets = new Uint32Array(kept.length + 1)
  for (const [i, row] of kept.entries()) offsets[i + 1] = (offsets[i] ?? 0) + lengthOf(row)
  const ids = new Int32Array(offsets.at(-1) ?? 0)
  const loss = new Uint8Array(ids.length)
  for (const [i, row] of kept.entries()) {
    const start = offsets[i] ?? 0
    const end = offsets[i + 1] ?? start
    ids.set([...row.prompt, ...row.response], start)
    // The first token of a row has nothing before it and can never be a target.
    const from = options.loss_on === 'all' ? start : start + row.prompt.length
    loss.fill(1, Math.max(from, start + 1), end)
  }
  return { ids, loss, offsets, rowIds: kept.map((row) => row.id) }
}

function lengthOf(row: Encoded): number {
  return row.prompt.length + row.response.length
}

function countRows(count: number): string {
  return count === 1 ? '1 row' : `${count} rows`
}

function list(items: readonly string[]): string {
  const more = items.length - LISTED
  return items.slice(0, LISTED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
