/** How much of each named resource may be held at once; those that wait are served by rank, then in order. */

interface Waiting {
  readonly rank: number
  readonly amount: number
  readonly start: () => void
}

export class Slots {
  readonly #free: Map<string, number>
  readonly #waiting = new Map<string, Waiting[]>()

  constructor(capacity: Readonly<Record<string, number>>) {
    this.#free = new Map(Object.entries(capacity))
  }

  /**
   * Waits until so much is free; higher rank first. The returned function gives it back. Who needs several resources
   * takes them in one fixed order, so that no two can wait for each other.
   */
  async take(name: string, rank: number, signal: AbortSignal, amount = 1): Promise<() => void> {
    signal.throwIfAborted()
    const free = this.#free.get(name)
    if (free === undefined) throw new Error(`no resource is called ${name}`)
    const queued = this.#waiting.get(name)?.length ?? 0
    if (free >= amount && queued === 0) this.#free.set(name, free - amount)
    else await this.#queue(name, rank, amount, signal)
    return () => this.#give(name, amount)
  }

  #queue(name: string, rank: number, amount: number, signal: AbortSignal): Promise<void> {
    const queue = this.#waiting.get(name) ?? []
    this.#waiting.set(name, queue)
    return new Promise((resolve, reject) => {
      const abort = () => {
        queue.splice(queue.indexOf(entry), 1)
        reject(signal.reason as Error)
        // It may have stood before smaller claims that fit.
        this.#give(name, 0)
      }
      const entry = {
        rank,
        amount,
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

  #give(name: string, amount: number): void {
    let free = (this.#free.get(name) ?? 0) + amount
    const queue = this.#waiting.get(name) ?? []
    for (let next = queue[0]; next !== undefined && next.amount <= free; next = queue[0]) {
      queue.shift()
      free -= next.amount
      next.start()
    }
    this.#free.set(name, free)
  }
}
