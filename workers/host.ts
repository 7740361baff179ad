/** A worker process: takes jobs from stdin, runs one at a time, answers on file descriptor 3. */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate as tick } from 'node:timers/promises'
import { PROTOCOL } from './protocol/messages.ts'
import type { FailureKind, FromWorker, Job, ToWorker } from './protocol/messages.ts'
import { keepCheckpoints } from './checkpoint-folder.ts'
import { JobError } from './op.ts'
import type { Op, OpContext } from './op.ts'

/** Native libraries print to descriptors 1 and 2, so the protocol has one of its own. */
const PROTOCOL_FD = 3
/** Progress is sent at most this often; the last one of an op is always sent. */
const PROGRESS_MS = 100

export interface WorkerDescription {
  readonly worker: string
  readonly ops: readonly string[]
  readonly versions: Readonly<Record<string, string>>
  readonly load: (op: string) => Promise<Op>
}

export function serve(description: WorkerDescription): void {
  const cancelled = new Set<string>()
  let queue = Promise.resolve()
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity })
  lines.on('line', (line) => {
    const message = messageIn(line)
    if (message === null) return
    switch (message.type) {
      case 'hello': {
        const { worker, ops, versions } = description
        send({ type: 'ready', protocol: PROTOCOL, worker, ops, versions, devices: ['cpu'] })
        break
      }
      case 'job':
        queue = queue.then(() => runJob(message, description, cancelled))
        break
      case 'cancel':
        cancelled.add(message.id)
        break
      case 'bye':
        process.exit(0)
    }
  })
  // The engine is gone: nobody waits for the result, so do not go on computing.
  lines.on('close', () => process.exit(0))
}

/** What is no JSON object is said and passed over: a worker outlives a confused sender. */
function messageIn(line: string): ToWorker | null {
  try {
    const message = JSON.parse(line) as ToWorker | null
    if (typeof message === 'object' && message !== null) return message
  } catch {
    // Said below, like everything else that is no message.
  }
  process.stderr.write(`not a protocol message: ${line.slice(0, 200)}\n`)
  return null
}

async function runJob(
  job: Job,
  description: WorkerDescription,
  cancelled: ReadonlySet<string>,
): Promise<void> {
  send({ type: 'started', id: job.id })
  let sentAt = 0
  const context: OpContext = {
    with: job.with,
    inputs: job.inputs,
    outputs: job.outputs,
    threads: job.threads,
    progress(done, total, unit, values = {}) {
      const now = performance.now()
      if (now - sentAt < PROGRESS_MS && done < total) return
      sentAt = now
      const finite = Object.entries(values).map(
        ([name, value]) => [name, Number.isFinite(value) ? value : null] as const,
      )
      send({ type: 'progress', id: job.id, done, total, unit, values: Object.fromEntries(finite) })
    },
    note(level, text) {
      send({ type: 'note', id: job.id, level, text })
    },
    async throwIfCancelled() {
      await tick()
      if (cancelled.has(job.id)) throw new JobError('cancelled', 'stopped on request')
    },
    ...(job.checkpoint === undefined
      ? {}
      : { checkpoints: keepCheckpoints(job.checkpoint, (told) => send({ ...told, id: job.id })) }),
  }
  try {
    const op = await description.load(job.op)
    send({ type: 'done', id: job.id, summary: await op(context) })
  } catch (error) {
    send({ type: 'failed', id: job.id, ...failureOf(error) })
  }
}

interface FailureWords {
  kind: FailureKind
  message: string
  help: string | null
  detail: string | null
}

/** Ops are bundles of their own, so their `JobError` is another class of the same shape. */
function failureOf(error: unknown): FailureWords {
  if (!(error instanceof Error)) return { kind: 'bug', message: String(error), help: null, detail: null }
  const detail = error.stack ?? null
  if ('kind' in error && 'help' in error) {
    const { kind, help } = error as JobError
    return { kind, message: error.message, help, detail }
  }
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOMEM' || OUT_OF_MEMORY.test(error.message))
    return { kind: 'memory', message: `out of memory: ${error.message}`, help: null, detail }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return { kind: 'resources', message: 'the disk is full', help: 'free some space and run again', detail }
  }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EMFILE') {
    return { kind: 'resources', message: error.message, help: null, detail }
  }
  return { kind: 'bug', message: error.message, help: null, detail }
}

/** What C++ (`std::bad_alloc`), ONNX Runtime, V8's buffers, CUDA and the C library say. */
const OUT_OF_MEMORY =
  /\bbad_alloc\b|\bbad allocation\b|failed to allocate memory|Array buffer allocation failed|cannot allocate memory|\bout of memory\b/i

function send(message: FromWorker): void {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(PROTOCOL_FD, bytes, at)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EAGAIN') continue
      if (code === 'EPIPE') process.exit(0)
      throw error
    }
  }
}
