/** What a source looked like, small enough to keep: its files by digest, and of files of rows a mark for each row. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Pipeline, PipelineSource } from '../../dsl/pipeline.ts'
import type { Digest } from '../artifact.ts'
import type { Environment, FoundSource, Stores } from '../environment.ts'
import { writeAtomic } from '../store/atomic.ts'
import type { StatCache } from '../store/stat-cache.ts'
import { sourceTree } from './sources.ts'

export interface PrintedFile {
  /** Relative to the project's root. */
  readonly path: string
  readonly digest: Digest
  /** A mark for each line in its order, blank ones included; absent for a file that does not hold rows, or is too long. */
  readonly rows?: readonly string[]
}

export interface SourcePrint {
  readonly format: 1
  readonly files: readonly PrintedFile[]
}

const ROW_FILES = /\.(jsonl|ndjson|csv|tsv|txt)$/
/** Rows are marked in so many bytes of a source; files beyond are compared as a whole. */
const MOST_BYTES = 32 << 20
/** A source of more files keeps no print. */
const MOST_FILES = 10_000
/** Enough that two rows of a source never share a mark by chance. */
const MARK_LENGTH = 12

/** The marks of a text's lines; the last line break ends a line and begins none. */
export function marksOf(text: string): readonly string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line) => createHash('sha256').update(line).digest('base64').slice(0, MARK_LENGTH))
}

/** How a source looks now; null if it has too many files. */
export async function printOf(
  source: PipelineSource,
  { dir, count }: FoundSource,
  root: string,
  stats: StatCache,
): Promise<SourcePrint | null> {
  if (count > MOST_FILES) return null
  const { files } = await sourceTree(source, root, stats)
  let left = MOST_BYTES
  const printed = files.map(({ path: name, digest, size }): PrintedFile => {
    const path = join(dir, name)
    const shown = relative(root, path).replaceAll('\\', '/')
    const readable = ROW_FILES.test(name) && size <= left
    if (readable) left -= size
    return { path: shown, digest, ...(readable ? { rows: marksOf(readFileSync(path, 'utf8')) } : {}) }
  })
  return { format: 1, files: printed }
}

/** The print of the source that had this digest; null if no run here saw it. */
export function readPrint(stateDir: string, digest: Digest): SourcePrint | null {
  const path = pathOf(stateDir, digest)
  if (!existsSync(path)) return null
  try {
    const print = JSON.parse(readFileSync(path, 'utf8')) as SourcePrint
    return (print.format as number) === 1 ? print : null
  } catch {
    return null
  }
}

/** Keeps what the sources look like, once for each content that they had. */
export async function keepPrints(
  { sources }: Pipeline,
  found: Readonly<Record<string, FoundSource>>,
  { stateDir, root }: Environment,
  { stats }: Stores,
): Promise<void> {
  for (const [name, source] of Object.entries(sources)) {
    const now = found[name]
    // What nobody edits lies in the store or on a hub, and is not looked for at the source's place.
    if (now?.isUnchanged === undefined || now.hub !== undefined || existsSync(pathOf(stateDir, now.digest)))
      continue
    const print = await printOf(source, now, root, stats)
    if (print !== null) writeAtomic(pathOf(stateDir, now.digest), JSON.stringify(print))
  }
}

function pathOf(stateDir: string, digest: Digest): string {
  return join(stateDir, 'sources', `${digest.slice('sha256:'.length)}.json`)
}
