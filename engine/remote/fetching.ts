/** A checked record -> its bytes in the store; only then is there a result. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { digestOf } from '../artifact.ts'
import type { Artifact, Digest } from '../artifact.ts'
import type { BlobStore } from '../store/blobs.ts'
import { takeVerified } from '../store/intake.ts'
import type { Arrival } from '../store/intake.ts'
import { checkedTree } from './check-tree.ts'
import { download } from './download.ts'
import { WIDTH } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { readPack } from './pack.ts'
import type { Blob, Pack } from './pack.ts'
import { inParallel } from './parallel.ts'
import type { RemoteRecord } from './record.ts'
import { blobName, RemoteTrouble } from './transport.ts'

/** What the store lacks of a record, as it has to be asked for. */
export function lacking({ large, packs }: RemoteRecord, blobs: BlobStore): readonly (Blob | Pack)[] {
  return [
    ...large.filter((blob) => !blobs.has(blob)),
    ...packs.filter(({ pieces }) => !pieces.every((piece) => blobs.has(piece))),
  ]
}

export interface Fetched {
  readonly bytes: number
  /** To be flushed before a record names what was fetched. */
  readonly folders: ReadonlySet<string>
}

/** Fetches what the store lacks. Throws unless every output is then there, whole and in a form that we would write. */
export async function fetchBytes(record: RemoteRecord, fetching: Exchange): Promise<Fetched> {
  const { transport, blobs, folder, ask, signal } = fetching
  mkdirSync(folder, { recursive: true })
  // What is there already has to be there still when the rest has come.
  for (const blob of [...record.large, ...record.packs.flatMap(({ pieces }) => pieces)])
    if (blobs.has(blob)) blobs.touch(blob.digest)
  const wanted = lacking(record, blobs)
  const folders = new Set<string>()
  let tried = 0
  await inParallel(wanted, WIDTH, async (blob) => {
    const place = () => join(folder, String(tried++))
    const path = await ask(async () => {
      const target = place()
      await download(transport, blobName(blob.digest), blob, target, signal)
      return target
    })
    const arrivals = 'pieces' in blob ? await unpack(blob, path) : [{ path, digest: blob.digest }]
    for (const touched of await takeVerified(arrivals, blobs)) folders.add(touched)
  })
  for (const artifact of Object.values(record.result.outputs)) checkOutput(artifact, blobs)
  return { bytes: wanted.reduce((sum, { size }) => sum + size, 0), folders }
}

/** A file for each piece, beside the pack. */
async function unpack(pack: Pack, path: string): Promise<readonly Arrival[]> {
  const pieces: Arrival[] = []
  for await (const [{ digest }, bytes] of readPack(pack, path)) {
    if (digestOf(bytes) !== digest)
      throw new RemoteTrouble('wrong', 'a pack holds other files than its record says')
    const single = `${path}.${String(pieces.length)}`
    writeFileSync(single, bytes)
    pieces.push({ path: single, digest })
  }
  return pieces
}

function checkOutput({ tree, bytes }: Artifact, blobs: BlobStore): void {
  const refuse = (why: string) => new RemoteTrouble('wrong', `a record ${why}`)
  const files = checkedTree(listBytes(tree, blobs), tree)
  if (files === null) throw refuse('names a list of files that cannot be laid out safely')
  if (files.length === 0 || files.reduce((sum, { size }) => sum + size, 0) !== bytes)
    throw refuse('names another size than its files have')
  if (!files.every((file) => blobs.has(file))) throw refuse('does not bring all of its files')
}

function listBytes(tree: Digest, blobs: BlobStore): Uint8Array {
  try {
    return readFileSync(blobs.pathOf(tree))
  } catch (error) {
    throw new RemoteTrouble('wrong', 'a record does not bring the list of its files', { cause: error })
  }
}
