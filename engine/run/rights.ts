/**
 * Rights in the state folder: a run takes one by name, others wait for it and are told for whom. A right saves work;
 * nothing stays whole only because of it, so one that is lost by mistake costs a second making and no more.
 *
 *   locks/<name>.lock            the holder's record; it appears complete, as a hard link to a written file
 *   locks/<name>.lock.<holder>   the right to remove that dead holder's record, a right like any other
 */
import { randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Others } from './others.ts'
import type { Owner } from './owner.ts'
import type { Presence } from './presence.ts'

const POLL_MS = 200

export interface Holder extends Owner {
  /** Of this one taking, so that nobody removes a later one by mistake. */
  readonly id: string
  /** What it is held for: `pretrain of sft`. */
  readonly purpose: string
}

export interface Right {
  readonly type: 'taken'
  readonly release: () => void
}

type Taking = Right | { readonly type: 'held'; readonly holder: Holder }

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
  tryTake(name: string, purpose: string): Taking {
    this.#presence.beat()
    mkdirSync(this.#folder, { recursive: true })
    return this.#takeAt(join(this.#folder, `${name}.lock`), purpose)
  }

  /** Waits for the right; calls `waiting` once for each living holder. */
  async take(
    name: string,
    purpose: string,
    waiting: (holder: Holder) => void,
    signal: AbortSignal,
  ): Promise<Right> {
    let told: string | null = null
    for (;;) {
      signal.throwIfAborted()
      const taking = this.tryTake(name, purpose)
      if (taking.type === 'taken') return taking
      if (told !== taking.holder.id) waiting(taking.holder)
      told = taking.holder.id
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
      if (name.endsWith(DRAFT)) rmSync(path, { force: true })
      else {
        const taking = this.#takeAt(path, 'sweeping')
        if (taking.type === 'taken') taking.release()
      }
    }
  }

  #takeAt(path: string, purpose: string): Taking {
    for (;;) {
      const holder = holderAt(path)
      if (holder === null) {
        const right = this.#linkTo(path, purpose)
        if (right !== null) return right
        continue
      }
      if (this.#lives(holder)) return { type: 'held', holder }
      // Of all who see that it is dead, one removes it; who comes late finds another holder, or none.
      const succession = this.#takeAt(`${path}.${holder.id}`, purpose)
      if (succession.type === 'held') return succession
      if (holderAt(path)?.id === holder.id) rmSync(path, { force: true })
      succession.release()
    }
  }

  #lives(holder: Holder): boolean {
    return holder.id !== NOBODY && this.others.lives(holder)
  }

  #linkTo(path: string, purpose: string): Right | null {
    const id = randomUUID().slice(0, 8)
    const draft = join(this.#folder, `${id}${DRAFT}`)
    const holder: Holder = { ...this.#presence.owner, id, purpose }
    try {
      writeFileSync(draft, JSON.stringify(holder))
      linkSync(draft, path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // A sweeper may take a draft that is half written for one that death has torn.
      if (code === 'ENOENT') return null
      if (code !== 'EEXIST') throw error
      // Over a network the answer to a link that succeeded may be lost, and the second try finds it there.
      if (holderAt(path)?.id !== id) return null
    } finally {
      rmSync(draft, { force: true })
    }
    const release = () => {
      try {
        // Only our own: after a mistaken take-over the path may be another run's.
        if (holderAt(path)?.id === id) rmSync(path, { force: true })
      } catch {
        // The disk fails: the right falls with this run, and the next one sweeps it.
      }
    }
    return { type: 'taken', release }
  }
}

const DRAFT = '.draft'
/** Holder of a record that the loss of power has torn. */
const NOBODY = 'nobody'

const TORN: Holder = {
  ...{ pid: 0, start: '', place: '', host: '', run: '', command: '', since: '' },
  id: NOBODY,
  purpose: '',
}

function holderAt(path: string): Holder | null {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Holder | null
    return typeof holder?.pid === 'number' ? holder : TORN
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    if (error instanceof SyntaxError) return TORN
    throw error
  }
}
