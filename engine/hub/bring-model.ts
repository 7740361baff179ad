/** A listed model -> the folder that stages read: its files come from the shared cache or the hub, and appear at one go. */
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Tree, TreeFile } from '../artifact.ts'
import { digestText } from '../store/digest.ts'
import { flush } from '../store/flush.ts'
import { hashFiles } from '../store/hash-files.ts'
import { bringFiles } from './bring-files.ts'
import { inWords, notShared } from './fetching.ts'
import type { Fetching, Pinned } from './fetching.ts'
import { areLinksUnchanged, keepLooks, looksOf } from './links.ts'
import { isWeights } from './model-files.ts'
import { sharedFile, sharedSnapshot } from './shared-cache.ts'
import { isWhole, placesOf, smallTree } from './snapshot.ts'
import type { Places } from './snapshot.ts'
import { withRight } from './with-right.ts'

/** Whether the folder that stages read holds these files and no others, none changed since it was hashed. */
export function isHere(places: Places, tree: Tree): boolean {
  return (
    isWhole(places.whole, tree) &&
    readdirSync(places.whole).length === tree.files.length &&
    areLinksUnchanged(places, tree)
  )
}

/** Brings the whole model to where it is read. Does nothing where it lies there already. */
export async function bringModel(
  pinned: Pinned,
  tree: Tree,
  fetching: Fetching,
  signal: AbortSignal,
): Promise<void> {
  const places = placesOf(fetching.stateDir, pinned.repository, pinned.commit)
  if (isHere(places, tree)) return
  await withRight(pinned, fetching, signal, async () => {
    if (isHere(places, tree)) return
    await inWords(fetching, () => gather(pinned, tree, places, fetching, signal))
  })
}

async function gather(
  pinned: Pinned,
  tree: Tree,
  places: Places,
  fetching: Fetching,
  signal: AbortSignal,
): Promise<void> {
  const { settings } = fetching
  mkdirSync(places.fetching, { recursive: true })
  // Nobody knows any more what a link of a broken try led to.
  for (const entry of readdirSync(places.fetching, { withFileTypes: true }))
    if (entry.isSymbolicLink()) rmSync(join(places.fetching, entry.name))
  const weights = tree.files.filter(({ path }) => isWeights(path))
  for (const { path } of smallTree(tree).files) {
    const target = join(places.fetching, path)
    // What came before cannot be written: it is read-only.
    rmSync(target, { force: true })
    await copyFile(join(places.small, path), target)
  }
  if (!isWhole(places.fetching, tree) && !(await linkShared(weights, pinned, places, fetching))) {
    const wanted = weights.map(({ path, size, digest }) => ({
      ...{ path, size, gitSha1: '' },
      sha256: digest.slice('sha256:'.length),
    }))
    if (settings.offline) notShared(pinned, fetching)
    await bringFiles(wanted, pinned, places.fetching, fetching, signal)
  }
  const names = new Set(tree.files.map(({ path }) => path))
  for (const name of readdirSync(places.fetching))
    if (!names.has(name)) rmSync(join(places.fetching, name), { recursive: true, force: true })
  await flush([...smallTree(tree).files.map(({ path }) => join(places.fetching, path)), places.fetching])
  // Of an earlier one the bytes are gone: links into a cache that was cleared.
  rmSync(places.whole, { recursive: true, force: true })
  renameSync(places.fetching, places.whole)
  await flush([dirname(places.whole)])
}

/** All weights or none: a worker wants them in one real folder. */
async function linkShared(
  weights: readonly TreeFile[],
  { repository, commit }: Pinned,
  places: Places,
  { settings }: Fetching,
): Promise<boolean> {
  const snapshot = sharedSnapshot(settings.sharedCache, repository, commit)
  const found = weights.flatMap((file) => {
    const real = sharedFile(snapshot, file)
    const looks = real === null ? null : looksOf(real)
    return real === null || looks === null ? [] : [{ ...file, real, looks }]
  })
  if (found.length < weights.length) return false
  const other: number[] = []
  await hashFiles(
    found.map(({ real, size }) => ({ path: real, size })),
    (index, { digest }) => {
      if (digestText(digest) !== found[index]?.digest) other.push(index)
    },
  )
  if (other.length > 0) return false
  // Looked at before they were hashed, so that what is written meanwhile is another look.
  keepLooks(places, Object.fromEntries(found.map(({ path, looks }) => [path, looks])))
  for (const { path, real } of found) {
    rmSync(join(places.fetching, path), { force: true })
    symlinkSync(real, join(places.fetching, path))
  }
  return true
}
