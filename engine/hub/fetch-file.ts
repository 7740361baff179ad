/** One file of a hub -> a file on disk that is what the hub calls it; what a broken try has brought is gone on with. */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { Patience } from '../remote/patience.ts'
import type { Pause } from '../remote/patience.ts'
import { RemoteTrouble } from '../remote/transport.ts'
import { bytesOf } from './api.ts'
import type { HubFile } from './api.ts'
import type { HubSettings } from './settings.ts'

export interface FetchFile {
  readonly settings: HubSettings
  readonly repository: string
  readonly commit: string
  readonly file: HubFile
  /** Appears whole and checked; beside it lies `.part` until then. */
  readonly target: string
  readonly pause: Pause
  /** Hears how many more bytes there are; fewer, if some have to come again. */
  readonly grown: (bytes: number) => void
}

/** Gives up when tries in a row bring nothing new. */
export async function fetchFile(wanted: FetchFile, signal: AbortSignal): Promise<void> {
  const part = `${wanted.target}.part`
  wanted.grown(sizeOf(part))
  for (;;) {
    const before = sizeOf(part)
    try {
      await new Patience(wanted.pause).ask(() => goOn(wanted, part, signal), signal)
      await rename(part, wanted.target)
      return
    } catch (error) {
      const mayPass = error instanceof RemoteTrouble && ['busy', 'broken', 'silent'].includes(error.kind)
      if (signal.aborted || !mayPass || sizeOf(part) <= before) throw error
    }
  }
}

async function goOn(wanted: FetchFile, part: string, signal: AbortSignal): Promise<void> {
  const { settings, repository, commit, file, grown } = wanted
  let size = sizeOf(part)
  const startAgain = async () => {
    await rm(part, { force: true })
    grown(-size)
    size = 0
  }
  if (size > file.size) await startAgain()
  const resumed = size > 0
  let hash = hashFor(file)
  if (resumed) for await (const chunk of createReadStream(part)) hash.update(chunk as Buffer)
  if (size < file.size || file.size === 0) {
    const { from, bytes } = await bytesOf(settings, repository, commit, { file, from: size }, signal)
    if (from < size) {
      await startAgain()
      hash = hashFor(file)
    }
    const handle = await open(part, 'a')
    try {
      for await (const chunk of bytes) {
        // A server that sends without end fills no disk.
        if (size + chunk.length > file.size)
          throw new RemoteTrouble('wrong', `sends more of ${file.path} than there is`)
        hash.update(chunk)
        await handle.appendFile(chunk)
        size += chunk.length
        grown(chunk.length)
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
  if (size < file.size) throw new RemoteTrouble('broken', `broke off in ${file.path}`)
  if (hash.digest('hex') === (file.sha256 ?? file.gitSha1)) return
  await startAgain()
  // What lay there may have been damaged by what stopped us; bytes that came in one piece were sent so.
  throw new RemoteTrouble(resumed ? 'broken' : 'wrong', `sends other bytes for ${file.path} than it lists`)
}

/** Git names a file by its length and its bytes. */
export function hashFor({ sha256, size }: Pick<HubFile, 'sha256' | 'size'>): Hash {
  return sha256 === null ? createHash('sha1').update(`blob ${String(size)}\0`) : createHash('sha256')
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
