/** Many or large files -> their digests, in threads, so that this one stays free for locks and events. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { hashAt, makeHasher } from './digest.ts'
import type { HashedFile } from './digest.ts'
import { STAMP_FIELDS } from './stamps.ts'

export interface FileToHash {
  readonly path: string
  readonly size: number
}

/** Gets every file's digest, in no order; `index` counts the files as they were given. */
export type TakeHash = (index: number, hashed: HashedFile) => void

const DIGEST_BYTES = 32
const MOST_THREADS = 4
/** A thread gets as much at once as takes it some milliseconds. */
const BATCH_FILES = 512
const BATCH_BYTES = 16 << 20

/** Up to one batch is hashed here and at once: that takes less time than starting a thread. */
export async function hashFiles(files: Iterable<FileToHash>, take: TakeHash): Promise<void> {
  const batches = batchesOf(files)
  const first = batches.next()
  if (first.done === true) return
  const second = batches.next()
  if (second.done === true && first.value.bytes <= BATCH_BYTES) {
    for (const [i, path] of first.value.paths.entries()) take(i, hashAt(path))
    return
  }
  const waiting = [first.value, ...(second.done === true ? [] : [second.value])]
  const nextBatch = (): Batch | null => {
    const next = waiting.shift() ?? batches.next()
    return 'paths' in next ? next : next.done === true ? null : next.value
  }
  const threads = Math.min(MOST_THREADS, Math.max(2, availableParallelism()))
  const ended = new AbortController()
  const workers = Array.from({ length: threads }, () => workThrough(nextBatch, take, ended.signal))
  try {
    await Promise.all(workers)
  } finally {
    // If one failed, the others stop after the batch in hand.
    ended.abort()
    await Promise.allSettled(workers)
  }
}

interface Batch {
  readonly first: number
  readonly paths: readonly string[]
  readonly bytes: number
}

function* batchesOf(files: Iterable<FileToHash>): Generator<Batch, undefined> {
  let first = 0
  let paths: string[] = []
  let bytes = 0
  for (const { path, size } of files) {
    paths.push(path)
    bytes += size
    if (paths.length < BATCH_FILES && bytes < BATCH_BYTES) continue
    yield { first, paths, bytes }
    first += paths.length
    paths = []
    bytes = 0
  }
  if (paths.length > 0) yield { first, paths, bytes }
}

/** One thread: takes batches until there are none. */
async function workThrough(next: () => Batch | null, take: TakeHash, signal: AbortSignal): Promise<void> {
  let batch = next()
  if (batch === null) return
  const thread = new Worker(THREAD, { eval: true })
  try {
    for (; batch !== null && !signal.aborted; batch = next()) {
      const answer = await ask(thread, batch.paths)
      if ('problem' in answer) throw Object.assign(new Error(answer.problem.message), answer.problem)
      const { digests, stamps, settled } = answer
      for (let i = 0; i < batch.paths.length; i++)
        take(batch.first + i, {
          digest: digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES),
          stamp: stamps.subarray(i * STAMP_FIELDS, (i + 1) * STAMP_FIELDS),
          isSettled: settled[i] === 1,
        })
    }
  } finally {
    await thread.terminate()
  }
}

type Answer =
  | { readonly digests: Uint8Array; readonly stamps: BigInt64Array; readonly settled: Uint8Array }
  | { readonly problem: { readonly message: string; readonly code?: string; readonly path?: string } }

function ask(thread: Worker, paths: readonly string[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      thread.off('message', onMessage).off('error', onError)
    }
    const onMessage = (answer: Answer): void => {
      settle()
      resolve(answer)
    }
    const onError = (error: Error): void => {
      settle()
      reject(error)
    }
    thread.on('message', onMessage).on('error', onError)
    thread.postMessage(paths)
  })
}

/** Self-contained text: it runs the same from the bundle and from the sources, and needs no file of its own. */
const THREAD = `
const { parentPort } = require('node:worker_threads')
const hash = (${makeHasher.toString()})(require('node:fs'), require('node:crypto'))
parentPort.on('message', (paths) => {
  const digests = new Uint8Array(paths.length * ${String(DIGEST_BYTES)})
  const stamps = new BigInt64Array(paths.length * ${String(STAMP_FIELDS)})
  const settled = new Uint8Array(paths.length)
  try {
    paths.forEach((path, i) => {
      const { digest, stamp, isSettled } = hash(path)
      digests.set(digest, i * ${String(DIGEST_BYTES)})
      stamps.set(stamp, i * ${String(STAMP_FIELDS)})
      settled[i] = isSettled ? 1 : 0
    })
    parentPort.postMessage({ digests, stamps, settled }, [digests.buffer, stamps.buffer])
  } catch ({ message, code, path }) {
    parentPort.postMessage({ problem: { message, code, path } })
  }
})
`
