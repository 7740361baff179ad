/** `tokenize`: renders rows with a template, encodes them and marks which tokens are learnt. */
import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { JobError } from '../../op.ts'
import type { Op, OpContext } from '../../op.ts'
import { writeTokens } from '../../tokens-file.ts'
import type { TokenRows } from '../../tokens-file.ts'
import { chatRows } from '../chat-rows.ts'
import type { ChatNotes } from '../chat-rows.ts'
import { rowNamer, writeRows } from '../dataset-files.ts'
import type { Row } from '../dataset-files.ts'
import { loadModelTokenizer } from '../model-tokenizer.ts'
import type { ModelTokenizer, SpecialToken } from '../model-tokenizer.ts'
import { sameText } from '../normalize.ts'
import { readRows } from '../read-rows.ts'
import { textRows } from '../row-encoder.ts'
import type { EncodedRow, RowEncoder } from '../row-encoder.ts'
import { CHAT, parseTemplate } from '../template.ts'

interface TokenizeOptions {
  readonly template: string
  readonly loss_on: 'response' | 'all'
  readonly max_length: number
}

const BATCH = 256
const LISTED = 5

export const run: Op = async (context) => {
  const options = context.with as unknown as TokenizeOptions
  const data = context.inputs['data']
  const model = context.inputs['model']
  const output = context.outputs['tokens']
  if (!data || !model || !output) throw new Error('tokenize needs data, model and an output named tokens')
  const chat = options.template === CHAT
  // A wrong text template is told before anything is read.
  const text = chat ? null : parseTemplate(options.template)
  const tokenizer = await loadModelTokenizer(model.dir)
  const encoder = text === null ? await chatEncoder(model.dir, tokenizer, context) : textRows(text, tokenizer)
  const read = readRows(data)
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
    refuseReserved(rows, encoder.reserved, tokenizer.eos)
    const encoded: EncodedRow[] = []
    for (let start = 0; start < rows.length; start += BATCH) {
      await context.throwIfCancelled()
      const batch = rows.slice(start, start + BATCH)
      encoded.push(...(await encoder.encode(batch)))
      context.progress((done += batch.length), total, 'rows')
    }
    refuseTooLong(encoded, options.max_length, encoder.frame)
    const kept = encoded.map((row) => cut(row, options.max_length, encoder.head))
    const tokens = layOut(kept, options.loss_on)
    await writeTokens(join(output, `${split}.tokens`), tokens)
    if (chat) await writePromptLengths(output, split, kept)
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
    eos: encoder.end,
    ...(chat ? { around: encoder.around } : {}),
    tokenizer: tokenizer.digest,
    vocab_size: tokenizer.vocabSize,
    splits,
  }
  await writeFile(join(output, 'tokens.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return { truncated, splits }
}

async function chatEncoder(
  dir: string,
  tokenizer: ModelTokenizer,
  context: OpContext,
): Promise<RowEncoder & ChatNotes> {
  const encoder = await chatRows(dir, tokenizer)
  const file = basename(encoder.file)
  if (encoder.asksForDate) context.note('info', `${file} asks for the date and is always told 26 July 2024`)
  if (!encoder.stopsElsewhere) {
    context.note(
      'warning',
      `${file} ends an answer with ${encoder.end.text}, where eval stops; other programs will not, ` +
        `unless eos_token_id of generation_config.json names token ${encoder.end.id}, too`,
    )
  }
  return encoder
}

/** A special token's text inside a row would be encoded as the token: an end token would end the answer there. */
function refuseReserved(rows: readonly Row[], reserved: readonly SpecialToken[], eos: SpecialToken): void {
  const holds = ({ prompt, response }: Row, { text }: SpecialToken): boolean =>
    prompt.includes(text) || response.includes(text)
  for (const token of reserved) {
    const ids = rows.filter((row) => holds(row, token)).map((row) => row.id)
    if (ids.length === 0) continue
    const what = token.id === eos.id ? "the model's end token" : 'a special token of the model'
    throw new JobError(
      'input',
      `${countRows(ids.length)} with ${token.text}, ${what}, as text: ${list(ids)}`,
      `Remove it from the data, e.g. with the clean stage: terms: { ${JSON.stringify(token.text)}: "" }`,
    )
  }
}

/** A response is never cut, and what has to stand before it stays, if only one token to predict it from. */
function refuseTooLong(rows: readonly EncodedRow[], maxLength: number, frame: number): void {
  const long = rows.filter((row) => row.response.length > maxLength - Math.min(frame, row.prompt.length || 1))
  if (long.length === 0) return
  const longest = long.reduce((most, row) => Math.max(most, row.response.length), 0)
  throw new JobError(
    'input',
    `the responses of ${countRows(long.length)} do not fit in max_length ${maxLength}: ` +
      list(long.map((row) => `${row.id} (${row.response.length} tokens)`)),
    `Raise max_length ${frame === 1 ? `above ${longest}` : `to ${longest + frame} or more`}, or shorten or remove these rows.`,
  )
}

/** Takes tokens away from the start of the prompt, behind what stands in front of every prompt. */
function cut(row: EncodedRow, maxLength: number, head: number): EncodedRow {
  const tooMany = lengthOf(row) - maxLength
  if (tooMany <= 0) return row
  return { ...row, prompt: [...row.prompt.slice(0, head), ...row.prompt.slice(head + tooMany)] }
}

/** Loss marks alone do not say where a response begins, and a template's rendering only the template knows. */
async function writePromptLengths(output: string, split: string, rows: readonly EncodedRow[]): Promise<void> {
  const lengths = rows.map((row) => row.prompt.length)
  await writeFile(join(output, `${split}.prompts.json`), `${JSON.stringify(lengths)}\n`)
}

function layOut(kept: readonly EncodedRow[], lossOn: TokenizeOptions['loss_on']): TokenRows {
  const offsets = new Uint32Array(kept.length + 1)
  for (const [i, row] of kept.entries()) offsets[i + 1] = (offsets[i] ?? 0) + lengthOf(row)
  const ids = new Int32Array(offsets.at(-1) ?? 0)
  const loss = new Uint8Array(ids.length)
  for (const [i, row] of kept.entries()) {
    const start = offsets[i] ?? 0
    const end = offsets[i + 1] ?? start
    ids.set([...row.prompt, ...row.response], start)
    // The first token of a row has nothing before it and can never be a target.
    const from = lossOn === 'all' ? start : start + row.prompt.length
    loss.fill(1, Math.max(from, start + 1), end)
  }
  return { ids, loss, offsets, rowIds: kept.map((row) => row.id) }
}

function lengthOf(row: EncodedRow): number {
  return row.prompt.length + row.response.length
}

function countRows(count: number): string {
  return count === 1 ? '1 row' : `${count} rows`
}

function list(items: readonly string[]): string {
  const more = items.length - LISTED
  return items.slice(0, LISTED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
