/** How a source looked at another time: by the print that a run kept here, else by the files that git has. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Digest } from '../engine/artifact.ts'
import { digestOf } from '../engine/artifact.ts'
import type { Planned } from '../engine/plan/plan.ts'
import { sourceChanges } from '../engine/plan/source-changes.ts'
import type { FileChange } from '../engine/plan/source-changes.ts'
import { marksOf, printOf, readPrint } from '../engine/plan/source-print.ts'
import type { SourcePrint } from '../engine/plan/source-print.ts'
import { filesAt, namesAt } from './git.ts'
import type { Opened } from './project.ts'

/** A changed row with its texts, as far as somebody still has them. */
export interface ShownRow {
  readonly path: string
  /** Line in the new file; in the old one if it is gone. */
  readonly line: number
  readonly type: 'added' | 'removed' | 'changed'
  readonly before: string | null
  readonly after: string | null
}

export interface SourceHistory {
  readonly files: readonly FileChange[]
  readonly rows: readonly ShownRow[]
}

/** So many rows are shown of a source. */
const MOST_ROWS = 5

/**
 * How a source came from one content to what it is now; null if nobody knows the old one.
 *
 * @param commit where git may have the old files
 */
export async function sourceHistory(
  opened: Opened,
  name: string,
  before: Digest,
  commit: string | null,
): Promise<SourceHistory | null> {
  const { root, stores, environment } = opened
  const found = opened.sources[name]
  const source = opened.pipeline.sources[name]
  // On a hub a commit says more than any list of files.
  if (found === undefined || source === undefined || found.hub !== undefined) return null
  const after = await printOf(source, found, root, stores.stats)
  if (after === null) return null
  const kept = readPrint(environment.stateDir, before)
  const asked = kept === null ? pathsThen(opened, name, after, commit) : pathsOf(kept)
  const texts = commit === null ? new Map<string, string>() : filesAt(root, commit, asked)
  const old = kept ?? (texts.size === 0 ? null : printOfTexts(texts))
  if (old === null) return null
  const files = sourceChanges(old, after)
  return { files, rows: shownRows(files, root, old, texts) }
}

/** The same for a reason to run: what happened to a source that the stage reads; null for any other reason. */
export async function historyBehind(
  opened: Opened,
  { stage }: Planned,
  { ingredient, before }: { readonly ingredient: string; readonly before: string | null },
): Promise<SourceHistory | null> {
  const from = stage.inputs[ingredient.replace(/^input\./, '')]
  if (!ingredient.startsWith('input.') || from?.type !== 'source' || before === null) return null
  return await sourceHistory(opened, from.source, JSON.parse(before) as Digest, null)
}

const pathsOf = ({ files }: SourcePrint) => files.map(({ path }) => path)

/** The present files, and what else git had then below a source that is a folder. */
function pathsThen(
  { root, pipeline }: Opened,
  name: string,
  after: SourcePrint,
  commit: string | null,
): readonly string[] {
  const from = pipeline.sources[name]?.from ?? []
  const folders = [typeof from === 'string' ? from : Object.values(from)]
    .flat()
    .filter((path) => statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() === true)
  const there = commit === null || folders.length === 0 ? [] : namesAt(root, commit, folders)
  return [...new Set([...pathsOf(after), ...there])]
}

function printOfTexts(texts: ReadonlyMap<string, string>): SourcePrint {
  const files = [...texts].map(([path, text]) => ({ path, digest: digestOf(text), rows: marksOf(text) }))
  return { format: 1, files }
}

function shownRows(
  files: readonly FileChange[],
  root: string,
  old: SourcePrint,
  texts: ReadonlyMap<string, string>,
): readonly ShownRow[] {
  const rows: ShownRow[] = []
  for (const { path, rows: changed } of files) {
    if (changed === null || rows.length === MOST_ROWS) continue
    const after = readFileSync(join(root, path), 'utf8').split('\n')
    const text = texts.get(path)
    // Git may have another version than the one that was read then.
    const same = text !== undefined && digestOf(text) === old.files.find((file) => file.path === path)?.digest
    const before = same ? text.split('\n') : null
    for (const change of changed.slice(0, MOST_ROWS - rows.length)) {
      const type = change.before === null ? 'added' : change.after === null ? 'removed' : 'changed'
      rows.push({
        path,
        line: change.after ?? change.before ?? 0,
        type,
        before: change.before === null ? null : (before?.[change.before - 1] ?? null),
        after: change.after === null ? null : (after[change.after - 1] ?? null),
      })
    }
  }
  return rows
}
