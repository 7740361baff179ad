/** Bytes of a file -> their digest, with what `stat` said before and after they were read. */
import * as crypto from 'node:crypto'
import * as fs from 'node:fs'
import type { Digest } from '../artifact.ts'

export function hashFile(path: string): Digest {
  return digestText(hashAt(path).digest)
}

export interface HashedFile {
  /** 32 bytes. */
  readonly digest: Uint8Array
  /** What `stat` said; the fields of `Stamps`. */
  readonly stamp: BigInt64Array
  /** The stamp stands for these bytes: it was the same after the reading, and any later change gives another one. */
  readonly isSettled: boolean
}

/** With `copy`, what was hashed is written there meanwhile. As text that a thread can run: it uses nothing but its arguments, and no syntax of ours that a build would replace. */
export function makeHasher(
  {
    openSync,
    fstatSync,
    readSync,
    writeSync,
    closeSync,
  }: Pick<typeof fs, 'openSync' | 'fstatSync' | 'readSync' | 'writeSync' | 'closeSync'>,
  { createHash }: Pick<typeof crypto, 'createHash'>,
): (path: string, copy?: string | null) => HashedFile {
  // As much as stays in the processor's cache between reading and hashing.
  const chunk = Buffer.allocUnsafe(128 * 1024)
  // Clocks of file systems tick in steps, of up to two seconds: within one, a file may change twice unseen.
  const tickNs = 2_000_000_000n
  const mostReadings = 3
  return (path, copy = null) => {
    const fd = openSync(path, 'r')
    let to: number | null = null
    try {
      if (copy !== null) to = openSync(copy, 'wx')
      const look = () => {
        const { dev, ino, size, mtimeNs, ctimeNs } = fstatSync(fd, { bigint: true })
        return { stamp: BigInt64Array.of(dev, ino, size, mtimeNs, ctimeNs), mtimeNs, ctimeNs }
      }
      for (let reading = 1; ; reading++) {
        const began = BigInt(Date.now()) * 1_000_000n
        const { stamp, mtimeNs, ctimeNs } = look()
        const hash = createHash('sha256')
        for (let at = 0; ;) {
          const count = readSync(fd, chunk, 0, chunk.length, at)
          if (count === 0) break
          hash.update(count === chunk.length ? chunk : chunk.subarray(0, count))
          for (let written = 0; to !== null && written < count;)
            written += writeSync(to, chunk, written, count - written)
          at += count
        }
        const digest = hash.digest()
        const after = look().stamp
        const isSame = stamp.every((field, i) => field === after[i])
        // Somebody writes to it: read once more, so that the digest is at least of one state. A copy has one anyway.
        if (!isSame && to === null && reading < mostReadings) continue
        const isOld = mtimeNs < began - tickNs && ctimeNs < began - tickNs
        return { digest, stamp, isSettled: isSame && isOld }
      }
    } finally {
      closeSync(fd)
      if (to !== null) closeSync(to)
    }
  }
}

export const hashAt = makeHasher(fs, crypto)

export function digestText(digest: Uint8Array): Digest {
  return `sha256:${Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('hex')}` as Digest
}
