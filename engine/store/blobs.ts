/** Content-addressed bytes on disk, and trees of them as read-only links; how they come in is told in `intake.ts`. */
import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { digestOf } from '../artifact.ts'
import type { Digest, Tree, TreeFile } from '../artifact.ts'
import { reach } from '../failpoint.ts'
import { touchFile } from './atomic.ts'

/** One file of the store, whatever it is part of. */
export interface StoredObject {
  readonly digest: Digest
  readonly path: string
  readonly size: number
  /** When its inode last changed: it was taken in, linked or touched. */
  readonly changedMs: number
  /** Names that its bytes have; they are only freed with the last one. */
  readonly links: number
}

const OBJECT = /^[0-9a-f]{62}$/

/** A clone cannot be changed through its other name, so it comes first. */
const WAYS: readonly ((from: string, to: string) => void)[] = [
  (from, to) => copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE),
  linkSync,
  copyFileSync,
]
/** What a file system says that has no such thing, or no more of it. */
const CANNOT: readonly string[] = [
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'ENOTTY',
  'EINVAL',
  'EXDEV',
  'EPERM',
  'EMLINK',
]

export class BlobStore {
  readonly #root: string
  /** Index into `WAYS` of the first that works here. */
  #way = 0

  constructor(stateDir: string) {
    this.#root = join(stateDir, 'cas', 'sha256')
  }

  pathOf(digest: Digest): string {
    const hex = digest.slice('sha256:'.length)
    return join(this.#root, hex.slice(0, 2), hex.slice(2))
  }

  /** For what is on its way into the store. */
  get draftFolder(): string {
    return join(this.#root, 'new')
  }

  /** Everything that lies in the store, and what a killed process left half written (`digest` is null). */
  *objects(): Generator<
    StoredObject | { readonly digest: null; readonly path: string; readonly changedMs: number }
  > {
    if (!existsSync(this.#root)) return
    for (const start of readdirSync(this.#root)) {
      for (const rest of readdirSync(join(this.#root, start))) {
        const path = join(this.#root, start, rest)
        const stat = lstatSync(path, { throwIfNoEntry: false })
        if (stat === undefined) continue
        const { size, ctimeMs: changedMs, nlink: links } = stat
        if (!OBJECT.test(rest)) yield { digest: null, path, changedMs }
        else yield { digest: `sha256:${start}${rest}` as Digest, path, size, changedMs, links }
      }
    }
  }

  /** Moves damaged bytes out of the way, so that the next who makes them puts good ones there. */
  putAside(digest: Digest): void {
    const aside = join(this.#root, '..', 'quarantine')
    mkdirSync(aside, { recursive: true })
    renameSync(this.pathOf(digest), join(aside, digest.slice('sha256:'.length)))
  }

  /** The files that a list names, whether they are there or not; null if the list itself cannot be had. */
  filesOf(digest: Digest): readonly TreeFile[] | null {
    const path = this.pathOf(digest)
    if (!existsSync(path)) return null
    const text = readFileSync(path, 'utf8')
    return digestOf(text) === digest ? (JSON.parse(text) as TreeFile[]) : null
  }

  /** The tree, or why it cannot be had: a record without its bytes is not a hit. */
  openTree(digest: Digest): Tree | { readonly lost: string } {
    const path = this.pathOf(digest)
    if (!existsSync(path)) return { lost: `the list ${digest.slice(0, 19)} is gone from the store` }
    const text = readFileSync(path, 'utf8')
    if (digestOf(text) !== digest) return { lost: `the list ${digest.slice(0, 19)} is damaged` }
    const files = JSON.parse(text) as TreeFile[]
    for (const file of files) {
      const found = lstatSync(this.pathOf(file.digest), { throwIfNoEntry: false })
      if (found === undefined) return { lost: `${file.path} is gone from the store` }
      if (found.size !== file.size) return { lost: `${file.path} is damaged in the store` }
    }
    return { digest, files }
  }

  /** Lays a tree out as a directory: clones that share their blocks, else read-only hard links, else copies. */
  layOut(tree: Tree, dir: string): void {
    const made = new Set<string>()
    const make = (folder: string): void => {
      if (!made.has(folder)) mkdirSync(folder, { recursive: true })
      made.add(folder)
    }
    make(dir)
    for (const file of tree.files) {
      const target = join(dir, file.path)
      make(dirname(target))
      this.#lay(this.pathOf(file.digest), target)
    }
  }

  /** What the first file can be laid out by, the others can, too; a target on another file system is only copied. */
  #lay(from: string, to: string): void {
    for (;;) {
      const way = WAYS[this.#way] ?? copyFileSync
      try {
        way(from, to)
        return
      } catch (error) {
        if (way === copyFileSync || !CANNOT.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
        this.#way += 1
      }
    }
  }

  /** Whether this tree was shown there last, and all of its files are still the ones that were. */
  shows(dir: string, tree: Digest): boolean {
    const marker = markerOf(dir)
    const shown = lstatSync(marker, { throwIfNoEntry: false })
    if (shown === undefined || readFileSync(marker, 'utf8') !== tree || !existsSync(dir)) return false
    const files = this.filesOf(tree) ?? []
    return files.every((file) => this.#isShown(file, join(dir, file.path), shown.mtimeMs))
  }

  /** Not removed, nor replaced or edited since: a link is known by its inode, a clone or a copy by its times. */
  #isShown({ digest, size }: TreeFile, path: string, shownMs: number): boolean {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found?.size !== size) return false
    if (found.ctimeMs <= shownMs) return true
    return found.ino === lstatSync(this.pathOf(digest), { throwIfNoEntry: false })?.ino
  }

  /** Like `layOut`, but the directory appears at once, in place of an older one. One at a time per directory. */
  show(tree: Tree, dir: string): void {
    if (this.shows(dir, tree.digest)) return
    const marker = markerOf(dir)
    // Only a killed run may have left something there.
    const fresh = `${dir}.new`
    rmSync(fresh, { recursive: true, force: true })
    this.layOut(tree, fresh)
    rmSync(marker, { force: true })
    rmSync(dir, { recursive: true, force: true })
    reach('outputs-hidden')
    renameSync(fresh, dir)
    // Not flushed: if it is torn or lost, the directory is laid out again.
    writeFileSync(marker, tree.digest)
    reach('outputs-shown')
  }

  /** Whether a file of this digest and size is there; its bytes are not read. */
  has({ digest, size }: { readonly digest: Digest; readonly size: number }): boolean {
    return lstatSync(this.pathOf(digest), { throwIfNoEntry: false })?.size === size
  }

  /** Says that somebody is about to name it: a collection of what nobody names then leaves it. False if it is gone. */
  touch(digest: Digest): boolean {
    return touchFile(this.pathOf(digest))
  }

  readFile(tree: Tree, path: string): string | null {
    const file = tree.files.find((candidate) => candidate.path === path)
    return file === undefined ? null : readFileSync(this.pathOf(file.digest), 'utf8')
  }
}

/** All files below a directory, as absolute paths. Throws for a link, which could point at bytes that change later. */
export function plainFiles(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const path = join(entry.parentPath, entry.name)
    if (entry.isDirectory()) return []
    if (!entry.isFile())
      throw new Error(`${relative(dir, path)} is not a plain file; outputs hold plain files only`)
    return [path]
  })
}

/** Says which tree a shown directory holds. */
function markerOf(dir: string): string {
  return `${dir}.tree`
}
