/** The right to change `out/`, kept for a moment after each use, so that a burst of short stages takes it once. */
import type { Right, Rights } from './rights.ts'

const KEPT_MS = 100

export class ShowingRight {
  readonly #take: () => ReturnType<Rights['tryTake']>
  #kept: { readonly right: Right; readonly timer: NodeJS.Timeout } | null = null

  constructor(rights: Rights, name: string) {
    this.#take = () => rights.tryTake(name)
  }

  /** Does it now; false if another run is showing at this moment. */
  use(show: () => void): boolean {
    if (this.#kept === null) {
      const taking = this.#take()
      if (taking.type === 'held') return false
      this.#kept = { right: taking, timer: setTimeout(() => this.end(), KEPT_MS).unref() }
    }
    show()
    this.#kept.timer.refresh()
    return true
  }

  end(): void {
    if (this.#kept === null) return
    clearTimeout(this.#kept.timer)
    this.#kept.right.release()
    this.#kept = null
  }

  [Symbol.dispose](): void {
    this.end()
  }
}
