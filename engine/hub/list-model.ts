/** A commit -> what a model it holds, by content: configuration and tokenizer come along, weights do not. */
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { treeOf } from '../artifact.ts'
import type { Digest, Tree, TreeFile } from '../artifact.ts'
import { Patience } from '../remote/patience.ts'
import { RemoteTrouble } from '../remote/transport.ts'
import { hashFile } from '../store/digest.ts'
import { flush } from '../store/flush.ts'
import { filesOf } from './api.ts'
import type { HubFile } from './api.ts'
import { bringFiles } from './bring-files.ts'
import { inWords, notShared } from './fetching.ts'
import type { Fetching, Pinned } from './fetching.ts'
import { isWeights, lacks, modelFiles } from './model-files.ts'
import { sharedListing, sharedSnapshot } from './shared-cache.ts'
import { placesOf, readListing, smallTree, writeListing } from './snapshot.ts'
import type { Places } from './snapshot.ts'
import { HubTrouble } from './trouble.ts'
import { withRight } from './with-right.ts'

export interface Expected {
  /** What the lock says that the commit holds; null where none does. */
  readonly digest: Digest | null
  /** The hub is asked although the answer of an earlier time may lie here. */
  readonly anew?: boolean
}

/** Finds out what is in a commit; brings configuration and tokenizer, and no weights. */
export async function listModel(
  pinned: Pinned,
  { digest, anew = false }: Expected,
  fetching: Fetching,
  signal: AbortSignal,
): Promise<Tree> {
  const places = placesOf(fetching.stateDir, pinned.repository, pinned.commit)
  const known = () => (anew && !fetching.settings.offline ? null : readListing(places, digest))
  const tree =
    known() ??
    (await withRight(pinned, fetching, signal, async () => {
      const list = () => listedHere(pinned, digest, places, fetching, signal)
      return known() ?? treeOf(await inWords(fetching, list))
    }))
  if (digest === null || tree.digest === digest) return tree
  throw new HubTrouble(
    'request',
    `${pinned.repository} at ${pinned.commit.slice(0, 8)} does not hold what the lock says`,
    'sluice lock --update takes what the hub has now',
  )
}

async function listedHere(
  pinned: Pinned,
  digest: Digest | null,
  places: Places,
  fetching: Fetching,
  signal: AbortSignal,
): Promise<readonly TreeFile[]> {
  const { settings, pause } = fetching
  mkdirSync(places.fetching, { recursive: true })
  const shared = () => fromShared(pinned, digest, places, fetching)
  if (settings.offline) return (await shared()) ?? notShared(pinned, fetching)
  const ask = () => filesOf(settings, pinned.repository, pinned.commit, signal)
  let all: readonly HubFile[]
  try {
    all = await new Patience(pause).ask(ask, signal)
  } catch (error) {
    // The commit is known, and what it holds may lie here: then nobody has to be asked.
    const here =
      error instanceof RemoteTrouble ? (readListing(places, digest)?.files ?? (await shared())) : null
    if (here === null) throw error
    return here
  }
  const files = modelFiles(all)
  const lack = lacks(files)
  if (lack !== null)
    throw new HubTrouble(
      'request',
      `${pinned.repository} ${lack}`,
      'take a repository in the layout of transformers; other forms have to be converted by hand (save_pretrained), and the folder named as the source',
    )
  await bringFiles(
    files.filter(({ path }) => !isWeights(path)),
    pinned,
    places.fetching,
    fetching,
    signal,
  )
  await fetching.check(places.fetching)
  // Only git's name of it is known, which is no part of a key.
  await bringFiles(
    files.filter(({ sha256 }) => sha256 === null),
    pinned,
    places.fetching,
    fetching,
    signal,
  )
  const listed = files.map(({ path, size, sha256 }) => ({
    path,
    size,
    digest: sha256 === null ? hashFile(join(places.fetching, path)) : (`sha256:${sha256}` as Digest),
  }))
  await keepSmall(listed, places.fetching, places)
  writeListing(places, listed)
  return listed
}

/**
 * The shared cache has what other tools wanted, which may be less than the commit holds. Only the lock can tell that
 * nothing is missing: without it, what was found serves this command and is not noted.
 */
async function fromShared(
  { repository, commit }: Pinned,
  digest: Digest | null,
  places: Places,
  { settings, check }: Fetching,
): Promise<readonly TreeFile[] | null> {
  const snapshot = sharedSnapshot(settings.sharedCache, repository, commit)
  const listed = await sharedListing(snapshot)
  if (listed === null || (digest !== null && treeOf(listed).digest !== digest)) return null
  await check(snapshot)
  await keepSmall(listed, snapshot, places)
  if (digest !== null) writeListing(places, listed)
  return listed
}

/** The small files go into a folder that stays. A listing is written after it: it says that they are there. */
async function keepSmall(files: readonly TreeFile[], from: string, places: Places): Promise<void> {
  const draft = `${places.small}.draft`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  for (const { path } of smallTree(treeOf(files)).files) await copyFile(join(from, path), join(draft, path))
  await flush([...smallTree(treeOf(files)).files.map(({ path }) => join(draft, path)), draft])
  rmSync(places.small, { recursive: true, force: true })
  renameSync(draft, places.small)
}
