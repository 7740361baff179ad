/** Commits of models that no lock names and nobody has used lately -> what could go. They can be fetched again. */
import { existsSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isCommit } from '../../dsl/hub-address.ts'

/** A first run that has not come to its end yet has no lock. */
const FRESH_MS = 7 * 24 * 3_600_000

/** Of a commit that is being removed: under this name nobody takes what is left for a model. */
const GOING = '.going'

/** `since`: the oldest run under way has touched what it uses after that. */
export function hubGarbage(
  stateDir: string,
  named: ReadonlySet<string>,
  since: number,
): readonly { readonly path: string; readonly bytes: number }[] {
  const commits = entriesIn(join(stateDir, 'hub')).flatMap((repository) =>
    entriesIn(repository).filter((path) => isCommit(nameOf(path)) || path.endsWith(GOING)),
  )
  return commits.flatMap((path) => {
    const { bytes, changedMs } = measure(path)
    const isUsed = named.has(nameOf(path)) || changedMs >= since - FRESH_MS
    return isUsed && !path.endsWith(GOING) ? [] : [{ path, bytes }]
  })
}

/** Killed on the way, it leaves nothing that looks like a model, and the next time ends it. */
export function removeCommit(path: string): void {
  const going = path.endsWith(GOING) ? path : path + GOING
  if (going !== path) {
    rmSync(going, { recursive: true, force: true })
    if (existsSync(path)) renameSync(path, going)
  }
  rmSync(going, { recursive: true, force: true })
}

/** A link into another cache is counted as a link. */
function measure(path: string): { bytes: number; changedMs: number } {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return { bytes: 0, changedMs: 0 }
  let [bytes, changedMs] = [stat.isDirectory() ? 0 : stat.size, stat.mtimeMs]
  for (const entry of stat.isDirectory() ? entriesIn(path) : []) {
    const inside = measure(entry)
    bytes += inside.bytes
    changedMs = Math.max(changedMs, inside.changedMs)
  }
  return { bytes, changedMs }
}

function entriesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
