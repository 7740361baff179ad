/** `sluice-export.json`: what an export says of itself, and whether its files still are what it says. */
import { lstatSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { Digest } from '../artifact.ts'
import { digestText } from '../store/digest.ts'
import { hashFiles } from '../store/hash-files.ts'

export interface RecordedFile {
  readonly path: string
  readonly size: number
  readonly digest: Digest
}

/** What the folder says of itself. */
export interface ExportRecord {
  readonly format: 1
  /** Whose export it is: another's is as foreign as any other file. */
  readonly owner: string
  readonly about: JsonObject
  readonly files: readonly RecordedFile[]
}

export const RECORD = 'sluice-export.json'
/** Null unless all that it names lies in the folder: a record may come from anywhere, and files are removed by it. */
export function recordIn(text: string): ExportRecord | null {
  try {
    const record = JSON.parse(text) as Partial<ExportRecord> | null
    if (record?.format !== 1 || !Array.isArray(record.files)) return null
    const paths = record.files.map((file: Partial<RecordedFile> | null) => file?.path)
    return paths.every(isBelow) ? (record as ExportRecord) : null
  } catch {
    return null
  }
}

function isBelow(path: unknown): boolean {
  if (typeof path !== 'string' || path === '' || isAbsolute(path)) return false
  return !path.split(/[\\/]/).includes('..')
}

/** Those of the files that do not hold what is recorded of them. */
export async function changedIn(folder: string, files: readonly RecordedFile[]): Promise<readonly string[]> {
  const changed = new Set<string>()
  const same = files.filter(({ path, size }) => {
    const stat = lstatSync(join(folder, path))
    if (!stat.isFile() || stat.size !== size) changed.add(path)
    return !changed.has(path)
  })
  await hashFiles(
    same.map(({ path, size }) => ({ path: join(folder, path), size })),
    (index, { digest }) => {
      const file = same[index]
      if (file !== undefined && digestText(digest) !== file.digest) changed.add(file.path)
    },
  )
  return files.flatMap(({ path }) => (changed.has(path) ? [path] : []))
}
