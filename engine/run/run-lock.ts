/** One run of a pipeline at a time in a checkout: the second waits, and is told for whom. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, thisProcess } from './owner.ts'
import type { Owner } from './owner.ts'

const POLL_MS = 200

export interface RunLock {
  release(): void
}

/**
 * Takes the lock; calls `waiting` once for each holder found alive. A dead holder's lock is removed.
 * The lock appears complete (`link` of a written file), so a torn holder record cannot be read.
 */
export async function takeRunLock(
  stateDir: string,
  pipeline: string,
  waiting: (holder: Owner) => void,
  signal: AbortSignal,
): Promise<RunLock> {
  const folder = join(stateDir, 'locks')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${pipeline}.lock`)
  const mine = join(folder, `${pipeline}.${randomUUID()}`)
  writeFileSync(mine, JSON.stringify(thisProcess()))
  let told: string | null = null
  try {
    for (;;) {
      signal.throwIfAborted()
      try {
        linkSync(mine, path)
        const { ino } = statSync(mine)
        return { release: () => releaseOwn(path, ino) }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = readHolder(path)
      if (holder === 'none') continue
      // A damaged record (the machine lost power) names nobody who could still release it.
      if (holder === 'damaged' || !isAlive(holder)) {
        // Rename first: of two waiters only one removes the dead lock, and never a living one.
        const dead = `${mine}.dead`
        try {
          renameSync(path, dead)
          const moved = readHolder(dead)
          if (typeof moved !== 'string' && isAlive(moved)) linkSync(dead, path)
        } catch {
          // Somebody else was quicker.
        }
        rmSync(dead, { force: true })
        continue
      }
      const name = `${String(holder.pid)} ${holder.start}`
      if (told !== name) waiting(holder)
      told = name
      await sleep(POLL_MS, undefined, { signal })
    }
  } finally {
    rmSync(mine, { force: true })
  }
}

/** Only our own lock: after a mistaken take-over the path may be another run's. */
function releaseOwn(path: string, ino: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true })
}

function readHolder(path: string): Owner | 'none' | 'damaged' {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Owner | null
    return typeof holder?.pid === 'number' ? holder : 'damaged'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'none' : 'damaged'
  }
}
