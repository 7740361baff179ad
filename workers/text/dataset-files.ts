/** Writes dataset directories: one JSON Lines file per split and `dataset.json` about them. */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JsonObject } from '../protocol/json.ts'

/** What a row says of itself besides prompt and response, such as its section or topic; never a name of `Row`. */
export type Fields = Readonly<Record<string, string | number | boolean>>

export interface Row {
  readonly id: string
  readonly prompt: string
  readonly response: string
  readonly fields: Fields
}

/** Writes `<split>.jsonl` for every split, and `dataset.json` with row counts and `about` (which must not say `splits`). */
export async function writeDataset(
  dir: string,
  splits: ReadonlyMap<string, readonly Row[]>,
  about: JsonObject,
): Promise<void> {
  const counts = Object.fromEntries([...splits].map(([split, rows]) => [split, { rows: rows.length }]))
  for (const [split, rows] of splits) await writeRows(join(dir, `${split}.jsonl`), rows)
  const manifest = { format: 1, splits: counts, ...about }
  await writeFile(join(dir, 'dataset.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

export async function writeRows(path: string, rows: readonly Row[]): Promise<void> {
  const line = ({ id, prompt, response, fields }: Row): string =>
    `${JSON.stringify({ id, prompt, response, ...fields })}\n`
  await writeFile(path, rows.map(line).join(''))
}

/**
 * Names rows by what they say, so that an id survives reordering: 12 hex digits of a SHA-256 of the question's key,
 * the response, and a number that is above zero only for the second and later rows that say the same.
 */
export function rowNamer(): (key: string, response: string) => string {
  const seen = new Map<string, number>()
  return (key, response) => {
    const text = `${key}\0${response}`
    const occurrence = seen.get(text) ?? 0
    seen.set(text, occurrence + 1)
    return createHash('sha256').update(`${text}\0${occurrence}`).digest('hex').slice(0, 12)
  }
}
