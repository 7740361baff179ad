/** Which waiting stages are worth a look: those for which something changed since the last one, in the order of the plan. */
import type { Stage } from '../../dsl/pipeline.ts'
import { needsOf } from './fate.ts'

/** With a thousand stages, asking all of them again after every event would cost more than running them. */
export class Agenda {
  readonly #stages: readonly Stage[]
  readonly #places: ReadonlyMap<string, number>
  /** Stage -> places of those that wait for it. */
  readonly #followers = new Map<string, number[]>()
  /** Matrix -> places of its instances, where the failure of one ends the others. */
  readonly #siblings = new Map<string, number[]>()
  /** Matrix -> places of those that could start if fewer of its instances ran, first come first. */
  readonly #queues = new Map<string, Set<number>>()
  readonly #waiting: Set<number>
  readonly #marked: boolean[]
  /** No marked place is before it. */
  #at = 0

  constructor(stages: readonly Stage[]) {
    this.#stages = stages
    this.#places = new Map(stages.map(({ name }, place) => [name, place]))
    this.#waiting = new Set(stages.keys())
    this.#marked = stages.map(() => true)
    for (const [place, stage] of stages.entries()) {
      for (const need of needsOf(stage)) listIn(this.#followers, need).push(place)
      if (stage.sweep?.keepGoing === false) listIn(this.#siblings, stage.sweep.stage).push(place)
    }
  }

  /** The stages that nobody has taken. */
  get waiting(): readonly Stage[] {
    return [...this.#waiting].flatMap((place) => this.#stages[place] ?? [])
  }

  /** The next stage to look at; null when nothing can have changed for any. */
  next(): Stage | null {
    for (; this.#at < this.#stages.length; this.#at++) {
      if (this.#marked[this.#at] !== true) continue
      this.#marked[this.#at] = false
      const stage = this.#stages[this.#at]
      if (stage !== undefined && this.#waiting.has(this.#at)) return stage
    }
    return null
  }

  /** A stage started, or never will: it need not be looked at again. */
  take({ name, sweep }: Stage): void {
    const place = this.#places.get(name) ?? -1
    this.#waiting.delete(place)
    if (sweep !== null) this.#queues.get(sweep.stage)?.delete(place)
  }

  /** A stage could start, if not as many of its matrix ran as may. */
  queue({ name, sweep }: Stage): void {
    const place = this.#places.get(name)
    if (sweep === null || place === undefined) return
    const queue = this.#queues.get(sweep.stage) ?? new Set()
    this.#queues.set(sweep.stage, queue.add(place))
  }

  /** A stage has come to its end: those behind it may have another fate now, and of its matrix whose turn it is. */
  ended({ name, sweep }: Stage, failed: boolean): void {
    for (const place of this.#followers.get(name) ?? []) this.#mark(place)
    if (sweep === null) return
    if (failed) for (const place of this.#siblings.get(sweep.stage) ?? []) this.#mark(place)
    // One has left, so one can start. If it will not, it ends in its turn.
    for (const place of this.#queues.get(sweep.stage) ?? []) return this.#mark(place)
  }

  /** Something happened that is every stage's business. */
  markAll(): void {
    for (const place of this.#waiting) this.#mark(place)
  }

  #mark(place: number): void {
    if (!this.#waiting.has(place)) return
    this.#marked[place] = true
    this.#at = Math.min(this.#at, place)
  }
}

function listIn(lists: Map<string, number[]>, name: string): number[] {
  const list = lists.get(name) ?? []
  lists.set(name, list)
  return list
}
