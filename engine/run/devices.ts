/** Which GPUs an attempt holds: each has a name, and no two attempts of a run hold the same one. */

export class Devices {
  readonly #free: string[]
  readonly #order: readonly string[]

  /** @param names as `CUDA_VISIBLE_DEVICES` takes them: an index or a UUID */
  constructor(names: readonly string[]) {
    this.#order = names
    this.#free = [...names]
  }

  /** The first free ones. Whoever asks holds as many slots of `gpu`, so there are always enough. */
  take(count: number): readonly string[] {
    if (count > this.#free.length)
      throw new Error(`bug: ${String(count)} GPUs wanted, ${String(this.#free.length)} free`)
    return this.#free.splice(0, count)
  }

  /** Back in their old order, so that the same job tends to get the same GPU, and its warm worker. */
  give(names: readonly string[]): void {
    this.#free.push(...names)
    this.#free.sort((a, b) => this.#order.indexOf(a) - this.#order.indexOf(b))
  }
}
