/** Files of a commit into a folder, several at a time, each appearing whole and checked. */
import { chmodSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { inParallel } from '../remote/parallel.ts'
import type { HubFile } from './api.ts'
import { fetchFile } from './fetch-file.ts'
import type { Fetching, Pinned } from './fetching.ts'
import { bytesIn, isWhole } from './snapshot.ts'
import { HubTrouble } from './trouble.ts'

/** Files at a time. */
const WIDTH = 4
/** Beyond the model itself, so that the run finds some space as well. */
const SPARE_BYTES = 200e6

/** What lies in the folder at its full length was checked when it came. */
export async function bringFiles(
  files: readonly HubFile[],
  { repository, commit }: Pinned,
  folder: string,
  { settings, pause, progress }: Fetching,
  signal: AbortSignal,
): Promise<void> {
  const lacking = files.filter((file) => !isWhole(folder, { files: [file] }))
  if (lacking.length === 0) return
  const total = bytesIn({ files: lacking })
  checkSpace(folder, total)
  let done = 0
  await inParallel(lacking, WIDTH, async (file) => {
    const target = join(folder, file.path)
    const grown = (bytes: number) => progress((done += bytes), total)
    await fetchFile({ settings, repository, commit, file, target, pause, grown }, signal)
    // Nobody has a reason to edit it, and a mistake would be in every key.
    chmodSync(target, 0o444)
  })
}

function checkSpace(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize >= bytes + SPARE_BYTES) return
  const gigabytes = (count: number) => `${(count / 1e9).toFixed(1)} GB`
  throw new HubTrouble(
    'machine',
    `the model takes ${gigabytes(bytes)}, the disk has ${gigabytes(bavail * bsize)} left`,
    'free some space (sluice gc --dry-run shows what could go) and run again',
  )
}
