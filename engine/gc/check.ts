/** Looks for damage in the store: bytes that are not what their name says, records whose bytes are gone. */
import type { Digest } from '../artifact.ts'
import type { Stores } from '../environment.ts'
import { digestText } from '../store/digest.ts'
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

/** `full` reads every byte; else sizes and lists are compared. What is damaged is moved into quarantine. */
export async function checkStore(stores: Stores, { full }: { readonly full: boolean }): Promise<Damage> {
  const objects = [...stores.blobs.objects()].filter((each): each is StoredObject => each.digest !== null)
  const damaged: Digest[] = []
  if (full)
    await hashFiles(objects, (index, { digest }) => {
      const object = objects[index]
      if (object !== undefined && digestText(digest) !== object.digest) damaged.push(object.digest)
    })
  for (const digest of damaged.sort()) stores.blobs.putAside(digest)
  const lost: { key: Digest; why: string }[] = []
  let records = 0
  for (const { key } of stores.results.records()) {
    records += 1
    const why = stores.results.read(key) === null ? 'the record is damaged' : lostOf(key, stores)
    if (why === null) continue
    lost.push({ key, why })
    stores.results.quarantine(key)
  }
  return {
    objects: objects.length,
    bytes: objects.reduce((sum, { size }) => sum + size, 0),
    records,
    damaged,
    lost,
  }
}

function lostOf(key: Digest, stores: Stores): string | null {
  const found = stores.results.find(key)
  return found.type === 'miss' ? found.lost : null
}
