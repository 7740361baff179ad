/** What nobody names any more -> freed. Records go before their bytes, so that a kill leaves bytes without a record at worst. */
import { existsSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { join } from 'node:path'
import type { Digest } from '../artifact.ts'
import type { Stores } from '../environment.ts'
import { hubGarbage, removeCommit } from '../hub/garbage.ts'
import { checkpointsIn } from '../run/checkpoints.ts'
import type { StoredObject } from '../store/blobs.ts'
import type { Roots } from './roots.ts'
import { oldRunLogs } from './run-logs.ts'

/** Notes that cost little to make again go when nobody has used them for so long. */
const NOTES_MS = 30 * 24 * 3_600_000
const NOTES = ['compiled', 'sources', 'stat', join('results', 'quarantine'), join('cas', 'quarantine')]
/** Checkpoints of a key that nobody has finished or gone on with. */
const CHECKPOINTS_MS = 7 * 24 * 3_600_000

export interface Garbage {
  readonly records: readonly { readonly key: Digest; readonly path: string; readonly kind: string }[]
  readonly objects: readonly StoredObject[]
  /** Files and folders beside the store. */
  readonly others: readonly { readonly path: string; readonly bytes: number }[]
  /** Commits of models on a hub. */
  readonly models: readonly { readonly path: string; readonly bytes: number }[]
  /** Bytes that the disk gets back: what is still shown under `out/` is not among them. */
  readonly freed: number
  readonly kept: { readonly records: number; readonly bytes: number }
}

export interface Collecting {
  readonly stateDir: string
  readonly stores: Stores
  readonly roots: Roots
  /** Nothing that is younger goes: somebody may be about to name it. */
  readonly since: number
  readonly now: number
}

/** Looks only. */
export function findGarbage({ stateDir, stores, roots, since, now }: Collecting): Garbage {
  const records: { key: Digest; path: string; kind: string }[] = []
  const live = new Set<Digest>()
  const keep = (tree: Digest): void => {
    live.add(tree)
    for (const file of stores.blobs.filesOf(tree) ?? []) live.add(file.digest)
  }
  let keptRecords = 0
  for (const { key, path, writtenMs } of stores.results.records()) {
    const result = stores.results.read(key)
    if (roots.keys.has(key) || writtenMs >= since) {
      keptRecords += 1
      for (const { tree } of Object.values(result?.outputs ?? {})) keep(tree)
    } else records.push({ key, path, kind: kindOf(result?.manifest['kind']) })
  }
  for (const tree of roots.trees) keep(tree)
  const objects: StoredObject[] = []
  const forgotten = checkpointsIn(stateDir).filter(({ at }) => at < now - CHECKPOINTS_MS)
  const others = [
    ...notes(stateDir, now),
    ...forgotten.map(({ path, bytes }) => ({ path, bytes })),
    ...oldRunLogs(stateDir, roots.runs, since),
  ]
  const models = hubGarbage(stateDir, roots.commits, since)
  let keptBytes = 0
  for (const object of stores.blobs.objects()) {
    if (object.digest === null) {
      if (object.changedMs < since) others.push({ path: object.path, bytes: sizeOf(object.path) })
    } else if (live.has(object.digest) || object.changedMs >= since) keptBytes += object.size
    else objects.push(object)
  }
  const freed =
    objects.reduce((sum, { size, links }) => sum + (links === 1 ? size : 0), 0) +
    [...others, ...models].reduce((sum, { bytes }) => sum + bytes, 0)
  return { records, objects, others, models, freed, kept: { records: keptRecords, bytes: keptBytes } }
}

/**
 * Frees it. Runs may be under way: a record is first taken out of their sight, then `namedNow` is asked once more; a
 * run that had found it before has touched it, and the record comes back with its bytes untouched.
 */
export function collect(garbage: Garbage, collecting: Collecting, namedNow: () => Roots): void {
  const { stateDir, since } = collecting
  const isUsed = (path: string): boolean => (statOf(path)?.mtimeMs ?? 0) >= since
  // Those of a collection that was killed come back first, and are looked at again.
  for (const path of goingIn(stateDir)) renameSync(path, path.slice(0, -GOING.length))
  for (const { path } of garbage.records) if (existsSync(path)) renameSync(path, path + GOING)
  const named = namedNow()
  for (const { key, path } of garbage.records)
    if (existsSync(path + GOING) && (named.keys.has(key) || isUsed(path + GOING)))
      renameSync(path + GOING, path)
  const still = findGarbage({ ...collecting, roots: named })
  for (const path of [...still.records.map((record) => record.path), ...goingIn(stateDir)])
    rmSync(path, { force: true })
  // Somebody may have touched one since it was listed.
  for (const { path } of still.objects)
    if ((statOf(path)?.ctimeMs ?? since) < since) rmSync(path, { force: true })
  for (const { path } of still.others) rmSync(path, { recursive: true, force: true })
  for (const { path } of still.models) removeCommit(path)
}

/** Of a record that is about to be removed. */
const GOING = '.going'

function goingIn(stateDir: string): readonly string[] {
  return entriesIn(join(stateDir, 'results')).filter((path) => path.endsWith(GOING))
}

/** Null if it went meanwhile: runs may be under way. */
function statOf(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null
}

function kindOf(json: string | undefined): string {
  try {
    return String(JSON.parse(json ?? '"damaged"'))
  } catch {
    return 'damaged'
  }
}

function notes(stateDir: string, now: number): { path: string; bytes: number }[] {
  return NOTES.flatMap((folder) =>
    entriesIn(join(stateDir, folder)).flatMap((path) => {
      const stat = statOf(path)
      if (stat === null) return []
      // A rename keeps the other two times, so only this one says since when something is put aside.
      const usedMs = folder.endsWith('quarantine') ? stat.ctimeMs : Math.max(stat.atimeMs, stat.mtimeMs)
      return usedMs < now - NOTES_MS ? [{ path, bytes: stat.size }] : []
    }),
  )
}

function entriesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}

function sizeOf(path: string): number {
  return statOf(path)?.size ?? 0
}
