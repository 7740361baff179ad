/** Which workers are alive: a warm one is used again, a lost one is replaced, all end with the run. */
import { gpuEnvironment } from './gpu-environment.ts'
import type { JobListener, JobOutcome, WorkerCommand, WorkerSession } from './session.ts'
import type { Job } from '../../workers/protocol/messages.ts'

interface Seat {
  readonly gpus: readonly string[]
  readonly sessions: WorkerSession[]
}

export class WorkerPool {
  readonly #commands: Readonly<Record<string, WorkerCommand>>
  /** By worker and GPUs: a process that was started for one GPU cannot change to another. */
  readonly #idle = new Map<string, Seat>()
  readonly #all = new Set<WorkerSession>()
  #isOver = false

  constructor(commands: Readonly<Record<string, WorkerCommand>>) {
    this.#commands = commands
  }

  /** @param gpus those that the job holds; without any its worker sees what we see */
  async run(
    worker: string,
    job: Job,
    listener: JobListener,
    signal: AbortSignal,
    gpus: readonly string[] = [],
  ): Promise<JobOutcome> {
    const seat = this.#seat(worker, gpus)
    for (;;) {
      const warm = warmIn(seat)
      let session: WorkerSession
      try {
        session = warm ?? (await this.#start(worker, gpus, signal))
      } catch (error) {
        signal.throwIfAborted()
        const { code = '' } = error as NodeJS.ErrnoException
        if (['EMFILE', 'ENFILE'].includes(code)) throw error
        const { message } = error as Error
        // It died before it had a job; what it printed belongs into the log of the job that it was to do.
        listener.output(`${message}\n`)
        const help = 'sluice doctor looks at the workers'
        return { type: 'failed', kind: 'worker-lost', message, help, detail: null }
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
          await this.#end(session)
          throw error
        })
      // After a cancelled or failed job the process may hold half-done work: do not use it again.
      if (outcome.type === 'done' && !session.isGone) seat.sessions.push(session)
      else await this.#end(session)
      // A warm worker may end before it hears of the job: nothing began, so a fresh one takes it.
      const unheard = outcome.type === 'failed' && outcome.kind === 'worker-lost' && !heard
      if (warm === null || !unheard || signal.aborted) return outcome
    }
  }

  #seat(worker: string, gpus: readonly string[]): Seat {
    const name = JSON.stringify([worker, gpus])
    const seat = this.#idle.get(name) ?? { gpus, sessions: [] }
    this.#idle.set(name, seat)
    return seat
  }

  async #start(worker: string, gpus: readonly string[], signal: AbortSignal): Promise<WorkerSession> {
    const command = this.#commands[worker]
    if (command === undefined) throw new Error(`no worker is called ${worker}`)
    await this.#clear(gpus)
    const env = { ...command.env, ...gpuEnvironment(gpus) }
    // A run that finds everything cached starts nothing, and this loads execa.
    const { WorkerSession } = await import('./session.ts')
    const session = await WorkerSession.start({ ...command, env }, signal)
    this.#all.add(session)
    // The run may have ended while it started, and then nobody else would end it.
    if (this.#isOver) {
      await session.end()
      throw new Error('the run is over')
    }
    return session
  }

  /** An idle worker may still have a model in the memory of a GPU that somebody else holds now. */
  async #clear(gpus: readonly string[]): Promise<void> {
    const others = [...this.#idle.values()].filter((seat) => seat.gpus.some((gpu) => gpus.includes(gpu)))
    await Promise.all(
      others.flatMap(({ sessions }) => sessions.splice(0)).map((session) => this.#end(session)),
    )
  }

  async #end(session: WorkerSession): Promise<void> {
    await session.end()
    this.#all.delete(session)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await Promise.all([...this.#all].map((session) => session.end()))
  }
}

function warmIn({ sessions }: Seat): WorkerSession | null {
  for (let session = sessions.pop(); session !== undefined; session = sessions.pop()) {
    if (!session.isGone) return session
  }
  return null
}
