/** The cache that transformers and other tools share: what they have fetched need not be fetched again. */
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { hashFiles } from '../store/hash-files.ts'
import { digestText } from '../store/digest.ts'
import type { TreeFile } from '../artifact.ts'
import { INDEX, isWeights, lacks, modelFiles } from './model-files.ts'
import { commitIn, folderName } from './snapshot.ts'
import { readFileSync } from 'node:fs'

/** A commit of a repository as the shared cache has it: perhaps all of it, perhaps one file. */
export function sharedSnapshot(cache: string, repository: string, commit: string): string {
  return join(cache, folderName(repository), 'snapshots', commit)
}

export function sharedCommit(cache: string, repository: string, revision: string): string | null {
  return commitIn(join(cache, folderName(repository), 'refs', revision))
}

/** The real file behind a name in the snapshot; null if it is not there at that length. */
export function sharedFile(snapshot: string, { path, size }: { path: string; size: number }): string | null {
  try {
    const real = realpathSync(join(snapshot, path))
    const stat = statSync(real)
    return stat.isFile() && stat.size === size ? real : null
  } catch {
    return null
  }
}

/**
 * The model's files by content as far as the cache alone can tell: null unless configuration, tokenizer and all
 * weights are there. What other tools did not want, and so did not fetch, nobody misses without the hub's own list.
 */
export async function sharedListing(snapshot: string): Promise<readonly TreeFile[] | null> {
  const names = namesIn(snapshot)
  const files = modelFiles(names.map((path) => ({ path })))
  if (lacks(files) !== null) return null
  if (!names.some((name) => /^(tokenizer|vocab|spiece)\./.test(name))) return null
  if (!shardsOf(snapshot, names).every((name) => names.includes(name))) return null
  const listed: TreeFile[] = []
  const sized = files.map(({ path }) => {
    const real = realpathSync(join(snapshot, path))
    return { name: path, path: real, size: statSync(real).size }
  })
  await hashFiles(sized, (index, { digest }) => {
    const file = sized[index]
    if (file !== undefined) listed.push({ path: file.name, size: file.size, digest: digestText(digest) })
  })
  // A blob is named by its content, so that one which was damaged is found out.
  const damaged = listed.some(({ path, digest }) => {
    const named = /[0-9a-f]{64}$/.exec(realpathSync(join(snapshot, path)))?.[0]
    return named !== undefined && digest !== `sha256:${named}`
  })
  return damaged ? null : listed
}

function shardsOf(snapshot: string, names: readonly string[]): readonly string[] {
  if (!names.includes(INDEX) || names.includes('model.safetensors')) return []
  const index = JSON.parse(readFileSync(join(snapshot, INDEX), 'utf8')) as {
    weight_map?: Readonly<Record<string, string>>
  }
  return [...new Set(Object.values(index.weight_map ?? {}))].filter(isWeights)
}

/** Links that lead nowhere are left out. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) =>
      statSync(join(folder, name), { throwIfNoEntry: false })?.isFile(),
    )
  } catch {
    return []
  }
}
