/** Which workers are alive: a warm one is used again, a lost one is replaced, all end with the run. */
import { WorkerSession } from './session.ts'
import type { JobListener, JobOutcome, WorkerCommand } from './session.ts'
import type { Job } from '../../workers/protocol/messages.ts'

export class WorkerPool {
  readonly #commands: Readonly<Record<string, WorkerCommand>>
  readonly #idle = new Map<string, WorkerSession[]>()
  readonly #all = new Set<WorkerSession>()

  constructor(commands: Readonly<Record<string, WorkerCommand>>) {
    this.#commands = commands
  }

  async run(worker: string, job: Job, listener: JobListener, signal: AbortSignal): Promise<JobOutcome> {
    let session: WorkerSession
    try {
      session = await this.#take(worker, signal)
    } catch (error) {
      signal.throwIfAborted()
      return {
        type: 'failed',
        kind: 'worker-lost',
        message: (error as Error).message,
        help: 'sluice doctor looks at the workers',
        detail: null,
      }
    }
    const outcome = await session.run(job, listener, signal)
    // After a cancelled or failed job the process may hold half-done work: do not use it again.
    if (outcome.type === 'done' && !session.isGone) this.#idle.get(worker)?.push(session)
    else await session.end()
    return outcome
  }

  async #take(worker: string, signal: AbortSignal): Promise<WorkerSession> {
    const idle = this.#idle.get(worker) ?? []
    this.#idle.set(worker, idle)
    for (let session = idle.pop(); session !== undefined; session = idle.pop()) {
      if (!session.isGone) return session
    }
    const command = this.#commands[worker]
    if (command === undefined) throw new Error(`no worker is called ${worker}`)
    const session = await WorkerSession.start(command, signal)
    this.#all.add(session)
    return session
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((session) => session.end()))
  }
}
