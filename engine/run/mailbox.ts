/** What ended while nobody looked, in the order in which it did. Racing a thousand promises instead would be quadratic. */

export class Mailbox<T> {
  readonly #items: T[] = []
  #wake: (() => void) | null = null

  put(item: T): void {
    this.#items.push(item)
    this.#wake?.()
  }

  /** The oldest; waits for one if there is none. For one reader. */
  async next(): Promise<T> {
    for (;;) {
      const item = this.#items.shift()
      if (item !== undefined) return item
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = null
    }
  }
}
