/** Many or large files -> their digests, in threads, so that this one stays free for locks and events. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { hashAt, makeHasher } from './digest.ts'
import type { HashedFile } from './digest.ts'
import { STAMP_FIELDS } from './stamps.ts'

export interface FileToHash {
  readonly path: string
  readonly size: number
  /** A new file that gets the bytes as they are hashed. */
  readonly copy?: string | null
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
    for (const [i, { path, copy }] of first.value.files.entries()) take(i, hashAt(path, copy))
    return
  }
  const waiting = [first.value, ...(second.done === true ? [] : [second.value])]
  const nextBatch = (): Batch | null => {
    const next = waiting.shift() ?? batches.next()
    return 'files' in next ? next : next.done === true ? null : next.value
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
  readonly files: readonly FileToHash[]
  readonly bytes: number
}

function* batchesOf(files: Iterable<FileToHash>): Generator<Batch, undefined> {
  let first = 0
  let batch: FileToHash[] = []
  let bytes = 0
  for (const file of files) {
    batch.push(file)
    bytes += file.size
    if (batch.length < BATCH_FILES && bytes < BATCH_BYTES) continue
    yield { first, files: batch, bytes }
    first += batch.length
    batch = []
    bytes = 0
  }
  if (batch.length > 0) yield { first, files: batch, bytes }
}

/** One thread: takes batches until there are none. */
async function workThrough(next: () => Batch | null, take: TakeHash, signal: AbortSignal): Promise<void> {
  let batch = next()
  if (batch === null) return
  const thread = new Worker(THREAD, { eval: true })
  try {
    for (; batch !== null && !signal.aborted; batch = next()) {
      const answer = await ask(thread, batch.files)
      if ('problem' in answer) throw Object.assign(new Error(answer.problem.message), answer.problem)
      const { digests, stamps, settled } = answer
      for (let i = 0; i < batch.files.length; i++)
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

function ask(thread: Worker, files: readonly FileToHash[]): Promise<Answer> {
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
    // Only what the thread uses, and cheap to send for many files.
    thread.postMessage(files.map(({ path, copy }) => (copy == null ? path : [path, copy])))
  })
}

/** Self-contained text: it runs the same from the bundle and from the sources, and needs no file of its own. */
const THREAD = `
const { parentPort } = require('node:worker_threads')
const hash = (${makeHasher.toString()})(require('node:fs'), require('node:crypto'))
parentPort.on('message', (files) => {
  const digests = new Uint8Array(files.length * ${String(DIGEST_BYTES)})
  const stamps = new BigInt64Array(files.length * ${String(STAMP_FIELDS)})
  const settled = new Uint8Array(files.length)
  try {
    files.forEach((file, i) => {
      const { digest, stamp, isSettled } = typeof file === 'string' ? hash(file) : hash(...file)
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
