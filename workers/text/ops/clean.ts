/** `clean`: applies the cleaning rules to every row, in a fixed order, and writes down what each of them did. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { JobError } from '../../op.ts'
import type { Op } from '../../op.ts'
import type { JsonObject } from '../../protocol/json.ts'
import { rowNamer, writeDataset } from '../dataset-files.ts'
import type { Row } from '../dataset-files.ts'
import { withoutHtml } from '../html.ts'
import { inspectMojibake } from '../mojibake.ts'
import { nearDuplicates } from '../near-duplicates.ts'
import {
  prefixStripper,
  removeControls,
  sameText,
  termReplacer,
  unifySpaces,
  unifyWidth,
} from '../normalize.ts'
import { readRows } from '../read-rows.ts'
import type { RawRow, ReadFile } from '../read-rows.ts'
import { createLedger } from '../rule-ledger.ts'
import type { Ledger } from '../rule-ledger.ts'

interface CleanOptions {
  readonly drop: readonly string[]
  readonly strip_prefixes: readonly string[]
  readonly terms: Readonly<Record<string, string>>
  readonly normalize: readonly string[]
  readonly conflicts: 'first' | 'drop' | 'keep'
  readonly min_chars?: number
  readonly max_chars?: number
  readonly near_duplicate?: number
}

/** Fewer rows than this are worth a warning: an adapter learns little from them. */
const FEW_ROWS = 50

export const run: Op = async (context) => {
  // The options are valid against the stage kind's schema before a job is made.
  const options = context.with as unknown as CleanOptions
  const input = context.inputs['data']
  const output = context.outputs['data']
  if (!input || !output) throw new Error('clean needs an input and an output named data')
  const { min_chars: least = 0, max_chars: most = Infinity, near_duplicate: ratio } = options
  if (least > most) {
    throw new JobError(
      'input',
      `no text has at least ${least} and at most ${most} characters`,
      'Swap min_chars and max_chars.',
    )
  }
  const read = readRows(input)
  for (const [files, text] of readings(read.files, input.fields === undefined))
    context.note('info', `${files}: ${text}`)
  await context.throwIfCancelled()

  const ledger = createLedger()
  const terms = new Map<string, number>()
  const fix = rowFixer(options, ledger, terms)
  const total = read.files.reduce((sum, file) => sum + file.rows, 0)
  const fixed = new Map<string, RawRow[]>()
  let done = 0
  for (const [split, rows] of read.splits) {
    const kept: RawRow[] = []
    for (const row of rows) {
      const result = fix(row)
      if (result) kept.push(result)
      done += 1
      if (done % 1000 === 0) {
        context.progress(done, total, 'rows')
        await context.throwIfCancelled()
      }
    }
    fixed.set(split, kept)
  }
  const unlike = dropRepeated(fixed, options, ledger)
  await context.throwIfCancelled()
  const kept = ratio === undefined ? unlike : dropNear(unlike, ratio, ledger)
  context.progress(total, total, 'rows')

  const name = rowNamer()
  // Ids that the user vouches for stay; others are of the text as it was before cleaning.
  const own = input.fields?.id !== undefined
  const splits = new Map<string, readonly Row[]>()
  for (const [split, rows] of kept) {
    splits.set(
      split,
      rows.map(({ id, prompt, response, fields }) => ({
        id: own && id !== null ? id : name(sameText(prompt), response),
        prompt,
        response,
        fields,
      })),
    )
  }
  const left = [...splits.values()].reduce((sum, rows) => sum + rows.length, 0)
  const empty = [...splits].find(([, rows]) => rows.length === 0)
  if (left === 0 || empty) {
    const where = left === 0 ? `all ${total} rows` : `all rows of the split ${empty?.[0]}`
    throw new JobError(
      'input',
      `cleaning removed ${where}: ${ledger.removedInWords()}`,
      'Look at the data, or take rules out of `drop` and `conflicts`.',
    )
  }
  if (left < FEW_ROWS) {
    context.note(
      'warning',
      `only ${left} rows are left; a few hundred are the least that fine-tuning learns from`,
    )
  }
  const counts: JsonObject = {
    rows: left,
    dropped: total - left,
    rows_in: total,
    rules: ledger.report(),
    terms: Object.fromEntries([...terms].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
  // The files may be thousands, and a summary is part of every later run's log.
  const sources = read.files.map(({ file, split, rows, mapping }) => ({ file, split, rows, mapping }))
  await writeDataset(output, splits, { made_by: { op: 'clean' } })
  await writeFile(
    join(output, 'clean.json'),
    `${JSON.stringify({ format: 1, ...counts, sources }, null, 2)}\n`,
  )
  return counts
}

/** How files were read where that was a guess, and what was left out of them; files of which the same is true together. */
function* readings(
  files: readonly ReadFile[],
  guessed: boolean,
): Generator<readonly [files: string, text: string]> {
  const among = (same: readonly ReadFile[]): string => {
    const [first] = same
    return same.length === 1 ? `${first?.file}` : `${first?.file} and ${same.length - 1} more`
  }
  for (const [mapping, same] of grouped(files, (file) => file.mapping))
    if (guessed && mapping !== 'prompt/response') yield [among(same), `rows are read as ${mapping}`]
  for (const [, same] of grouped(files, ({ ignored }) => Object.keys(ignored).sort().join('\n'))) {
    const counts = new Map<string, number>()
    for (const { ignored } of same)
      for (const [name, count] of Object.entries(ignored)) counts.set(name, (counts.get(name) ?? 0) + count)
    const left = [...counts].map(([name, count]) => `${name} (${countRows(count)})`)
    if (left.length > 0)
      yield [
        among(same),
        `these fields are left out: ${left.join(', ')}; kept are text, numbers, true and false`,
      ]
  }
}

function grouped(
  files: readonly ReadFile[],
  by: (file: ReadFile) => string,
): ReadonlyMap<string, readonly ReadFile[]> {
  const groups = new Map<string, ReadFile[]>()
  for (const file of files) {
    const group = groups.get(by(file))
    if (group === undefined) groups.set(by(file), [file])
    else group.push(file)
  }
  return groups
}

/** The rules that look at one row; null is a row to drop. */
function rowFixer(
  options: CleanOptions,
  ledger: Ledger,
  terms: Map<string, number>,
): (row: RawRow) => RawRow | null {
  const drops = (rule: string): boolean => options.drop.includes(rule)
  const unifies = (rule: string): boolean => options.normalize.includes(rule)
  const stripPrefix = prefixStripper(options.strip_prefixes)
  // Terms are matched in text that is unified already, so they are unified too.
  const unify = (text: string): string => {
    const composed = unifies('nfc') ? text.normalize('NFC') : text
    return unifies('width') ? unifyWidth(composed) : composed
  }
  const replaceTerms = termReplacer(
    Object.fromEntries(Object.entries(options.terms).map(([wrong, right]) => [unify(wrong), right])),
  )
  const countTerm = (wrong: string): void => void terms.set(wrong, (terms.get(wrong) ?? 0) + 1)

  return (row) => {
    let { prompt, response } = row
    const apply = (rule: string, toPrompt: (text: string) => string, toResponse = toPrompt): void => {
      const before = [prompt, response]
      prompt = toPrompt(prompt)
      response = toResponse(response)
      if (prompt !== before[0]) ledger.changed(rule, row.place, before[0] ?? '', prompt)
      else if (response !== before[1]) ledger.changed(rule, row.place, before[1] ?? '', response)
    }
    if (drops('mojibake')) {
      const found = [inspectMojibake(prompt), inspectMojibake(response)]
      const garbled = found.findIndex((finding) => finding.type === 'garbled')
      if (garbled >= 0) {
        ledger.removed('mojibake_dropped', row.place, garbled === 0 ? prompt : response)
        return null
      }
      const repaired = (index: number, text: string): string => {
        const finding = found[index]
        return finding?.type === 'repaired' ? finding.text : text
      }
      apply(
        'mojibake_repaired',
        (text) => repaired(0, text),
        (text) => repaired(1, text),
      )
    }
    if (drops('html')) {
      const bare = [withoutHtml(prompt), withoutHtml(response)]
      const page = bare.findIndex(({ mostlyMarkup }) => mostlyMarkup)
      if (page >= 0) {
        ledger.removed('html_dropped', row.place, page === 0 ? prompt : response)
        return null
      }
      apply(
        'html',
        () => bare[0]?.text ?? '',
        () => bare[1]?.text ?? '',
      )
    }
    if (drops('control')) apply('control', removeControls)
    if (unifies('nfc')) apply('nfc', (text) => text.normalize('NFC'))
    if (unifies('whitespace')) apply('whitespace', unifySpaces)
    apply('prefix', stripPrefix, (text) => text)
    if (unifies('width')) apply('width', unifyWidth)
    apply('terms', (text) => replaceTerms(text, countTerm))
    if (drops('blank') && (prompt.trim() === '' || response.trim() === '')) {
      ledger.removed('blank', row.place, JSON.stringify({ prompt: row.prompt, response: row.response }))
      return null
    }
    for (const text of [prompt, response]) {
      const rule = lengthRule(text, options)
      if (rule === null) continue
      ledger.removed(rule, row.place, text)
      return null
    }
    return { ...row, prompt, response }
  }
}

/**
 * The rules that compare rows, over all splits: what an earlier split has is not repeated in a later one.
 * Rows are the same by prompt and response; of the same rows the first one's fields are kept.
 */
function dropRepeated(
  splits: ReadonlyMap<string, readonly RawRow[]>,
  options: CleanOptions,
  ledger: Ledger,
): ReadonlyMap<string, readonly RawRow[]> {
  const answers = new Map<string, Map<string, RawRow>>()
  const unique = new Map<string, RawRow[]>()
  const first = new Map<string, RawRow>()
  for (const [split, rows] of splits) {
    const kept: RawRow[] = []
    for (const row of rows) {
      const key = sameText(row.prompt)
      const answer = sameText(row.response)
      const known = answers.get(key) ?? new Map<string, RawRow>()
      answers.set(key, known)
      const same = known.get(answer)
      if (same !== undefined && options.drop.includes('duplicate')) {
        ledger.removed('duplicate', row.place, row.prompt)
        const [lost, stays] = [row, same].map(({ fields }) => JSON.stringify(fields))
        if (lost !== stays) ledger.changed('duplicate_fields', row.place, lost ?? '', stays ?? '')
        continue
      }
      if (same === undefined) known.set(answer, row)
      if (!first.has(key)) first.set(key, row)
      kept.push(row)
    }
    unique.set(split, kept)
  }
  const conflicting = (row: RawRow): boolean => (answers.get(sameText(row.prompt))?.size ?? 0) > 1
  const result = new Map<string, readonly RawRow[]>()
  for (const [split, rows] of unique) {
    result.set(
      split,
      rows.filter((row) => {
        if (!conflicting(row)) return true
        const original = first.get(sameText(row.prompt))
        if (options.conflicts === 'first') {
          const same = original !== undefined && sameText(row.response) === sameText(original.response)
          if (same) return true
          ledger.removed(
            'conflict',
            row.place,
            `${row.prompt} → ${row.response}`,
            `${original?.response} (${original?.place})`,
          )
          return false
        }
        if (options.conflicts === 'drop') {
          ledger.removed('conflict', row.place, `${row.prompt} → ${row.response}`)
          return false
        }
        ledger.changed('conflict', row.place, `${row.prompt} → ${row.response}`, 'kept')
        return true
      }),
    )
  }
  return result
}

/** Either side counts, in characters of Unicode, without white space at its ends. */
function lengthRule(
  text: string,
  { min_chars: least = 0, max_chars: most = Infinity }: CleanOptions,
): string | null {
  // A character has at most two units, so most texts need not be counted.
  const units = text.trim().length
  if (units >= 2 * least && units <= most) return null
  const characters = Array.from(text.trim()).length
  return characters < least ? 'too_short' : characters > most ? 'too_long' : null
}

/**
 * Drops rows whose prompt nearly repeats another one's, over all splits: an earlier split stays. Rows with the same
 * prompt are one here; which of them stay has been decided.
 */
function dropNear(
  splits: ReadonlyMap<string, readonly RawRow[]>,
  ratio: number,
  ledger: Ledger,
): ReadonlyMap<string, readonly RawRow[]> {
  const prompts = new Map<string, { readonly row: RawRow; readonly rank: number; readonly index: number }>()
  for (const [rank, rows] of [...splits.values()].entries())
    for (const row of rows) {
      const key = sameText(row.prompt)
      if (!prompts.has(key)) prompts.set(key, { row, rank, index: prompts.size })
    }
  const first = [...prompts.values()]
  const repeats = nearDuplicates(
    first.map(({ row, rank }) => ({ text: row.prompt, rank })),
    ratio,
  )
  return new Map(
    [...splits].map(([split, rows]) => [
      split,
      rows.filter((row) => {
        const twin = first[repeats.get(prompts.get(sameText(row.prompt))?.index ?? -1) ?? -1]?.row
        if (twin === undefined) return true
        ledger.removed('near_duplicate', row.place, row.prompt, `${twin.prompt} (${twin.place})`)
        return false
      }),
    ]),
  )
}

function countRows(count: number): string {
  return count === 1 ? '1 row' : `${count} rows`
}
