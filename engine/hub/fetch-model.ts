/** A model on a hub -> its commit, the content of its files, and the files: each step whole or not at all. */
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { statfsSync, symlinkSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isCommit } from '../../dsl/hub-address.ts'
import type { HubAddress } from '../../dsl/hub-address.ts'
import { treeOf } from '../artifact.ts'
import type { Digest, Tree, TreeFile } from '../artifact.ts'
import { inParallel } from '../remote/parallel.ts'
import { Patience } from '../remote/patience.ts'
import type { Pause } from '../remote/patience.ts'
import { RemoteTrouble } from '../remote/transport.ts'
import { flush } from '../store/flush.ts'
import { hashFile } from '../store/digest.ts'
import { hashFiles } from '../store/hash-files.ts'
import { digestText } from '../store/digest.ts'
import { commitOf, filesOf } from './api.ts'
import type { HubFile } from './api.ts'
import { fetchFile } from './fetch-file.ts'
import { isWeights, lacks, modelFiles } from './model-files.ts'
import { sharedCommit, sharedFile, sharedListing, sharedSnapshot } from './shared-cache.ts'
import type { HubSettings } from './settings.ts'
import { bytesIn, isWhole, placesOf, readListing, smallTree, writeListing } from './snapshot.ts'
import type { Places } from './snapshot.ts'
import { afterPatience, HubTrouble } from './trouble.ts'
import { withRight } from './with-right.ts'

export interface Fetching {
  readonly settings: HubSettings
  readonly stateDir: string
  readonly pause: Pause
  /** As it was typed, for those who wait. */
  readonly command: string
  /** Looks at configuration and tokenizer in a folder; throws `HubTrouble` if no stage could use the model. */
  readonly check: (dir: string) => Promise<void>
  readonly progress: (done: number, total: number) => void
  readonly waiting: (holder: string) => void
}

/** One commit of a model. */
export interface Pinned {
  readonly repository: string
  readonly commit: string
}

/** Files at a time. */
const WIDTH = 4
/** Beyond the model itself, so that the run finds some space as well. */
const SPARE_BYTES = 200e6

/** The commit that an address means at this moment. */
export async function findCommit(
  { repository, revision }: HubAddress,
  fetching: Fetching,
  signal: AbortSignal,
): Promise<string> {
  const wanted = revision ?? 'main'
  if (isCommit(wanted)) return wanted
  const { settings, pause } = fetching
  const shared = sharedCommit(settings.sharedCache, repository, wanted)
  if (settings.offline) {
    if (shared !== null) return shared
    throw offline(repository, `the cache in ${settings.sharedCache} does not know it`)
  }
  try {
    const ask = () => commitOf(settings, repository, wanted, signal)
    return await new Patience(pause).ask(ask, signal)
  } catch (error) {
    if (!(error instanceof RemoteTrouble)) throw error
    const trouble = afterPatience(error, settings.endpoint)
    if (shared === null) throw trouble
    throw new HubTrouble(
      'machine',
      trouble.message,
      `HF_HUB_OFFLINE=1 takes the commit ${shared.slice(0, 8)} that ${settings.sharedCache} has`,
      error,
    )
  }
}

/** Finds out what is in a commit; brings configuration and tokenizer, and no weights. */
export async function listModel(pinned: Pinned, fetching: Fetching, signal: AbortSignal): Promise<Tree> {
  const places = placesOf(fetching.stateDir, pinned.repository, pinned.commit)
  return (
    readListing(places) ??
    withRight(pinned, fetching, signal, async () => {
      const known = readListing(places)
      if (known !== null) return known
      const files = await inWords(fetching, () => listedHere(pinned, places, fetching, signal))
      return treeOf(files)
    })
  )
}

async function listedHere(
  pinned: Pinned,
  places: Places,
  fetching: Fetching,
  signal: AbortSignal,
): Promise<readonly TreeFile[]> {
  const { settings, pause } = fetching
  mkdirSync(places.fetching, { recursive: true })
  if (settings.offline) return (await fromShared(pinned, places, fetching)) ?? notShared(pinned, fetching)
  const ask = () => filesOf(settings, pinned.repository, pinned.commit, signal)
  let all: readonly HubFile[]
  try {
    all = await new Patience(pause).ask(ask, signal)
  } catch (error) {
    // The commit is known, and what it holds may lie here: then nobody has to be asked.
    const shared = error instanceof RemoteTrouble ? await fromShared(pinned, places, fetching) : null
    if (shared === null) throw error
    return shared
  }
  const files = modelFiles(all)
  const lack = lacks(files)
  if (lack !== null)
    throw new HubTrouble(
      'request',
      `${pinned.repository} ${lack}`,
      'take a repository in the layout of transformers; other forms have to be converted by hand (save_pretrained), and the folder named as the source',
    )
  await bring(
    files.filter(({ path }) => !isWeights(path)),
    pinned,
    places,
    fetching,
    signal,
  )
  await fetching.check(places.fetching)
  // Only git's name of it is known, which is no part of a key.
  await bring(
    files.filter(({ sha256 }) => sha256 === null),
    pinned,
    places,
    fetching,
    signal,
  )
  const listed = files.map(({ path, size, sha256 }) => ({
    path,
    size,
    digest: sha256 === null ? hashFile(join(places.fetching, path)) : (`sha256:${sha256}` as Digest),
  }))
  await keepListing(listed, places.fetching, places)
  return listed
}

async function fromShared(
  { repository, commit }: Pinned,
  places: Places,
  { settings, check }: Fetching,
): Promise<readonly TreeFile[] | null> {
  const snapshot = sharedSnapshot(settings.sharedCache, repository, commit)
  const listed = await sharedListing(snapshot)
  if (listed === null) return null
  await check(snapshot)
  await keepListing(listed, snapshot, places)
  return listed
}

function notShared({ repository, commit }: Pinned, { settings }: Fetching): never {
  throw offline(repository, `the cache in ${settings.sharedCache} lacks files of ${commit.slice(0, 8)}`)
}

/** The small files go into a folder that stays, and the listing last: it says that they are there. */
async function keepListing(files: readonly TreeFile[], from: string, places: Places): Promise<void> {
  const draft = `${places.small}.draft`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  for (const { path } of smallTree(treeOf(files)).files) await copyFile(join(from, path), join(draft, path))
  rmSync(places.small, { recursive: true, force: true })
  renameSync(draft, places.small)
  writeListing(places, files)
}

/** Brings the whole model to where it is read. Does nothing where it lies there already. */
export async function bringModel(
  pinned: Pinned,
  tree: Tree,
  fetching: Fetching,
  signal: AbortSignal,
): Promise<void> {
  const places = placesOf(fetching.stateDir, pinned.repository, pinned.commit)
  if (isWhole(places.whole, tree)) return
  await withRight(pinned, fetching, signal, async () => {
    if (isWhole(places.whole, tree)) return
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
  const weights = tree.files.filter(({ path }) => isWeights(path))
  for (const { path } of smallTree(tree).files)
    await copyFile(join(places.small, path), join(places.fetching, path))
  if (!isWhole(places.fetching, tree) && !(await linkShared(weights, pinned, places, fetching))) {
    const wanted = weights.map(({ path, size, digest }) => ({
      ...{ path, size, gitSha1: '' },
      sha256: digest.slice('sha256:'.length),
    }))
    if (settings.offline) notShared(pinned, fetching)
    await bring(wanted, pinned, places, fetching, signal)
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
    return real === null ? [] : [{ ...file, real }]
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
  for (const { path, real } of found) {
    rmSync(join(places.fetching, path), { force: true })
    symlinkSync(real, join(places.fetching, path))
  }
  return true
}

/** Files of a commit into the folder of what is under way; what lies there at its full length was checked when it came. */
async function bring(
  files: readonly HubFile[],
  { repository, commit }: Pinned,
  places: Places,
  { settings, pause, progress }: Fetching,
  signal: AbortSignal,
): Promise<void> {
  const lacking = files.filter((file) => !isWhole(places.fetching, { files: [file] }))
  if (lacking.length === 0) return
  const total = bytesIn({ files: lacking })
  checkSpace(places.fetching, total)
  let done = 0
  await inParallel(lacking, WIDTH, async (file) => {
    const target = join(places.fetching, file.path)
    const grown = (bytes: number) => progress((done += bytes), total)
    await fetchFile({ settings, repository, commit, file, target, pause, grown }, signal)
    // Nobody has a reason to edit it, and a mistake would be in every key.
    chmodSync(target, 0o444)
  })
}

function checkSpace(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize >= bytes + SPARE_BYTES) return
  const gigabytes = (count: number) => `${(count / 1e9).toFixed(1)} GB`
  throw new HubTrouble(
    'machine',
    `the model takes ${gigabytes(bytes)}, the disk has ${gigabytes(bavail * bsize)} left`,
    'free some space (sluice gc --dry-run shows what could go) and run again',
  )
}

function offline(repository: string, why: string): HubTrouble {
  return new HubTrouble(
    'machine',
    `HF_HUB_OFFLINE is set, and ${repository} is not here: ${why}`,
    'unset HF_HUB_OFFLINE, or fetch it where there is a network: hf download ' + repository,
  )
}

async function inWords<T>({ settings }: Fetching, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw error instanceof RemoteTrouble ? afterPatience(error, settings.endpoint) : error
  }
}
