/**
 * Remembers the digests of the user's own files by what `stat` said of them: one file of the state folder for each
 * source. Its first line is all that an unchanged source needs; the columns below it serve one that changed in part.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { digestOf } from '../artifact.ts'
import type { Digest } from '../artifact.ts'
import { writeAtomic } from './atomic.ts'
import { Stamps } from './stamps.ts'

const FORMAT = 1
const DIGEST_BYTES = 32
const NEWLINE = 10
const LONGEST_HEADER = 64 * 1024

/** What a source was when it was last looked at. */
export interface Summary {
  /** Over the paths and stamps of all its files; null if one of them may change unseen. */
  readonly seal: string | null
  /** What its digest depends on beside the files. */
  readonly marks: string
  readonly digest: Digest
}

/** Files in path order, their paths ended by a zero byte. */
export interface Column {
  readonly paths: Uint8Array
  readonly stamps: Stamps
  readonly digests: Uint8Array
}

/** A column on its way to the disk: a million files are written without a second copy of them. */
export interface ColumnParts {
  readonly count: number
  readonly pathBytes: number
  /** All stamps, then all digests, then all paths. */
  readonly parts: () => Iterable<Uint8Array>
}

interface Header extends Summary {
  readonly format: number
  /** Of each column: how many files, and how many bytes their paths take. */
  readonly columns: readonly { readonly count: number; readonly pathBytes: number }[]
}

export class StatCache {
  readonly #folder: string

  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'stat')
  }

  /** Null if nothing is remembered under the name, or what is there is damaged: that costs one hashing, nothing else. */
  summary(name: string): Summary | null {
    return this.#read(name, (header) => header)
  }

  columns(name: string): readonly Column[] {
    const columns = this.#read(name, ({ columns: sizes }, read) =>
      sizes.map(({ count, pathBytes }) => {
        const stamps = Stamps.from(count, read)
        const [digests, paths] = [new Uint8Array(count * DIGEST_BYTES), new Uint8Array(pathBytes)]
        read(digests)
        read(paths)
        return { stamps, digests, paths }
      }),
    )
    return columns ?? []
  }

  write(name: string, summary: Summary, columns: readonly ColumnParts[]): void {
    const sizes = columns.map(({ count, pathBytes }) => ({ count, pathBytes }))
    const header: Header = { format: FORMAT, ...summary, columns: sizes }
    const parts = function* (): Generator<Uint8Array> {
      yield Buffer.from(`${JSON.stringify(header)}\n`)
      for (const column of columns) yield* column.parts()
    }
    try {
      writeAtomic(this.#pathOf(name), parts())
    } catch {
      // Only a memory of work that can be done again.
    }
  }

  #pathOf(name: string): string {
    return join(this.#folder, digestOf(name).slice('sha256:'.length, 'sha256:'.length + 32))
  }

  #read<T>(name: string, use: (header: Header, read: (into: Uint8Array) => void) => T): T | null {
    const path = this.#pathOf(name)
    if (!existsSync(path)) return null
    const fd = openSync(path, 'r')
    try {
      const start = Buffer.alloc(LONGEST_HEADER)
      const end = start.subarray(0, readSync(fd, start, 0, start.length, 0)).indexOf(NEWLINE)
      const header = JSON.parse(start.toString('utf8', 0, end)) as Header
      if (header.format !== FORMAT) return null
      let at = end + 1
      return use(header, (into) => {
        const count = readSync(fd, into, 0, into.length, at)
        if (count !== into.length) throw new Error('the file is cut short')
        at += count
      })
    } catch {
      return null
    } finally {
      closeSync(fd)
    }
  }
}

/** Finds files of a column again; it has to be asked in path order. */
export class Finder {
  readonly #column: Column
  readonly #paths: Buffer
  #at = 0
  #index = 0
  #path: string

  constructor(column: Column) {
    this.#column = column
    this.#paths = Buffer.from(column.paths.buffer, column.paths.byteOffset, column.paths.length)
    this.#path = this.#pathHere()
  }

  /** The digest that a file had, if its stamp is still the same. */
  digestOf(path: string, stamps: Stamps, index: number): Uint8Array | null {
    const { stamps: known, digests } = this.#column
    while (this.#index < known.count && this.#path < path) {
      this.#index += 1
      this.#at = this.#paths.indexOf(0, this.#at) + 1
      this.#path = this.#pathHere()
    }
    if (this.#index >= known.count || this.#path !== path) return null
    if (!known.isSame(this.#index, stamps, index)) return null
    return digests.subarray(this.#index * DIGEST_BYTES, (this.#index + 1) * DIGEST_BYTES)
  }

  #pathHere(): string {
    return this.#paths.toString('utf8', this.#at, this.#paths.indexOf(0, this.#at))
  }
}
