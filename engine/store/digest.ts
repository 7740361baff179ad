/** Digests of the user's own files, remembered by what `stat` says of them. */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Digest } from '../artifact.ts'
import { writeAtomic } from './atomic.ts'

const CHUNK_BYTES = 1 << 20
/** A file changed this shortly before it was hashed may change again within the same clock tick: not remembered. */
const RACY_NS = 2_000_000_000n

interface Remembered {
  readonly stamp: string
  readonly digest: Digest
}

export function hashFile(path: string): Digest {
  const fd = openSync(path, 'r')
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK_BYTES, fstatSync(fd).size)))
    for (;;) {
      const count = readSync(fd, buffer, 0, buffer.length, null)
      if (count === 0) break
      hash.update(count === buffer.length ? buffer : buffer.subarray(0, count))
    }
    return `sha256:${hash.digest('hex')}` as Digest
  } finally {
    closeSync(fd)
  }
}

/** The stat cache: path -> (device, inode, size, mtime, ctime in nanoseconds) -> digest. */
export class StatCache {
  readonly #file: string
  readonly #entries = new Map<string, Remembered>()
  #changed = false

  constructor(stateDir: string) {
    this.#file = join(stateDir, 'stat.jsonl')
    if (!existsSync(this.#file)) return
    for (const line of readFileSync(this.#file, 'utf8').split('\n')) {
      if (line === '') continue
      try {
        const [path, stamp, digest] = JSON.parse(line) as [string, string, Digest]
        this.#entries.set(path, { stamp, digest })
      } catch {
        // A damaged line costs one hashing, nothing else.
      }
    }
  }

  digest(path: string): { digest: Digest; size: number } {
    const before = statSync(path, { bigint: true })
    const stamp = stampOf(before)
    const known = this.#entries.get(path)
    if (known?.stamp === stamp) return { digest: known.digest, size: Number(before.size) }
    const digest = hashFile(path)
    const now = BigInt(Date.now()) * 1_000_000n
    const after = statSync(path, { bigint: true })
    const settled = before.mtimeNs < now - RACY_NS && before.ctimeNs < now - RACY_NS
    if (settled && stampOf(after) === stamp) {
      this.#entries.set(path, { stamp, digest })
      this.#changed = true
    }
    return { digest, size: Number(before.size) }
  }

  save(): void {
    if (!this.#changed) return
    const lines = [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1))
    writeAtomic(
      this.#file,
      lines.map(([path, e]) => `${JSON.stringify([path, e.stamp, e.digest])}\n`).join(''),
    )
    this.#changed = false
  }
}

function stampOf(stat: BigIntStats): string {
  return [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ')
}
