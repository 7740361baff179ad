/** Key -> what a stage with that key left behind. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { Artifact, Digest } from '../artifact.ts'
import type { Manifest } from '../plan/manifest.ts'
import { replaceAtomic, touchFile } from './atomic.ts'
import type { BlobStore } from './blobs.ts'

export interface Result {
  readonly format: 1
  readonly key: Digest
  /** The preimage of the key. */
  readonly manifest: Manifest
  readonly outputs: Readonly<Record<string, Artifact>>
  /** What the last op said of its work: counts, final values. */
  readonly summary: JsonObject
  readonly durationMs: number
  /** Where it was made; never part of the key. */
  readonly provenance: JsonObject
}

export type Lookup =
  { readonly type: 'hit'; readonly result: Result } | { readonly type: 'miss'; readonly lost: string | null }

export class ResultStore {
  readonly #dir: string
  readonly #blobs: BlobStore

  constructor(stateDir: string, blobs: BlobStore) {
    this.#dir = join(stateDir, 'results')
    this.#blobs = blobs
  }

  #pathOf(key: Digest): string {
    return join(this.#dir, `${key.slice('sha256:'.length)}.json`)
  }

  /** The keys of all records, good or damaged, and when each was written. */
  *records(): Generator<{ readonly key: Digest; readonly path: string; readonly writtenMs: number }> {
    if (!existsSync(this.#dir)) return
    for (const name of readdirSync(this.#dir)) {
      if (!/^[0-9a-f]{64}\.json$/.test(name)) continue
      const path = join(this.#dir, name)
      const stat = statSync(path, { throwIfNoEntry: false })
      if (stat !== undefined)
        yield { key: `sha256:${name.slice(0, 64)}` as Digest, path, writtenMs: stat.mtimeMs }
    }
  }

  /** Says that a run uses it, so that a collection leaves it; false if it is gone meanwhile. */
  touch(key: Digest): boolean {
    return touchFile(this.#pathOf(key))
  }

  read(key: Digest): Result | null {
    const path = this.#pathOf(key)
    if (!existsSync(path)) return null
    try {
      const record = JSON.parse(readFileSync(path, 'utf8')) as Result
      return (record.format as number) === 1 && record.key === key ? record : null
    } catch {
      return null
    }
  }

  /** A hit only if every byte that the record names is there; else the record is put aside. */
  find(key: Digest): Lookup {
    const result = this.read(key)
    if (result === null) return { type: 'miss', lost: null }
    for (const artifact of Object.values(result.outputs)) {
      const tree = this.#blobs.openTree(artifact.tree)
      if ('lost' in tree) return { type: 'miss', lost: tree.lost }
    }
    return { type: 'hit', result }
  }

  /** Moves a record whose bytes are gone out of the way, so that it is not asked again. */
  quarantine(key: Digest): void {
    const aside = join(this.#dir, 'quarantine')
    mkdirSync(aside, { recursive: true })
    if (existsSync(this.#pathOf(key))) renameSync(this.#pathOf(key), join(aside, `${key.slice(7)}.json`))
  }

  /** Puts a result on record, durably. `folders` are those that `BlobStore` took its outputs into. */
  async write(result: Result, folders: Iterable<string>): Promise<void> {
    await replaceAtomic(this.#pathOf(result.key), `${JSON.stringify(result, null, 1)}\n`, folders)
  }
}
