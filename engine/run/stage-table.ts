/**
 * What is known of each stage of a run, by name. A table never changes; one that differs in one stage shares all else
 * with it, so that the fold over a run of thousands of stages costs the same for every event.
 */

/** About the root of the largest tables: a change copies one block and the list of blocks. */
const BLOCK = 64

export class StageTable<T extends { readonly name: string }> {
  readonly #places: ReadonlyMap<string, number>
  readonly #blocks: readonly (readonly T[])[]

  private constructor(places: ReadonlyMap<string, number>, blocks: readonly (readonly T[])[]) {
    this.#places = places
    this.#blocks = blocks
  }

  static of<T extends { readonly name: string }>(stages: readonly T[]): StageTable<T> {
    const blocks: T[][] = []
    for (let first = 0; first < stages.length; first += BLOCK) blocks.push(stages.slice(first, first + BLOCK))
    return new StageTable(new Map(stages.map(({ name }, place) => [name, place])), blocks)
  }

  get(name: string): T | undefined {
    const place = this.#places.get(name)
    return place === undefined ? undefined : this.#blocks[Math.floor(place / BLOCK)]?.[place % BLOCK]
  }

  /** The table with another word on a stage that it has. */
  with(stage: T): StageTable<T> {
    const place = this.#places.get(stage.name)
    if (place === undefined) throw new Error(`bug: ${stage.name} is not in this run`)
    const which = Math.floor(place / BLOCK)
    const block = (this.#blocks[which] ?? []).with(place % BLOCK, stage)
    return new StageTable(this.#places, this.#blocks.with(which, block))
  }

  /** In the order of the run. */
  *values(): Generator<T> {
    for (const block of this.#blocks) yield* block
  }

  *[Symbol.iterator](): Generator<readonly [string, T]> {
    for (const stage of this.values()) yield [stage.name, stage]
  }
}
