/** One live worker process: send it a job, hear of its progress, stop it. The only importer of execa. */
import { execa } from 'execa'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROTOCOL } from '../../workers/protocol/messages.ts'
import type { FailureKind, FromWorker, Job, ToWorker } from '../../workers/protocol/messages.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'

/** How a worker is started. */
export interface WorkerCommand {
  readonly command: string
  readonly args: readonly string[]
}

export type JobOutcome =
  | { readonly type: 'done'; readonly summary: JsonObject }
  | {
      readonly type: 'failed'
      readonly kind: FailureKind | 'worker-lost'
      readonly message: string
      readonly help: string | null
      readonly detail: string | null
    }

export interface JobListener {
  readonly message: (message: FromWorker) => void
  /** What the process itself or a native library printed. */
  readonly output: (text: string) => void
}

const HELLO_MS = 30_000
/** After a cancel message: TERM, then KILL, to the whole process group. */
const TERM_AFTER_MS = 5_000
const KILL_AFTER_MS = 2_000

export class WorkerSession {
  readonly #process
  readonly #group: number
  #listener: JobListener | null = null
  #settle: ((outcome: JobOutcome) => void) | null = null
  #ready: (() => void) | null = null
  #gone: string | null = null
  #tail = ''

  private constructor(worker: WorkerCommand) {
    // A group of its own: Ctrl-C reaches only us, and KILL reaches what the worker started.
    this.#process = execa(worker.command, worker.args, {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
      buffer: false,
      reject: false,
    } as const)
    this.#group = this.#process.pid ?? 0
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.on('data', (chunk: Buffer) => this.#hear(chunk.toString()))
    }
    const answers = this.#process.stdio[3] as unknown as Readable
    createInterface({ input: answers }).on('line', (line) => this.#take(line))
    this.#process.stdin.on('error', () => undefined)
    void this.#process.then((result) => {
      const how = result.signal === undefined ? `exit code ${String(result.exitCode)}` : result.signal
      this.#gone = `the worker ended with ${how}`
      this.#finish({
        type: 'failed',
        kind: 'worker-lost',
        message: this.#gone,
        help: 'run again; finished stages are kept. A worker that is killed is often out of memory',
        detail: this.#tail,
      })
      this.#ready?.()
    })
  }

  static async start(worker: WorkerCommand): Promise<WorkerSession> {
    const session = new WorkerSession(worker)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        session.#signal('SIGKILL')
        reject(new Error(`the worker did not answer within ${String(HELLO_MS / 1000)} s: ${worker.command}`))
      }, HELLO_MS)
      session.#ready = () => {
        clearTimeout(timer)
        if (session.#gone === null) resolve()
        else reject(new Error(`${session.#gone}\n${session.#tail}`))
      }
      session.#send({ type: 'hello', protocol: PROTOCOL })
    })
    return session
  }

  get isGone(): boolean {
    return this.#gone !== null
  }

  /** Runs one job; an abort of the signal asks first, then ends the process. */
  async run(job: Job, listener: JobListener, signal: AbortSignal): Promise<JobOutcome> {
    signal.throwIfAborted()
    const outcome = new Promise<JobOutcome>((resolve) => (this.#settle = resolve))
    this.#listener = listener
    const over = new AbortController()
    const stop = () => void this.#stop(job.id, over.signal)
    signal.addEventListener('abort', stop, { once: true })
    this.#send(job)
    try {
      return await outcome
    } finally {
      over.abort()
      signal.removeEventListener('abort', stop)
      this.#listener = null
    }
  }

  async #stop(id: string, over: AbortSignal): Promise<void> {
    this.#send({ type: 'cancel', id })
    try {
      await sleep(TERM_AFTER_MS, undefined, { signal: over })
      this.#signal('SIGTERM')
      await sleep(KILL_AFTER_MS, undefined, { signal: over })
      this.#signal('SIGKILL')
    } catch {
      // The job ended in time.
    }
  }

  /** Ends the process: politely, then not. */
  async end(): Promise<void> {
    if (this.#gone !== null) return
    this.#send({ type: 'bye' })
    const timer = setTimeout(() => this.#signal('SIGKILL'), KILL_AFTER_MS)
    await this.#process
    clearTimeout(timer)
  }

  #send(message: ToWorker): void {
    this.#process.stdin.write(`${JSON.stringify(message)}\n`)
  }

  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    try {
      process.kill(-this.#group, signal)
    } catch {
      // Gone already.
    }
  }

  #hear(text: string): void {
    this.#tail = (this.#tail + text).slice(-4000)
    this.#listener?.output(text)
  }

  #take(line: string): void {
    let message: FromWorker
    try {
      message = JSON.parse(line) as FromWorker
    } catch {
      this.#hear(`not a protocol message: ${line}\n`)
      return
    }
    if (message.type === 'ready') {
      if (message.protocol === PROTOCOL) this.#ready?.()
      return
    }
    this.#listener?.message(message)
    if (message.type === 'done') this.#finish({ type: 'done', summary: message.summary })
    if (message.type === 'failed') {
      const { kind, message: words, help, detail } = message
      this.#finish({ type: 'failed', kind, message: words, help, detail })
    }
  }

  #finish(outcome: JobOutcome): void {
    const settle = this.#settle
    this.#settle = null
    settle?.(outcome)
  }
}
