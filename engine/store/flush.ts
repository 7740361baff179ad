/**
 * Files and folders -> durable ones, off this thread. Flushes that are under way together cost the disk little more than
 * one; of those who want the same folder flushed, all that come while it is being flushed share the next flush.
 */
import { closeSync, fsync, openSync } from 'node:fs'

interface Flush {
  readonly now: Promise<void>
  /** Of those who came too late for this one. */
  next: Promise<void> | null
}

const underWay = new Map<string, Flush>()

/** Open at once for one caller. */
const WIDTH = 16

/** What was written to these files, or renamed into these folders, before the call is on the disk after it. */
export async function flush(paths: Iterable<string>): Promise<void> {
  const queue = [...paths]
  const lane = async (): Promise<void> => {
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) await flushOne(path)
  }
  await Promise.all(Array.from({ length: Math.min(WIDTH, queue.length) }, lane))
}

function flushOne(path: string): Promise<void> {
  const current = underWay.get(path)
  if (current === undefined) return start(path)
  const again = (): Promise<void> => start(path)
  return (current.next ??= current.now.then(again, again))
}

function start(path: string): Promise<void> {
  const now = flushNow(path)
  const flush: Flush = { now, next: null }
  underWay.set(path, flush)
  const forget = (): void => {
    if (flush.next === null) underWay.delete(path)
  }
  now.then(forget, forget)
  return now
}

async function flushNow(path: string): Promise<void> {
  const fd = openSync(path, 'r')
  try {
    await new Promise<void>((resolve, reject) => {
      fsync(fd, (error) => {
        if (error === null) resolve()
        else reject(Object.assign(error, { path }))
      })
    })
  } finally {
    closeSync(fd)
  }
}
