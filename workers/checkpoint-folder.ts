/** Checkpoints on disk: a folder appears under its step's number only when every byte of it is there to stay. */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import type { Checkpoints } from './op.ts'
import type { CheckpointPlace, CheckpointRecord, FromWorker } from './protocol/messages.ts'

/** Name of the record in the folder. */
const RECORD = 'checkpoint.json'
/** Saving takes at most one part in so many of the time: a slow disk or a large model is saved less often. */
const SHARE = 200
const CHUNK_BYTES = 1 << 20

type Told =
  | Omit<Extract<FromWorker, { type: 'checkpoint' | 'resumed' }>, 'id'>
  | Omit<Extract<FromWorker, { type: 'note' }>, 'id'>

export function keepCheckpoints(place: CheckpointPlace, tell: (told: Told) => void): Checkpoints {
  const found = place.resume === null ? null : { dir: place.resume, step: Number(basename(place.resume)) }
  let due = performance.now() + place.everyMs
  return {
    found,
    resumed: () => found !== null && tell({ type: 'resumed', step: found.step }),
    isDue: () => performance.now() >= due,
    save(step, write) {
      const began = performance.now()
      try {
        publish(place, step, write)
        tell({ type: 'checkpoint', step })
      } catch (error) {
        const text = `the checkpoint of step ${step} could not be written: ${(error as Error).message}`
        tell({ type: 'note', level: 'warning', text })
      }
      const ended = performance.now()
      due = ended + Math.max(place.everyMs, (ended - began) * SHARE)
    },
  }
}

function publish(place: CheckpointPlace, step: number, write: (dir: string) => void): void {
  const folder = join(place.dir, String(step))
  const unfinished = `${folder}.tmp`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { recursive: true })
  try {
    write(unfinished)
    const files: Record<string, { size: number; sha256: string }> = {}
    for (const name of readdirSync(unfinished).sort()) files[name] = flushAndDescribe(join(unfinished, name))
    const record: CheckpointRecord = { format: 1, of: place.of, step, files }
    writeFileSync(join(unfinished, RECORD), `${JSON.stringify(record, null, 1)}\n`)
    flush(join(unfinished, RECORD))
    flush(unfinished)
    // Only one that could not be verified can stand there.
    rmSync(folder, { recursive: true, force: true })
    renameSync(unfinished, folder)
    flush(place.dir)
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true })
    throw error
  }
}

function flushAndDescribe(path: string): { size: number; sha256: string } {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    let size = 0
    for (;;) {
      const count = readSync(fd, buffer, 0, buffer.length, null)
      if (count === 0) return { size, sha256: hash.digest('hex') }
      hash.update(buffer.subarray(0, count))
      size += count
    }
  } finally {
    closeSync(fd)
  }
}

/** Makes a file's bytes, or a folder's names, durable. */
function flush(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
