/** Bytes of a remote onto disk: they are what they are called, or they are refused. */
import { createHash } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import type { Blob } from './pack.ts'
import type { RemoteName, Transport } from './transport.ts'
import { RemoteTrouble } from './transport.ts'

/** Writes a blob into a new file, hashing as it comes. Throws, and leaves no file, unless digest and size are right. */
export async function download(
  transport: Transport,
  name: RemoteName,
  blob: Blob,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const short = blob.digest.slice('sha256:'.length, 'sha256:'.length + 12)
  const wrong = (how: string) => new RemoteTrouble('wrong', `the blob ${short} ${how}`, { blob: blob.digest })
  const stream = await transport.get(name, blob.size, signal)
  if (stream === null) throw wrong('is not there, though its record is')
  const hash = createHash('sha256')
  const file = await open(target, 'wx')
  try {
    let size = 0
    for await (const chunk of stream) {
      size += chunk.length
      // A server that sends without end fills no disk.
      if (size > blob.size) throw wrong('is longer than its record says')
      hash.update(chunk)
      await file.appendFile(chunk)
    }
    if (size < blob.size) throw wrong('ends too early')
    if (`sha256:${hash.digest('hex')}` !== blob.digest) throw wrong('has other bytes')
  } catch (error) {
    await file.close()
    await rm(target, { force: true })
    throw error
  }
  await file.close()
}

/** A small file as text. Throws if it is longer than `most` bytes; null if it is not there. */
export async function downloadText(
  transport: Transport,
  name: RemoteName,
  most: number,
  signal: AbortSignal,
): Promise<string | null> {
  const stream = await transport.get(name, most, signal)
  if (stream === null) return null
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > most) throw new RemoteTrouble('wrong', 'a record is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
