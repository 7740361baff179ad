/**
 * What of a result travels as what: each large file by itself, so that results share it, and all else (the lists of
 * trees, small files) in one pack, so that a folder of a thousand files is one request.
 */
import { createHash } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import type { Digest } from '../artifact.ts'

export interface Blob {
  readonly digest: Digest
  readonly size: number
}

/** The pack is the bytes of its pieces, one after the other. */
export interface Pack extends Blob {
  readonly pieces: readonly Blob[]
}

/** A file of this size is worth a request of its own, and may be shared with other results. */
export const OWN_BLOB_BYTES = 256 * 1024
/** A pack is no larger than about this; more small files get a second one. */
const MOST_PACK_BYTES = 64 * 1024 * 1024

export interface Division {
  readonly large: readonly Blob[]
  readonly packs: readonly (readonly Blob[])[]
}

/** The same blobs in any order give the same division. */
export function divide(blobs: Iterable<Blob>): Division {
  const distinct = new Map([...blobs].map((blob) => [blob.digest, blob]))
  const sorted = [...distinct.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1))
  const packs: Blob[][] = []
  let bytes = Infinity
  for (const blob of sorted.filter(({ size }) => size < OWN_BLOB_BYTES)) {
    if (bytes + blob.size > MOST_PACK_BYTES) {
      packs.push([])
      bytes = 0
    }
    packs.at(-1)?.push(blob)
    bytes += blob.size
  }
  return { large: sorted.filter(({ size }) => size >= OWN_BLOB_BYTES), packs }
}

/** Writes the pieces one after the other. */
export async function writePack(
  pieces: readonly Blob[],
  pathOf: (digest: Digest) => string,
  target: string,
): Promise<Pack> {
  const file = await open(target, 'wx')
  const hash = createHash('sha256')
  let size = 0
  try {
    for (const piece of pieces) {
      const bytes = await readFile(pathOf(piece.digest))
      hash.update(bytes)
      size += bytes.length
      await file.appendFile(bytes)
    }
  } finally {
    await file.close()
  }
  return { digest: `sha256:${hash.digest('hex')}` as Digest, size, pieces }
}

/** The bytes of each piece. The caller compares them with their digest. */
export async function* readPack(pack: Pack, path: string): AsyncIterable<readonly [Blob, Uint8Array]> {
  const file = await open(path, 'r')
  try {
    for (const piece of pack.pieces) {
      const bytes = Buffer.alloc(piece.size)
      await file.read(bytes, 0, piece.size)
      yield [piece, bytes]
    }
  } finally {
    await file.close()
  }
}
