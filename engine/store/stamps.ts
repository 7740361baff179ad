/** What `stat` says of very many files, in few large arrays. */
import type { BigIntStats } from 'node:fs'

/** Device, inode, size, time of the bytes and time of the inode, both in nanoseconds. */
export const STAMP_FIELDS = 5
const FILES_PER_CHUNK = 8192
const FIELD_BYTES = BigInt64Array.BYTES_PER_ELEMENT

export class Stamps {
  readonly #chunks: BigInt64Array[] = []
  #count = 0

  get count(): number {
    return this.#count
  }

  push({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): void {
    const [chunk, at] = this.#place(this.#count++)
    chunk[at] = dev
    chunk[at + 1] = ino
    chunk[at + 2] = size
    chunk[at + 3] = mtimeNs
    chunk[at + 4] = ctimeNs
  }

  /** Replaces a stamp by one that was taken later. */
  set(index: number, stamp: BigInt64Array): void {
    const [chunk, at] = this.#place(index)
    chunk.set(stamp, at)
  }

  sizeOf(index: number): number {
    const [chunk, at] = this.#place(index)
    return Number(chunk[at + 2])
  }

  isSame(index: number, other: Stamps, otherIndex: number): boolean {
    const [chunk, at] = this.#place(index)
    const [otherChunk, otherAt] = other.#place(otherIndex)
    for (let field = 0; field < STAMP_FIELDS; field++)
      if (chunk[at + field] !== otherChunk[otherAt + field]) return false
    return true
  }

  /** The stamps from one index up to another, without that one, as bytes of this machine; not copied. */
  *bytes(from = 0, to = this.#count): Generator<Uint8Array> {
    for (let index = from; index < to;) {
      const [chunk, at] = this.#place(index)
      const end = Math.min(to, index - (index % FILES_PER_CHUNK) + FILES_PER_CHUNK)
      yield new Uint8Array(chunk.buffer, at * FIELD_BYTES, (end - index) * STAMP_FIELDS * FIELD_BYTES)
      index = end
    }
  }

  /** What `bytes` gave, filled in by `read`. */
  static from(count: number, read: (into: Uint8Array) => void): Stamps {
    const stamps = new Stamps()
    stamps.#count = count
    for (let first = 0; first < count; first += FILES_PER_CHUNK) stamps.#place(first)
    for (const bytes of stamps.bytes()) read(bytes)
    return stamps
  }

  #place(index: number): [BigInt64Array, number] {
    const which = Math.floor(index / FILES_PER_CHUNK)
    const chunk = (this.#chunks[which] ??= new BigInt64Array(FILES_PER_CHUNK * STAMP_FIELDS))
    return [chunk, (index % FILES_PER_CHUNK) * STAMP_FIELDS]
  }
}
