/** A result of the store -> its bytes in the remote, and last its record. */
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { BlobStore } from '../store/blobs.ts'
import type { Result } from '../store/results.ts'
import { WIDTH } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { divide, writePack } from './pack.ts'
import type { Blob, Pack } from './pack.ts'
import { inParallel } from './parallel.ts'
import { blobName } from './transport.ts'

export interface Sending extends Exchange {
  /** Blobs that the remote was seen to give other bytes for: sent even if it has something by their name. */
  readonly rotten: ReadonlySet<string>
}

export interface Sent {
  readonly large: readonly Blob[]
  readonly packs: readonly Pack[]
  /** How many blobs were not there yet, and how large they are together. */
  readonly blobs: number
  readonly bytes: number
}

export async function sendBytes(result: Result, sending: Sending): Promise<Sent> {
  const { transport, blobs, folder, ask, rotten, signal } = sending
  const { large, packs: divided } = divide(blobsOf(result, blobs))
  mkdirSync(folder, { recursive: true })
  const packs: Pack[] = []
  const sent = { blobs: 0, bytes: 0 }
  const send = async (blob: Blob, file: string) => {
    const name = blobName(blob.digest)
    const there = await ask(() => transport.head(name, signal))
    if ((there === blob.size || there === 'unknown') && !rotten.has(blob.digest)) return
    await ask(() => transport.put(name, { ...blob, from: { file } }, signal))
    sent.blobs++
    sent.bytes += blob.size
  }
  await inParallel(large, WIDTH, (blob) => send(blob, blobs.pathOf(blob.digest)))
  for (const [i, pieces] of divided.entries()) {
    const file = join(folder, `pack-${String(i)}`)
    const pack = await writePack(pieces, (digest) => blobs.pathOf(digest), file)
    await send(pack, file)
    rmSync(file)
    packs.push(pack)
  }
  return { large, packs, ...sent }
}

/** Every file of a result, and the lists that name them. Throws if the store does not have all of it. */
function blobsOf(result: Result, blobs: BlobStore): readonly Blob[] {
  return Object.values(result.outputs).flatMap((artifact) => {
    const tree = blobs.openTree(artifact.tree)
    if ('lost' in tree) throw new Error(tree.lost)
    return [{ digest: tree.digest, size: statSync(blobs.pathOf(tree.digest)).size }, ...tree.files]
  })
}
