/** Folders in which attempts work, each with its owner on record, so that what the dead left can be swept. */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Digest } from '../artifact.ts'
import { writeAtomic } from '../store/atomic.ts'
import { isAlive, thisProcess } from './owner.ts'
import type { Owner } from './owner.ts'

/** Folder beside the staged attempts: who owns which. */
const OWNERS = 'owners'

/** A folder of its own for one attempt at a key. */
export function placeFor(
  stateDir: string,
  key: Digest,
): { readonly dir: string; readonly open: () => void; readonly close: () => void } {
  const id = randomUUID()
  const dir = join(stateDir, 'staging', key.slice('sha256:'.length), id)
  const owner = join(stateDir, 'staging', OWNERS, `${id}.json`)
  return {
    dir,
    open: () => {
      // Before the folder, so that a folder without an owner is always a dead one's.
      writeAtomic(owner, JSON.stringify(thisProcess()))
      mkdirSync(dir, { recursive: true })
    },
    close: () => {
      try {
        rmSync(dir, { recursive: true, force: true })
        rmSync(owner, { force: true })
        rmdirSync(dirname(dir))
      } catch {
        // Another attempt at the key is under way, or the disk is read-only: the next start sweeps what stays.
      }
    },
  }
}

/** Removes staging folders whose owner died; those of living runs stay. */
export function sweepStaging(stateDir: string): void {
  const root = join(stateDir, 'staging')
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) return
  const alive = new Set<string>()
  const owners = join(root, OWNERS)
  const records = existsSync(owners) ? readdirSync(owners).filter((name) => name.endsWith('.json')) : []
  // Folders first: an attempt that begins meanwhile has its record before its folder.
  const keys = readdirSync(root, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && entry.name !== OWNERS,
  )
  const folders = keys.flatMap(({ name: key }) => readdirSync(join(root, key)).map((id) => ({ key, id })))
  for (const record of existsSync(owners) ? readdirSync(owners) : []) {
    if (!record.endsWith('.json')) continue
    if (ownerLives(join(owners, record))) alive.add(record.slice(0, -'.json'.length))
  }
  for (const { key, id } of folders) {
    if (alive.has(id)) continue
    rmSync(join(root, key, id), { recursive: true, force: true })
    rmSync(join(owners, `${id}.json`), { force: true })
  }
  for (const { name: key } of keys) {
    try {
      rmdirSync(join(root, key))
    } catch {
      // A living run has something in it.
    }
  }
  // Records of the dead whose folder was never made.
  for (const record of records)
    if (!alive.has(record.slice(0, -'.json'.length))) rmSync(join(owners, record), { force: true })
}

function ownerLives(record: string): boolean {
  try {
    return isAlive(JSON.parse(readFileSync(record, 'utf8')) as Owner)
  } catch {
    // Gone meanwhile, so its attempt has ended.
    return false
  }
}
