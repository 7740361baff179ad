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
    for (;;) {
      const warm = this.#warm(worker)
      let session: WorkerSession
      try {
        session = warm ?? (await this.#start(worker, signal))
      } catch (error) {
        signal.throwIfAborted()
        const { code = '' } = error as NodeJS.ErrnoException
        if (['EMFILE', 'ENFILE'].includes(code)) throw error
        const help = 'sluice doctor looks at the workers'
        return { type: 'failed', kind: 'worker-lost', message: (error as Error).message, help, detail: null }
      }
      let heard = false
      const message: JobListener['message'] = (said) => {
        heard = true
        listener.message(said)
      }
      const outcome = await session
        .run(job, { ...listener, message }, signal)
        .catch(async (error: unknown) => {
          // It may still write into the folder that is about to be removed.
          await session.end()
          throw error
        })
      // After a cancelled or failed job the process may hold half-done work: do not use it again.
      if (outcome.type === 'done' && !session.isGone) this.#idle.get(worker)?.push(session)
      else await session.end()
      // A warm worker may end before it hears of the job: nothing began, so a fresh one takes it.
      const unheard = outcome.type === 'failed' && outcome.kind === 'worker-lost' && !heard
      if (warm === null || !unheard || signal.aborted) return outcome
    }
  }

  #warm(worker: string): WorkerSession | null {
    const idle = this.#idle.get(worker) ?? []
    this.#idle.set(worker, idle)
    for (let session = idle.pop(); session !== undefined; session = idle.pop()) {
      if (!session.isGone) return session
    }
    return null
  }

  async #start(worker: string, signal: AbortSignal): Promise<WorkerSession> {
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
