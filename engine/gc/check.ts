/** Looks for damage in the store: bytes that are not what their name says, records whose bytes are gone. */
import { lstatSync } from 'node:fs'
import type { Digest } from '../artifact.ts'
import type { Stores } from '../environment.ts'
import type { Rights } from '../run/rights.ts'
import { digestText, hashFile } from '../store/digest.ts'
import { hashFiles } from '../store/hash-files.ts'
import type { StoredObject } from '../store/blobs.ts'

export interface Damage {
  readonly objects: number
  readonly bytes: number
  readonly records: number
  /** Put aside, as other bytes than their name says. */
  readonly damaged: readonly Digest[]
  /** Put aside: their stages run again. `why` begins with the file. */
  readonly lost: readonly { readonly key: Digest; readonly why: string }[]
}

/**
 * `full` reads every byte; else sizes and lists are compared. What is damaged is moved into quarantine, a record only
 * with the right to its key: who holds that makes the result, and looks at its record by himself.
 */
export async function checkStore(
  stores: Stores,
  rights: Pick<Rights, 'tryTake'>,
  { full }: { readonly full: boolean },
): Promise<Damage> {
  const objects = [...stores.blobs.objects()].filter((each): each is StoredObject => each.digest !== null)
  const suspects: StoredObject[] = []
  if (full)
    await hashFiles(objects, (index, { digest }) => {
      const object = objects[index]
      if (object !== undefined && digestText(digest) !== object.digest) suspects.push(object)
    })
  const damaged = suspects.filter((object) => isStillDamaged(object)).map(({ digest }) => digest)
  for (const digest of damaged.sort()) stores.blobs.putAside(digest)
  const lost: { key: Digest; why: string }[] = []
  let records = 0
  for (const { key } of stores.results.records()) {
    records += 1
    if (lossOf(key, stores) === null) continue
    const right = rights.tryTake(key.slice('sha256:'.length))
    if (right.type === 'held') continue
    try {
      // A run may have made it anew since.
      const why = lossOf(key, stores)
      if (why === null) continue
      lost.push({ key, why })
      stores.results.quarantine(key)
    } finally {
      right.release()
    }
  }
  return {
    objects: objects.length,
    bytes: objects.reduce((sum, { size }) => sum + size, 0),
    records,
    damaged,
    lost,
  }
}

/** A run that makes the same bytes replaces damaged ones. */
function isStillDamaged({ path, digest, changedMs }: StoredObject): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat !== undefined && (stat.ctimeMs === changedMs || hashFile(path) !== digest)
}

function lossOf(key: Digest, stores: Stores): string | null {
  if (stores.results.read(key) === null) return 'the record is damaged'
  const found = stores.results.find(key)
  return found.type === 'miss' ? found.lost : null
}
