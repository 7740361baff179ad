/** The files of a source, as listed -> the digest of its content; reads only what has changed since the last time. */
import { createHash } from 'node:crypto'
import type { Digest, TreeFile } from '../artifact.ts'
import { digestText } from '../store/digest.ts'
import { hashFiles } from '../store/hash-files.ts'
import type { FileToHash } from '../store/hash-files.ts'
import { Finder } from '../store/stat-cache.ts'
import type { Column, ColumnParts } from '../store/stat-cache.ts'
import type { Listing } from './listing.ts'

const DIGEST_BYTES = 32
const TEXT_AT_ONCE = 64 * 1024

/** A listing with a digest for every file. */
export interface Digested {
  readonly listing: Listing
  readonly digests: Uint8Array
  /** 1 for a file whose digest may be remembered. */
  readonly settled: Uint8Array
}

/** `known` is what was remembered of the same listing. */
export async function digestListing(
  listing: Listing,
  known: Column | undefined,
  absolute: (path: string) => string,
): Promise<Digested> {
  const digests = new Uint8Array(listing.count * DIGEST_BYTES)
  const settled = new Uint8Array(listing.count)
  const unknown: number[] = []
  const toHash = function* (): Generator<FileToHash> {
    const finder = known === undefined ? null : new Finder(known)
    let index = 0
    for (const path of listing.paths()) {
      const digest = finder?.digestOf(path, listing.stamps, index) ?? null
      if (digest === null) {
        unknown.push(index)
        yield { path: absolute(path), size: listing.stamps.sizeOf(index) }
      } else {
        digests.set(digest, index * DIGEST_BYTES)
        settled[index] = 1
      }
      index += 1
    }
  }
  await hashFiles(toHash(), (nth, { digest, stamp, isSettled }) => {
    const index = unknown[nth] ?? 0
    digests.set(digest, index * DIGEST_BYTES)
    listing.stamps.set(index, stamp)
    settled[index] = isSettled ? 1 : 0
  })
  return { listing, digests, settled }
}

/** Changes with any path and any stamp. */
export function sealOf(listings: ReadonlyMap<string, Listing>): string {
  const hash = createHash('sha256')
  let text = ''
  for (const [split, listing] of listings) {
    text += `${JSON.stringify(split)} ${String(listing.count)}\0`
    for (const { folder, names } of listing.stretches) {
      // No name holds a slash, so a folder is told from a name.
      text += `/${folder}\0${names.join('\0')}\0`
      if (text.length < TEXT_AT_ONCE) continue
      hash.update(text)
      text = ''
    }
    hash.update(text)
    text = ''
    for (const bytes of listing.stamps.bytes()) hash.update(bytes)
  }
  return hash.digest('hex')
}

/** The files of a listing as a tree has them, under the names that they have below `dir`. */
export function* treeFiles(
  { listing, digests }: Digested,
  inside: (path: string) => string,
): Generator<TreeFile> {
  let index = 0
  for (const path of listing.paths()) {
    const digest: Digest = digestText(digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES))
    yield { path: inside(path), size: listing.stamps.sizeOf(index), digest }
    index += 1
  }
}

export function allSettled({ settled }: Digested): boolean {
  return settled.every((each) => each === 1)
}

/** What may be remembered of a listing. */
export function columnOf({ listing, digests, settled }: Digested): ColumnParts {
  let [count, pathBytes, index] = [0, 0, 0]
  for (const path of listing.paths()) {
    if (settled[index++] !== 1) continue
    count += 1
    pathBytes += Buffer.byteLength(path) + 1
  }
  const parts = function* (): Generator<Uint8Array> {
    for (const [from, to] of stretchesOf(settled)) yield* listing.stamps.bytes(from, to)
    for (const [from, to] of stretchesOf(settled))
      yield digests.subarray(from * DIGEST_BYTES, to * DIGEST_BYTES)
    let text = ''
    let at = 0
    for (const path of listing.paths()) {
      if (settled[at++] === 1) text += `${path}\0`
      if (text.length < TEXT_AT_ONCE) continue
      yield Buffer.from(text)
      text = ''
    }
    yield Buffer.from(text)
  }
  return { count, pathBytes, parts }
}

/** Where ones follow one another: from the first of them up to the place behind the last. */
function* stretchesOf(settled: Uint8Array): Generator<readonly [from: number, to: number]> {
  for (let from = settled.indexOf(1); from >= 0;) {
    const end = settled.indexOf(0, from)
    const to = end < 0 ? settled.length : end
    yield [from, to]
    from = settled.indexOf(1, to)
  }
}
