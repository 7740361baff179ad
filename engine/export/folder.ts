/**
 * A folder that other programs read: written beside its place, then moved there as a whole. What an export did not write
 * is never overwritten and never removed. `sluice-export.json` in it says which files are the export's own.
 */
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { basename, dirname, join, relative } from 'node:path'
import { digestOf } from '../artifact.ts'
import type { Digest } from '../artifact.ts'
import { reach } from '../failpoint.ts'
import { flush } from '../store/flush.ts'
import { changedIn, RECORD, recordIn } from './record.ts'
import type { ExportRecord, RecordedFile } from './record.ts'

/** A file to write: its text, or a file of the store to copy. */
export type Content =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly from: string; readonly digest: Digest; readonly size: number }

export type Placed =
  | {
      readonly type: 'written' | 'unchanged'
      readonly files: number
      readonly bytes: number
      readonly note: string | null
    }
  | { readonly type: 'refused'; readonly message: string; readonly help: string }

/** What to do if the store has lost something. */
export const VERIFY = 'sluice cache verify --full, then sluice run makes it again'

/** One at a time for a folder. `owner` is whose export it is, `about` what its record says of it. */
export async function placeFolder(
  to: string,
  contents: readonly Content[],
  { owner, about }: Pick<ExportRecord, 'owner' | 'about'>,
): Promise<Placed> {
  const files = contents
    .map((content): RecordedFile => {
      const { path } = content
      if ('from' in content) return { path, size: content.size, digest: content.digest }
      return { path, size: Buffer.byteLength(content.text), digest: digestOf(content.text) }
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  const record: ExportRecord = { format: 1, owner, about, files }
  const text = `${JSON.stringify(record, null, 2)}\n`
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  const kept = await finishLastTime(to)
  const there = await lookAt(to, owner)
  if (there.type === 'foreign') return { type: 'refused', ...there.words }
  const counts = { files: files.length + 1, bytes, note: kept }
  if (there.type === 'ours' && there.text === text) return { type: 'unchanged', ...counts }
  const draft = besides(to, `new-${randomUUID().slice(0, 8)}`)
  try {
    mkdirSync(draft, { recursive: true })
    for (const content of contents) await write(draft, content)
    await write(draft, { path: RECORD, text })
    // The record is believed later: what it says is true of the very files that are handed out.
    const [damaged] = await changedIn(draft, files)
    if (damaged !== undefined) {
      rmSync(draft, { recursive: true, force: true })
      return { type: 'refused', message: `${damaged} is damaged in the store`, help: VERIFY }
    }
    await flush(foldersIn(draft))
    reach('export-drafted')
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw error
  }
  if (there.type === 'ours') {
    renameSync(to, besides(to, 'old'))
    reach('export-set-aside')
  }
  renameSync(draft, to)
  await flush([dirname(to)])
  reach('export-placed')
  const left = there.type === 'ours' ? await removeOwn(besides(to, 'old'), to) : null
  return { type: 'written', ...counts, note: left ?? kept }
}

async function write(folder: string, content: Content): Promise<void> {
  const target = join(folder, content.path)
  mkdirSync(dirname(target), { recursive: true })
  // Never a link: people may edit an export, and the store must not notice.
  if ('from' in content) await copyFile(content.from, target, constants.COPYFILE_FICLONE)
  else writeFileSync(target, content.text)
  chmodSync(target, 0o644)
  const fd = openSync(target, 'r')
  fsyncSync(fd)
  closeSync(fd)
}

/** `.NAME.sluice-WHAT` in the same folder, so that a rename is enough. */
function besides(to: string, what: string): string {
  return join(dirname(to), `.${basename(to)}.sluice-${what}`)
}

/** A kill between two renames leaves the old export aside: it comes back, and the new one is written again. */
async function finishLastTime(to: string): Promise<string | null> {
  const folder = dirname(to)
  mkdirSync(folder, { recursive: true })
  const old = besides(to, 'old')
  const isWhole = existsSync(to)
  const kept = existsSync(old) && isWhole ? await removeOwn(old, to) : null
  if (existsSync(old) && !isWhole) renameSync(old, to)
  const drafts = `.${basename(to)}.sluice-new-`
  for (const name of readdirSync(folder))
    if (name.startsWith(drafts)) rmSync(join(folder, name), { recursive: true, force: true })
  return kept
}

type There =
  | { readonly type: 'nothing' }
  | { readonly type: 'ours'; readonly text: string }
  | { readonly type: 'foreign'; readonly words: { readonly message: string; readonly help: string } }

/** What stands at the place. Ours is only what holds the files of its record, all of them as they were written. */
async function lookAt(to: string, owner: string): Promise<There> {
  const stat = lstatSync(to, { throwIfNoEntry: false })
  if (stat === undefined) return { type: 'nothing' }
  if (!stat.isDirectory()) return foreign(`${basename(to)} is there already, and is no folder`)
  const names = filesIn(to)
  if (names.length === 0)
    return readdirSync(to).length === 0
      ? { type: 'nothing' }
      : foreign('it holds folders that no export made')
  const text = names.includes(RECORD) ? readFileSync(join(to, RECORD), 'utf8') : null
  const record = text === null ? null : recordIn(text)
  if (text === null || record === null)
    return foreign(`it holds files that no export wrote: ${names.slice(0, 3).join(', ')}`)
  if (record.owner !== owner) return foreign(`it holds the export of ${record.owner}`)
  const known = new Map(record.files.map((file) => [file.path, file]))
  for (const name of names) {
    if (name === RECORD) continue
    const file = known.get(name)
    if (file === undefined) return foreign(`it holds a file that no export wrote: ${name}`)
    known.delete(name)
  }
  const written = record.files.filter(({ path }) => !known.has(path))
  const [changed] = await changedIn(to, written)
  if (changed !== undefined) return foreign(`${changed} was changed after it was exported`)
  // A file of ours that somebody removed is no loss: it is written again.
  return { type: 'ours', text: known.size === 0 ? text : '' }
}

function foreign(why: string): There {
  return {
    type: 'foreign',
    words: { message: why, help: 'nothing was overwritten; move it away, or name another folder' },
  }
}

/** Files and whatever else is no folder, as paths below it. */
function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
}

function foldersIn(folder: string): readonly string[] {
  const inside = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )
  return [...inside.map((entry) => join(entry.parentPath, entry.name)), folder]
}

/** Removes an export that another took the place of. What somebody changed in it meanwhile is kept, and that is said. */
async function removeOwn(folder: string, to: string): Promise<string | null> {
  const path = join(folder, RECORD)
  const record = existsSync(path) ? recordIn(readFileSync(path, 'utf8')) : null
  const names = new Set(filesIn(folder))
  const own = (record?.files ?? []).filter((file) => names.has(file.path))
  const changed = new Set(await changedIn(folder, own))
  for (const file of own) if (!changed.has(file.path)) rmSync(join(folder, file.path), { force: true })
  // The record goes last: a kill on the way leaves what the next run needs to go on.
  const left = filesIn(folder).filter((name) => name !== RECORD)
  if (left.length > 0) {
    const kept = `${to}.kept-${randomUUID().slice(0, 8)}`
    renameSync(folder, kept)
    return `files that no export wrote, or that were changed, are kept in ${kept}`
  }
  rmSync(path, { force: true })
  for (const each of [...foldersIn(folder)].sort((a, b) => b.length - a.length)) rmdirSync(each)
  return null
}
