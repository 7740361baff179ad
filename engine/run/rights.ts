/**
 * Rights in the state folder: a run takes one by name, others wait for it and are told for whom. A right saves work;
 * nothing stays whole only because of it, so one that is lost by mistake costs a second making and no more.
 *
 *   locks/<name>.lock         a hard link to the holder's presence: no file to write, and complete when it appears
 *   locks/<name>.lock.<run>   the right to remove that dead run's link, a right like any other
 */
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Others } from './others.ts'
import type { Owner } from './owner.ts'
import type { Presence } from './presence.ts'

const POLL_MS = 200

export interface Right {
  readonly type: 'taken'
  readonly release: () => void
}

type Taking = Right | { readonly type: 'held'; readonly holder: Owner }

export class Rights {
  readonly others: Others
  readonly #folder: string
  readonly #presence: Presence

  constructor(stateDir: string, presence: Presence, others = new Others(stateDir)) {
    this.#folder = join(stateDir, 'locks')
    this.#presence = presence
    this.others = others
  }

  /** Takes the right if it is free or its holder is dead. */
  tryTake(name: string): Taking {
    this.#presence.beat()
    mkdirSync(this.#folder, { recursive: true })
    return this.#takeAt(join(this.#folder, `${name}.lock`))
  }

  /** Waits for the right; calls `waiting` once for each living holder. */
  async take(name: string, waiting: (holder: Owner) => void, signal: AbortSignal): Promise<Right> {
    let told: string | null = null
    for (;;) {
      signal.throwIfAborted()
      const taking = this.tryTake(name)
      if (taking.type === 'taken') return taking
      if (told !== taking.holder.run) waiting(taking.holder)
      told = taking.holder.run
      await sleep(POLL_MS, undefined, { signal })
    }
  }

  /** Removes what dead runs hold. */
  sweep(): void {
    const names = statSync(this.#folder, { throwIfNoEntry: false })?.isDirectory()
      ? readdirSync(this.#folder)
      : []
    for (const name of names) {
      const path = join(this.#folder, name)
      const holder = holderAt(path)
      if (holder === null || this.#lives(holder)) continue
      const taking = this.#takeAt(path)
      if (taking.type === 'taken') taking.release()
    }
  }

  #takeAt(path: string): Taking {
    for (;;) {
      const holder = holderAt(path)
      if (holder === null) {
        const right = this.#linkTo(path)
        if (right !== null) return right
        continue
      }
      if (this.#lives(holder)) return { type: 'held', holder }
      // Of all who see that it is dead, one removes it; who comes late finds another holder, or none.
      const succession = this.#takeAt(`${path}.${holder.run}`)
      if (succession.type === 'held') return succession
      if (holderAt(path)?.run === holder.run) rmSync(path, { force: true })
      succession.release()
    }
  }

  #lives(holder: Owner): boolean {
    return holder !== TORN && this.others.lives(holder)
  }

  #linkTo(path: string): Right | null {
    const { run } = this.#presence.owner
    try {
      linkSync(this.#presence.path, path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // Somebody elsewhere may have taken us for dead.
      if (code === 'ENOENT') {
        this.#presence.appear()
        return null
      }
      if (code !== 'EEXIST') throw error
      // Over a network the answer to a link that succeeded may be lost, and the second try finds it there.
      if (holderAt(path)?.run !== run) return null
    }
    let isOurs = true
    const release = () => {
      try {
        // After a mistaken take-over the path may be another run's.
        if (isOurs && holderAt(path)?.run === run) rmSync(path, { force: true })
      } catch {
        // The disk fails: the right falls with this run, and the next one sweeps it.
      }
      isOurs = false
    }
    return { type: 'taken', release }
  }
}

/** Stands for the holder of a record that the loss of power has torn. */
const TORN: Owner = { pid: 0, start: '', place: '', host: '', run: 'nobody', command: '', since: '' }

function holderAt(path: string): Owner | null {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Owner | null
    return typeof holder?.pid === 'number' ? holder : TORN
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    if (error instanceof SyntaxError) return TORN
    throw error
  }
}
