/** Reads question-and-answer rows from JSON Lines, made by a stage or brought by the user. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { JobError } from '../op.ts'
import type { InputFiles } from '../protocol/messages.ts'

/** One row as it was read. */
export interface RawRow {
  /** The row's id if it has one already, as rows made by a stage do. */
  readonly id: string | null
  readonly prompt: string
  readonly response: string
  /** `file:line`, for messages. */
  readonly place: string
}

export interface ReadFile {
  readonly file: string
  readonly split: string
  readonly rows: number
  /** The fields that were taken as prompt and response, e.g. `question/answer`. */
  readonly mapping: string
  /** Fields that nothing reads. */
  readonly ignored: readonly string[]
}

export interface ReadRows {
  /** Split -> rows in file order; undivided data has the one split `all`. */
  readonly splits: ReadonlyMap<string, readonly RawRow[]>
  readonly files: readonly ReadFile[]
}

interface Mapping {
  readonly prompt: string
  readonly response: string
  /** A field that is appended to the prompt where it is present. */
  readonly extra: string | null
}

const MAPPINGS: readonly Mapping[] = [
  { prompt: 'prompt', response: 'response', extra: null },
  { prompt: 'prompt', response: 'completion', extra: null },
  { prompt: 'question', response: 'answer', extra: null },
  { prompt: 'instruction', response: 'output', extra: 'input' },
]

const EXAMPLE = '{"prompt": "…", "response": "…"}'
const HELP =
  'Every line must be one JSON object with text fields prompt and response ' +
  '(or question and answer, or instruction and output).'

/**
 * Reads all rows of an input. Which fields are prompt and response is found per file from its first row, and every
 * other row of that file must have them too.
 * Throws `JobError('input')` with `file:line` for whatever cannot be read; blank lines are skipped.
 */
export async function readRows(input: InputFiles): Promise<ReadRows> {
  const splits = new Map<string, RawRow[]>()
  const files: ReadFile[] = []
  for (const [split, names] of await filesOfSplits(input)) {
    const rows: RawRow[] = []
    for (const name of names) {
      const read = parseRows(name, decode(name, await readBytes(input.dir, name)))
      rows.push(...read.rows)
      files.push({ file: name, split, rows: read.rows.length, mapping: read.mapping, ignored: read.ignored })
    }
    splits.set(split, rows)
  }
  if (files.every((file) => file.rows === 0)) {
    throw new JobError('input', `no rows in ${files.map((file) => file.file).join(', ')}`, HELP)
  }
  return { splits, files }
}

async function filesOfSplits(input: InputFiles): Promise<readonly (readonly [string, readonly string[]])[]> {
  if (input.splits) return Object.entries(input.splits)
  if (input.files.includes('dataset.json')) {
    const manifest: unknown = JSON.parse(decode('dataset.json', await readBytes(input.dir, 'dataset.json')))
    const splits = isRecord(manifest) && manifest['format'] === 1 ? manifest['splits'] : null
    if (!isRecord(splits)) {
      throw new JobError(
        'input',
        'dataset.json: not a dataset of format 1',
        'Run the stage that made it again.',
      )
    }
    return Object.keys(splits).map((split) => [split, [`${split}.jsonl`]])
  }
  const names = input.files.filter((name) => name.endsWith('.jsonl'))
  if (names.length === 0) {
    const found = input.files.length === 0 ? 'no files' : input.files.slice(0, 5).join(', ')
    throw new JobError('input', `expected *.jsonl files, found ${found}`, HELP)
  }
  return [['all', names]]
}

async function readBytes(dir: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(join(dir, name))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new JobError('input', `${name}: no such file`)
    }
    throw error
  }
}

function decode(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    const gbk = isValid('gbk', bytes)
    const lines = bytes.subarray(0, firstBadByte(bytes)).filter((byte) => byte === 10).length
    throw new JobError(
      'input',
      `${name}:${lines + 1}: not UTF-8 text${gbk ? '; its bytes look like GBK' : ''}`,
      `Save it as UTF-8, e.g. iconv -f ${gbk ? 'GBK' : 'ENCODING'} -t UTF-8 ${name} > utf8.jsonl`,
    )
  }
}

function isValid(encoding: string, bytes: Uint8Array): boolean {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

/** Offset of the line in which decoding first fails, found line by line as UTF-8 never hides a line end. */
function firstBadByte(bytes: Uint8Array): number {
  let start = 0
  while (start < bytes.length) {
    const next = bytes.indexOf(10, start)
    const end = next < 0 ? bytes.length : next + 1
    if (!isValid('utf-8', bytes.subarray(start, end))) return start
    start = end
  }
  return bytes.length
}

interface ParsedFile {
  readonly rows: readonly RawRow[]
  readonly mapping: string
  readonly ignored: readonly string[]
}

function parseRows(file: string, text: string): ParsedFile {
  const rows: RawRow[] = []
  const ignored = new Set<string>()
  let mapping: Mapping | null = null
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    if (line.trim() === '') continue
    const place = `${file}:${index + 1}`
    const value = parseLine(place, line)
    mapping ??= findMapping(place, value)
    const prompt = textOf(place, value, mapping.prompt, mapping)
    const response = textOf(place, value, mapping.response, mapping)
    const extra =
      mapping.extra !== null && mapping.extra in value ? textOf(place, value, mapping.extra, mapping) : ''
    const id = typeof value['id'] === 'string' && value['id'] !== '' ? value['id'] : null
    rows.push({ id, prompt: extra === '' ? prompt : `${prompt}\n${extra}`, response, place })
    for (const key of Object.keys(value)) {
      if (![mapping.prompt, mapping.response, mapping.extra, 'id'].includes(key)) ignored.add(key)
    }
  }
  return {
    rows,
    mapping: mapping ? `${mapping.prompt}/${mapping.response}` : 'none',
    ignored: [...ignored].sort(),
  }
}

function parseLine(place: string, line: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const array = /^\s*\[\s*$/.test(line)
    throw new JobError(
      'input',
      array
        ? `${place}: this is one JSON array over several lines; JSON Lines has one object a line`
        : `${place}: not JSON (${why})`,
      array ? `jq -c '.[]' turns such a file into JSON Lines.` : HELP,
    )
  }
  if (!isRecord(value)) {
    throw new JobError(
      'input',
      `${place}: expected an object like ${EXAMPLE}, found ${describe(value)}`,
      HELP,
    )
  }
  return value
}

function findMapping(place: string, value: Readonly<Record<string, unknown>>): Mapping {
  const mapping = MAPPINGS.find((candidate) => candidate.prompt in value && candidate.response in value)
  if (mapping) return mapping
  const keys = Object.keys(value)
  const found =
    keys.length === 0 ? 'no fields' : `the fields ${keys.map((key) => JSON.stringify(key)).join(', ')}`
  throw new JobError('input', `${place}: expected the fields "prompt" and "response", found ${found}`, HELP)
}

function textOf(
  place: string,
  value: Readonly<Record<string, unknown>>,
  key: string,
  mapping: Mapping,
): string {
  const field = value[key]
  if (typeof field === 'string') return field
  if (field === undefined) {
    const pair = `${mapping.prompt}/${mapping.response}`
    throw new JobError(
      'input',
      `${place}: no field "${key}", which the first row of this file has (its rows are read as ${pair})`,
      'Give every row of a file the same fields, or put the other rows in another file.',
    )
  }
  throw new JobError('input', `${place}: "${key}" must be text, found ${describe(field)}`, HELP)
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object') return 'an object'
  return `the ${typeof value} ${JSON.stringify(value)}`
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
