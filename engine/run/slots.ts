/** How many jobs may hold a named resource at once; those that wait are served by rank, then in order. */

interface Waiting {
  readonly rank: number
  readonly start: () => void
}

export class Slots {
  readonly #free: Map<string, number>
  readonly #waiting = new Map<string, Waiting[]>()

  constructor(capacity: Readonly<Record<string, number>>) {
    this.#free = new Map(Object.entries(capacity))
  }

  /** Waits for a slot; higher rank first. The returned function gives it back. */
  async take(name: string, rank: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    const free = this.#free.get(name)
    if (free === undefined) throw new Error(`no resource is called ${name}`)
    if (free > 0) this.#free.set(name, free - 1)
    else await this.#queue(name, rank, signal)
    return () => this.#give(name)
  }

  #queue(name: string, rank: number, signal: AbortSignal): Promise<void> {
    const queue = this.#waiting.get(name) ?? []
    this.#waiting.set(name, queue)
    return new Promise((resolve, reject) => {
      const abort = () => {
        queue.splice(queue.indexOf(entry), 1)
        reject(signal.reason as Error)
      }
      const entry = {
        rank,
        start: () => {
          signal.removeEventListener('abort', abort)
          resolve()
        },
      }
      signal.addEventListener('abort', abort, { once: true })
      const before = queue.findIndex((other) => other.rank < rank)
      queue.splice(before === -1 ? queue.length : before, 0, entry)
    })
  }

  #give(name: string): void {
    const next = this.#waiting.get(name)?.shift()
    if (next !== undefined) next.start()
    else this.#free.set(name, (this.#free.get(name) ?? 0) + 1)
  }
}
