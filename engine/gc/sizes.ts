/** How much lies where in the state folder. */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The store first: what `out/` and others only show of it is counted there. */
const FIRST = 'cas'

/** Folder of the state folder -> its bytes; bytes with several names are counted once. */
export function stateSizes(stateDir: string): ReadonlyMap<string, number> {
  if (!existsSync(stateDir)) return new Map()
  const seen = new Set<string>()
  const names = readdirSync(stateDir).sort((a, b) => Number(b === FIRST) - Number(a === FIRST))
  return new Map(names.map((name) => [name, bytesIn(join(stateDir, name), seen)]))
}

/** Bytes of a file, or of all files below a folder; `seen` holds those that are counted already. */
export function bytesIn(path: string, seen = new Set<string>()): number {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return 0
  if (stat.isDirectory()) {
    return namesIn(path).reduce((sum, name) => sum + bytesIn(join(path, name), seen), 0)
  }
  const inode = `${String(stat.dev)} ${String(stat.ino)}`
  if (stat.nlink > 1 && seen.has(inode)) return 0
  seen.add(inode)
  return stat.size
}

/** A run may remove a folder while we look. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
