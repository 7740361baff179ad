/** One live worker process: send it a job, hear of its progress, stop it. The only importer of execa. */
import { execa } from 'execa'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { PROTOCOL } from '../../workers/protocol/messages.ts'
import type { FailureKind, FromWorker, Job, ToWorker } from '../../workers/protocol/messages.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import { endingText, lastLine } from './endings.ts'
import { memoryDeath, oomKills } from './memory-death.ts'

/** How a worker is started. */
export interface WorkerCommand {
  readonly command: string
  readonly args: readonly string[]
  /** Beside what our own environment says. */
  readonly env?: Readonly<Record<string, string>>
  /** Where it is started; here if absent. */
  readonly cwd?: string
  /** Where it answers: descriptor 3, as our Node workers do, or standard output, as those of others. */
  readonly answers?: 'fd3' | 'stdout'
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

/** Four pipes or socket pairs, the channel for the child's error, and some to spare. */
const FILES_OF_SPAWN = 12
const HELLO_MS = 30_000
/** Turns of the event loop without output after which a worker's pipes count as read. */
const QUIET_TURNS = 4
/** After a cancel message: TERM, then KILL, to the whole process group. */
const TERM_AFTER_MS = 5_000
const KILL_AFTER_MS = 2_000

export class WorkerSession {
  readonly #process
  readonly #group: number
  readonly #isForeign: boolean
  #listener: JobListener | null = null
  #job: string | null = null
  #settle: ((outcome: JobOutcome) => void) | null = null
  #giveUp: ((error: unknown) => void) | null = null
  #ready: (() => void) | null = null
  /** What a worker of others says that it can do; ours are asked and answer. */
  #ops: readonly string[] | null = null
  #gone: string | null = null
  #killedBy: string | null = null
  /** The kernel's count when the job at hand began. */
  #kills: number | null = null
  #tail = ''
  #heard = 0
  /** What a listener threw, such as a full disk under the log. */
  #trouble: Error | null = null

  private constructor(worker: WorkerCommand) {
    // A group of its own: Ctrl-C reaches only us, and KILL reaches what the worker started.
    this.#process = execa(worker.command, worker.args, {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
      env: worker.env ?? {},
      ...(worker.cwd === undefined ? {} : { cwd: worker.cwd }),
      buffer: false,
      reject: false,
    } as const)
    this.#group = this.#process.pid ?? 0
    const { stdout, stderr } = this.#process
    this.#isForeign = worker.answers === 'stdout'
    const answers = this.#isForeign ? stdout : this.#process.stdio[3]
    for (const stream of [stdout, stderr]) {
      if (stream === answers) continue
      // Decoded by the stream: a character may be cut between two chunks.
      stream.setEncoding('utf8').on('data', (text: string) => this.#hear(text))
    }
    // What the worker started may outlive it and hold its pipes open; then its end would never be seen.
    this.#process.once('exit', () => this.#signal('SIGKILL'))
    createInterface({ input: answers }).on('line', (line) => this.#take(line))
    this.#process.stdin.on('error', () => undefined)
    void this.#process.then((result) => {
      this.#gone = `the worker ${endingText(worker.command, result)}`
      this.#killedBy = result.signal ?? null
      this.#finish(this.#lost(this.#gone))
      this.#ready?.()
    })
  }

  static async start(worker: WorkerCommand, signal?: AbortSignal): Promise<WorkerSession> {
    signal?.throwIfAborted()
    probeFiles()
    const session = new WorkerSession(worker)
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        clearTimeout(timer)
        session.#signal('SIGKILL')
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', abort, { once: true })
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort)
        session.#signal('SIGKILL')
        reject(new Error(`the worker did not answer within ${String(HELLO_MS / 1000)} s: ${worker.command}`))
      }, HELLO_MS)
      session.#ready = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        if (session.#gone === null) resolve()
        else reject(new Error(`${session.#gone}\n${session.#tail}`.trimEnd()))
      }
      session.#send({ type: 'hello', protocol: PROTOCOL })
    })
    return session
  }

  /** What a worker of others says that it can do; null of ours. */
  get ops(): readonly string[] | null {
    return this.#ops
  }

  get isGone(): boolean {
    return this.#gone !== null
  }

  /** Runs one job; an abort of the signal asks first, then ends the process. */
  async run(job: Job, listener: JobListener, signal: AbortSignal): Promise<JobOutcome> {
    signal.throwIfAborted()
    if (this.#gone !== null) return this.#lost(this.#gone)
    if (this.#ops?.includes(job.op) === false) return unable(job.op, this.#ops)
    const outcome = new Promise<JobOutcome>((resolve, reject) => {
      this.#settle = resolve
      this.#giveUp = reject
    })
    this.#trouble = null
    this.#kills = oomKills()
    this.#job = job.id
    this.#listener = listener
    const over = new AbortController()
    const stop = () => void this.#stop(job.id, over.signal)
    signal.addEventListener('abort', stop, { once: true })
    this.#send(job)
    try {
      const ended = await outcome
      await this.#hearOut()
      this.#throwTrouble()
      return ended
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

  #lost(message: string): JobOutcome {
    const death = { signal: this.#killedBy, tail: this.#tail, killsBefore: this.#kills, killsNow: oomKills() }
    const memory = memoryDeath(death)
    if (memory !== null)
      return { type: 'failed', kind: 'memory', message: memory, help: null, detail: this.#tail }
    const last = this.#killedBy === null ? lastLine(this.#tail) : null
    const help =
      this.#killedBy === null
        ? 'its log has all that it printed; finished stages are kept'
        : 'run again; finished stages are kept. A worker that is killed is often out of memory'
    const words = last === null ? message : `${message}; the last it printed: ${last}`
    return { type: 'failed', kind: 'worker-lost', message: words, help, detail: this.#tail }
  }

  #send(message: ToWorker): void {
    this.#process.stdin.write(`${JSON.stringify(message)}\n`)
  }

  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    // Group 0 would be our own.
    if (this.#group === 0) return
    try {
      process.kill(-this.#group, signal)
    } catch {
      // Gone already.
    }
  }

  /** What was printed before the last word lies in another pipe: read until that is quiet for some turns. */
  async #hearOut(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS;) {
      const before = this.#heard
      await turn()
      quiet = this.#heard === before ? quiet + 1 : 0
    }
  }

  #throwTrouble(): void {
    if (this.#trouble !== null) throw this.#trouble
  }

  #hear(text: string): void {
    this.#heard += text.length
    this.#tail = (this.#tail + text).slice(-4000)
    this.#tell((listener) => listener.output(text))
  }

  #take(line: string): void {
    const message = messageIn(line)
    if (message === null) {
      this.#hear(`not a protocol message: ${line}\n`)
      // Waiting for the rest of the conversation could be waiting for ever.
      if (MEANT_AS_MESSAGE.test(line) && !isJson(line)) this.#finish(unreadable(line))
      return
    }
    if (message.type === 'ready') {
      if (this.#isForeign && Array.isArray(message.ops)) this.#ops = message.ops
      if (message.protocol === PROTOCOL) this.#ready?.()
      return
    }
    // A late word on an earlier job says nothing of this one.
    if (message.id !== this.#job) return
    this.#tell((listener) => listener.message(message))
    if (message.type === 'done') this.#finish({ type: 'done', summary: message.summary })
    if (message.type === 'failed') {
      const { kind, message: words, help, detail } = message
      this.#finish({ type: 'failed', kind, message: words, help, detail })
    }
  }

  /** A listener writes files: its error (a full disk) is the job's, not one that nobody catches. */
  #tell(say: (listener: JobListener) => void): void {
    if (this.#listener === null) return
    try {
      say(this.#listener)
    } catch (error) {
      this.#settle = null
      this.#trouble = error as Error
      this.#giveUp?.(error)
    }
  }

  #finish(outcome: JobOutcome): void {
    const settle = this.#settle
    this.#settle = null
    settle?.(outcome)
  }
}

function unable(op: string, ops: readonly string[]): JobOutcome {
  const message = `the worker says that it cannot do ${op}; it can do ${ops.join(', ') || 'nothing'}`
  return {
    type: 'failed',
    kind: 'input',
    message,
    help: 'another worker, or another version of it',
    detail: null,
  }
}

const NO_WORDS = { help: null, detail: null }
/** Begins like a message: a number that JSON does not know, such as NaN, makes it unreadable. */
const MEANT_AS_MESSAGE = /^\s*\{\s*"type"\s*:\s*"[a-z]+"/

function isJson(line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

function unreadable(line: string): JobOutcome {
  const message = 'the worker sent a message that is not JSON'
  return {
    type: 'failed',
    kind: 'bug',
    message,
    help: 'NaN and Infinity are null',
    detail: line.slice(0, 1000),
  }
}

/** A spawn that fails for want of files leaves an error that nobody can catch: ask for as many before. */
function probeFiles(): void {
  const opened: number[] = []
  try {
    while (opened.length < FILES_OF_SPAWN) opened.push(openSync('/dev/null', 'r'))
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

const TYPES: readonly string[] = [
  'ready',
  'started',
  'progress',
  'note',
  'checkpoint',
  'resumed',
  'done',
  'failed',
] satisfies FromWorker['type'][]

function messageIn(line: string): FromWorker | null {
  try {
    const message = JSON.parse(line) as FromWorker | null
    if (message === null || !TYPES.includes(message.type)) return null
    // Workers of others may leave out what they have nothing to say on.
    return message.type === 'failed' ? { ...NO_WORDS, ...message } : message
  } catch {
    return null
  }
}
