/** Weights that lie in another cache, where others may write: what they looked like when they were hashed. */
import { existsSync, lstatSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Tree } from '../artifact.ts'
import { writeAtomic } from '../store/atomic.ts'
import { isWeights } from './model-files.ts'
import type { Places } from './snapshot.ts'

type Looks = Readonly<Record<string, string>>

/** What would be another one for every write and every replacement; null if there is nothing. */
export function looksOf(path: string): string | null {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined) return null
  return [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ')
}

export function keepLooks({ links }: Places, looks: Looks): void {
  writeAtomic(links, `${JSON.stringify({ format: 1, looks }, null, 1)}\n`)
}

/** False if a linked file is not the one that was hashed. One that is gone is not another one. */
export function areLinksUnchanged({ whole, links }: Places, { files }: Pick<Tree, 'files'>): boolean {
  const linked = files.filter(
    ({ path }) =>
      isWeights(path) && lstatSync(join(whole, path), { throwIfNoEntry: false })?.isSymbolicLink(),
  )
  if (linked.length === 0) return true
  const hashed = looksIn(links)
  return linked.every(({ path }) => [null, hashed[path]].includes(looksOf(join(whole, path))))
}

function looksIn(path: string): Looks {
  if (!existsSync(path)) return {}
  try {
    const { format, looks } = JSON.parse(readFileSync(path, 'utf8')) as { format: number; looks: Looks }
    return format === 1 ? looks : {}
  } catch {
    // Torn by the loss of power: they are hashed again.
    return {}
  }
}
