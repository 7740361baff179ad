/** Commits of models that no lock names and nobody has fetched lately -> what could go. They can be fetched again. */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isCommit } from '../../dsl/hub-address.ts'

/** A first run that has not come to its end yet has no lock. */
const FRESH_MS = 7 * 24 * 3_600_000

export function hubGarbage(
  stateDir: string,
  named: ReadonlySet<string>,
  now: number,
): readonly { readonly path: string; readonly bytes: number }[] {
  const commits = entriesIn(join(stateDir, 'hub')).flatMap((repository) =>
    entriesIn(repository).filter((path) => isCommit(path.slice(repository.length + 1))),
  )
  return commits.flatMap((path) => {
    const { bytes, changedMs } = measure(path)
    const isNamed = named.has(path.slice(path.lastIndexOf('/') + 1))
    return isNamed || changedMs >= now - FRESH_MS ? [] : [{ path, bytes }]
  })
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
