/** Reads question-and-answer rows from JSON Lines, made by a stage or brought by the user. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { JobError } from '../op.ts'
import type { InputFiles, RowFields } from '../protocol/messages.ts'
import { ROW_NAMES } from '../protocol/row-names.ts'
import type { RowNames } from '../protocol/row-names.ts'
import type { Fields } from './dataset-files.ts'

/** One row as it was read. */
export interface RawRow {
  /** The row's id if it has one already, as rows made by a stage do. */
  readonly id: string | null
  readonly prompt: string
  readonly response: string
  /** What else the row says of itself. */
  readonly fields: Fields
  /** `file:line`, for messages. */
  readonly place: string
}

export interface ReadFile {
  readonly file: string
  readonly split: string
  readonly rows: number
  /** The fields that were taken as prompt and response, e.g. `question/answer`. */
  readonly mapping: string
  /** Field that was left out -> in how many rows: nested values, and names that a row needs for itself. */
  readonly ignored: Readonly<Record<string, number>>
}

export interface ReadRows {
  /** Split -> rows in file order; undivided data has the one split `all`. */
  readonly splits: ReadonlyMap<string, readonly RawRow[]>
  readonly files: readonly ReadFile[]
}

interface Mapping extends RowNames {
  readonly id: string
  /** Whether the source's schema says so, and not the first row. */
  readonly declared: boolean
}

const MAPPINGS = ROW_NAMES.map((names): Mapping => ({ ...names, id: 'id', declared: false }))

/** Names that a written row uses for itself. */
const OWN_NAMES = ['id', 'prompt', 'response']

const EXAMPLE = '{"prompt": "…", "response": "…"}'
const HELP =
  'Every line must be one JSON object with text fields prompt and response ' +
  '(or question and answer, or instruction and output).'

const ARRAY_HELP = `jq -c '.[]' turns an array into JSON Lines.`

const FIX_SCHEMA =
  'Every row of the source must have the fields that `schema` names; correct the row or the schema.'

/**
 * Reads all rows of an input. Which fields are prompt and response is what the source's schema says; without one it
 * is found per file from its first row, and every other row of that file must have them too.
 * Throws `JobError('input')` with `file:line` for whatever cannot be read; blank lines are skipped.
 */
export function readRows(input: InputFiles): ReadRows {
  const splits = new Map<string, RawRow[]>()
  const files: ReadFile[] = []
  const byId = new Map<string, RawRow>()
  for (const [split, names] of filesOfSplits(input)) {
    const rows: RawRow[] = []
    for (const name of names) {
      const read = parseRows(name, decode(name, readBytes(input.dir, name)), input.fields)
      const own = input.fields?.id === undefined ? read.rows : withOwnIds(read.rows, input.fields.id, byId)
      // Not spread into `push`: a file may have more rows than a call takes arguments.
      for (const row of own) rows.push(row)
      files.push({ file: name, split, rows: read.rows.length, mapping: read.mapping, ignored: read.ignored })
    }
    splits.set(split, rows)
  }
  if (files.every((file) => file.rows === 0)) {
    throw new JobError('input', `no rows in ${files.map((file) => file.file).join(', ')}`, HELP)
  }
  return { splits, files }
}

function filesOfSplits(input: InputFiles): readonly (readonly [string, readonly string[]])[] {
  if (input.splits) return Object.entries(input.splits)
  if (input.files.includes('dataset.json')) {
    const manifest: unknown = JSON.parse(decode('dataset.json', readBytes(input.dir, 'dataset.json')))
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

/** Not asynchronous: of thousands of small files, four trips to another thread each took ten times as long as reading. */
function readBytes(dir: string, name: string): Uint8Array {
  try {
    return readFileSync(join(dir, name))
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
  readonly ignored: Readonly<Record<string, number>>
}

function parseRows(file: string, text: string, declared: RowFields | undefined): ParsedFile {
  const rows: RawRow[] = []
  const ignored = new Map<string, number>()
  let mapping: Mapping | null =
    declared === undefined ? null : { id: 'id', ...declared, extra: null, declared: true }
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    if (line.trim() === '') continue
    const place = `${file}:${index + 1}`
    const value = parseLine(place, line)
    mapping ??= findMapping(place, value)
    const prompt = textOf(place, value, mapping.prompt, mapping)
    const response = textOf(place, value, mapping.response, mapping)
    const extra =
      mapping.extra !== null && mapping.extra in value ? textOf(place, value, mapping.extra, mapping) : ''
    const id = declared?.id === undefined ? idOf(value, mapping) : declaredId(place, value, declared.id)
    const { fields, left } = otherFields(value, mapping)
    for (const name of left) ignored.set(name, (ignored.get(name) ?? 0) + 1)
    rows.push({ id, prompt: extra === '' ? prompt : `${prompt}\n${extra}`, response, fields, place })
  }
  return {
    rows,
    mapping: mapping ? `${mapping.prompt}/${mapping.response}` : 'none',
    ignored: Object.fromEntries([...ignored].sort(byName)),
  }
}

/** Rows made by a stage have ids; others may, unless a schema makes something else of that field. */
function idOf(value: JsonRow, { prompt, response }: Mapping): string | null {
  const id = prompt === 'id' || response === 'id' ? null : value['id']
  return typeof id === 'string' && id !== '' ? id : null
}

function declaredId(place: string, value: JsonRow, key: string): string {
  const id = value[key]
  if (typeof id === 'string' && id !== '') return id
  if (typeof id === 'number' && Number.isFinite(id)) return String(id)
  const what = id === undefined ? 'it is not there' : `found ${describe(id)}`
  throw new JobError(
    'input',
    `${place}: "${key}" must be the row's id, a text or a number; ${what}`,
    FIX_SCHEMA,
  )
}

/**
 * Scores of two runs are paired by id, so an id that the user vouches for must be one row's. A copy of a row loses it
 * and is named by what it says, until cleaning drops it.
 */
function withOwnIds(rows: readonly RawRow[], key: string, byId: Map<string, RawRow>): readonly RawRow[] {
  return rows.map((row) => {
    const id = row.id ?? ''
    const first = byId.get(id)
    if (first === undefined) {
      byId.set(id, row)
      return row
    }
    if (first.prompt === row.prompt && first.response === row.response) return { ...row, id: null }
    throw new JobError(
      'input',
      `${row.place}: the ${key} ${JSON.stringify(id)} is that of ${first.place}, too, which says something else`,
      'Give every row an id of its own, or leave `id` out of the schema: rows are then named by what they say.',
    )
  })
}

/** The fields that stay with the row, sorted by name, and the names of those that cannot. A null says nothing. */
function otherFields(value: JsonRow, mapping: Mapping): { fields: Fields; left: readonly string[] } {
  const read = [mapping.prompt, mapping.response, mapping.extra, mapping.id]
  const others = Object.entries(value).filter(([name, item]) => !read.includes(name) && item !== null)
  const stays = ([name, item]: readonly [string, unknown]): boolean =>
    isPlain(item) && !OWN_NAMES.includes(name)
  return {
    fields: Object.fromEntries(others.filter(stays).sort(byName)) as Fields,
    left: others.filter((entry) => !stays(entry)).map(([name]) => name),
  }
}

function isPlain(value: unknown): value is Fields[string] {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}

type JsonRow = Readonly<Record<string, unknown>>

function parseLine(place: string, line: string): JsonRow {
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
      array ? ARRAY_HELP : HELP,
    )
  }
  if (!isRecord(value)) {
    throw new JobError(
      'input',
      `${place}: expected an object like ${EXAMPLE}, found ${describe(value)}`,
      Array.isArray(value) ? ARRAY_HELP : HELP,
    )
  }
  return value
}

function findMapping(place: string, value: JsonRow): Mapping {
  const mapping = MAPPINGS.find((candidate) => candidate.prompt in value && candidate.response in value)
  if (mapping) return mapping
  const keys = Object.keys(value)
  const found =
    keys.length === 0 ? 'no fields' : `the fields ${keys.map((key) => JSON.stringify(key)).join(', ')}`
  throw new JobError(
    'input',
    `${place}: expected the fields "prompt" and "response", found ${found}`,
    helpWith(value),
  )
}

/** Conversations are common elsewhere; other names of two texts are what `schema` is for. */
function helpWith(value: JsonRow): string {
  const talk = ['messages', 'conversations'].find((name) => Array.isArray(value[name]))
  if (talk !== undefined) {
    const said = talk === 'messages' ? 'content' : 'value'
    const turn = (at: number) => `.${talk}[${String(at)}].${said}`
    return `A row is one question and its answer: jq -c '{prompt: ${turn(0)}, response: ${turn(1)}}' keeps the first two turns.`
  }
  const texts = Object.keys(value).filter((name) => typeof value[name] === 'string')
  const [input, output] = texts.length === 2 ? texts : ['QUESTION', 'ANSWER']
  return `${HELP} Other names go to the source: schema: { input: ${input ?? ''}, output: ${output ?? ''} }`
}

function textOf(place: string, value: JsonRow, key: string, mapping: Mapping): string {
  const field = value[key]
  if (typeof field === 'string') return field
  if (field !== undefined) {
    throw new JobError('input', `${place}: "${key}" must be text, found ${describe(field)}`, HELP)
  }
  const pair = `${mapping.prompt}/${mapping.response}`
  if (mapping.declared) {
    const names = Object.keys(value)
    const has = names.length === 0 ? 'no fields' : names.map((name) => JSON.stringify(name)).join(', ')
    throw new JobError(
      'input',
      `${place}: no field "${key}", which the source's schema names; it has ${has}`,
      FIX_SCHEMA,
    )
  }
  throw new JobError(
    'input',
    `${place}: no field "${key}", which the first row of this file has (its rows are read as ${pair})`,
    'Give every row of a file the same fields, or put the other rows in another file.',
  )
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object') return 'an object'
  return `the ${typeof value} ${JSON.stringify(value)}`
}

function isRecord(value: unknown): value is JsonRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
