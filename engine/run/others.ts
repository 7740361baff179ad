/**
 * Which runs still live. On this machine their process tells; elsewhere (another host or container on a shared folder,
 * or before the last boot) they live unless their beat has not moved for as long as we have been looking.
 */
import { rmSync } from 'node:fs'
import { ownerIn, standingOf } from './owner.ts'
import type { Owner } from './owner.ts'
import { beatOf, presenceOf, presentIn } from './presence.ts'

/** So long a beat may stand still under our eyes. */
export const PATIENCE_MS = 15_000
/** Between two looks no more than this counts as looked: we may have been asleep, and they with us. */
const BETWEEN_LOOKS_MS = 2_000

interface Seen {
  readonly beat: number | null
  readonly at: number
  /** How long the beat has stood still. */
  readonly stillMs: number
}

export class Others {
  readonly #stateDir: string
  readonly #now: () => number
  readonly #seen = new Map<string, Seen>()
  /** Runs that may be dead; null before the first look. */
  #unsure: readonly string[] | null = null

  constructor(stateDir: string, now: () => number = () => performance.now()) {
    this.#stateDir = stateDir
    this.#now = now
  }

  lives(owner: Owner): boolean {
    const standing = standingOf(owner)
    return standing === 'elsewhere' ? this.#look(owner.run).stillMs < PATIENCE_MS : standing === 'alive'
  }

  /** Whether a run is under way; one that has ended or never was leaves no record. */
  isUnderWay(run: string): boolean {
    const owner = ownerIn(presenceOf(this.#stateDir, run))
    return owner !== null && this.lives(owner)
  }

  /** Removes what dead runs left to say that they live; true while of some it cannot be told yet. */
  sweep(): boolean {
    this.#unsure ??= presentIn(this.#stateDir)
    this.#unsure = this.#unsure.filter((run) => {
      const path = presenceOf(this.#stateDir, run)
      const owner = ownerIn(path)
      if (owner === null) return false
      if (this.lives(owner)) return standingOf(owner) === 'elsewhere'
      rmSync(path, { force: true })
      return false
    })
    return this.#unsure.length > 0
  }

  #look(run: string): Seen {
    const before = this.#seen.get(run)
    const beat = beatOf(this.#stateDir, run)
    const at = this.#now()
    const still = before?.beat === beat
    const looked = still ? before.stillMs + Math.min(at - before.at, BETWEEN_LOOKS_MS) : 0
    const seen = { beat, at, stillMs: looked }
    this.#seen.set(run, seen)
    return seen
  }
}
