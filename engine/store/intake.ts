/**
 * How bytes come into the store: hashed, flushed, made read-only, moved. The caller then puts on record what it took,
 * by way of `ResultStore.write`, which flushes the folders first.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { dirname, join, relative } from 'node:path'
import { treeOf, treeText } from '../artifact.ts'
import type { Digest, Tree, TreeFile } from '../artifact.ts'
import { reach } from '../failpoint.ts'
import { writeDraft } from './atomic.ts'
import { plainFiles } from './blobs.ts'
import type { BlobStore } from './blobs.ts'
import { digestText } from './digest.ts'
import { flush } from './flush.ts'
import { hashFiles } from './hash-files.ts'
import type { FileToHash } from './hash-files.ts'

export interface Taken {
  readonly trees: readonly Tree[]
  /** To be flushed before a record names the trees: until then a loss of power may undo the moves. */
  readonly folders: readonly string[]
}

/** A file that is about to belong to the store. */
export interface Arrival {
  readonly path: string
  readonly digest: Digest
}

/**
 * Takes over finished directories of plain files. What others can reach by another name, or lies on another disk, is
 * copied while it is hashed: else a later write there would change the store.
 */
export async function takeTrees(dirs: readonly string[], blobs: BlobStore): Promise<Taken> {
  const drafts = new Drafts(blobs)
  try {
    const { dev } = statSync(drafts.folder)
    const files = dirs.flatMap((dir) =>
      plainFiles(dir).map((path) => {
        const stat = lstatSync(path)
        const copy = stat.nlink > 1 || stat.dev !== dev ? drafts.next() : null
        return { dir, path, size: stat.size, copy }
      }),
    )
    const hashed = await hashAll(files)
    const trees = dirs.map((dir) => treeOf(hashed.filter((file) => file.dir === dir).map(treeFile)))
    const contents = hashed.map(({ copy, path, digest }) => ({ path: copy ?? path, digest }))
    const lists = trees.map(({ digest, files: listed }) => {
      const path = drafts.next()
      writeDraft(path, treeText(listed))
      return { path, digest }
    })
    const arrivals = [...contents, ...lists]
    const move = await prepare(arrivals, blobs)
    for (const content of contents) {
      move(content)
      reach('blob-moved')
    }
    for (const list of lists) {
      move(list)
      reach('tree-listed')
    }
    return { trees, folders: foldersOf(arrivals, blobs) }
  } catch (error) {
    drafts.remove()
    throw error
  }
}

/** Takes over files whose digests were computed while they were written; gives the folders to be flushed. */
export async function takeVerified(
  arrivals: readonly Arrival[],
  blobs: BlobStore,
): Promise<Taken['folders']> {
  const drafts = new Drafts(blobs)
  try {
    const near: Arrival[] = []
    for (const arrival of arrivals) near.push(await drafts.bring(arrival))
    const move = await prepare(near, blobs)
    for (const arrival of near) move(arrival)
    return foldersOf(near, blobs)
  } catch (error) {
    drafts.remove()
    throw error
  }
}

/** Flushes what is new. What comes back moves a file into the store, or removes it if the store has its bytes. */
async function prepare(arrivals: readonly Arrival[], blobs: BlobStore): Promise<(arrival: Arrival) => void> {
  const held = await heldOf(arrivals, blobs)
  const fresh = new Map(arrivals.map((arrival) => [arrival.digest, arrival]))
  for (const digest of held) fresh.delete(digest)
  await flush([...fresh.values()].map(({ path }) => path))
  return (arrival) => {
    const { path, digest } = arrival
    if (fresh.get(digest) !== arrival) {
      rmSync(path)
      return
    }
    chmodSync(path, 0o444)
    moveTo(blobs.pathOf(digest), path)
  }
}

/** Folders are made when they are first needed. */
function moveTo(target: string, path: string): void {
  try {
    renameSync(path, target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(dirname(target), { recursive: true })
    renameSync(path, target)
  }
}

/** What the store has already. Bytes that rotted in it are replaced, else a stage could never again be a hit. */
async function heldOf(arrivals: readonly Arrival[], blobs: BlobStore): Promise<readonly Digest[]> {
  const digests = new Set(arrivals.map(({ digest }) => digest))
  const there = [...digests].flatMap((name) => {
    const path = blobs.pathOf(name)
    const size = lstatSync(path, { throwIfNoEntry: false })?.size
    return size !== undefined && blobs.touch(name) ? [{ path, size, name }] : []
  })
  const hashed = await hashAll(there)
  return hashed.filter(({ name, digest }) => name === digest).map(({ name }) => name)
}

/** A file that has moved is there after a loss of power only when its folder is flushed, and the folder's own name. */
function foldersOf(arrivals: readonly Arrival[], blobs: BlobStore): readonly string[] {
  const folders = new Set(arrivals.map(({ digest }) => dirname(blobs.pathOf(digest))))
  return [...folders, ...new Set([...folders].map(dirname))]
}

function treeFile({ dir, path, size, digest }: FileToHash & { dir: string; digest: Digest }): TreeFile {
  return { path: relative(dir, path).replaceAll('\\', '/'), size, digest }
}

/** The files in their order, each with its digest and the size that it had then. */
async function hashAll<F extends FileToHash>(
  files: readonly F[],
): Promise<readonly (F & { digest: Digest })[]> {
  const hashed: (F & { digest: Digest })[] = []
  await hashFiles(files, (index, { digest, stamp }) => {
    const file = files[index]
    if (file !== undefined) hashed[index] = { ...file, size: Number(stamp[2]), digest: digestText(digest) }
  })
  return hashed
}

/** Names on the store's own disk for what is on its way into it; those of a killed run are removed by `gc`. */
class Drafts {
  readonly folder: string
  readonly #paths: string[] = []

  constructor(blobs: BlobStore) {
    this.folder = blobs.draftFolder
    if (!existsSync(this.folder)) mkdirSync(this.folder, { recursive: true })
  }

  next(): string {
    const path = join(this.folder, `${randomBytes(8).toString('hex')}.tmp`)
    this.#paths.push(path)
    return path
  }

  /** The file itself, or a copy if it lies on another disk: from there it could not be moved. */
  async bring(arrival: Arrival): Promise<Arrival> {
    if (lstatSync(arrival.path).dev === statSync(this.folder).dev) return arrival
    const path = this.next()
    await copyFile(arrival.path, path)
    return { ...arrival, path }
  }

  remove(): void {
    for (const path of this.#paths) rmSync(path, { force: true })
  }
}
