/** Folders in which attempts work, each named for its run, so that what the dead left can be swept. */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Digest } from '../artifact.ts'
import { reach } from '../failpoint.ts'
import type { Others } from './others.ts'
import { Presence, presenceOf, VISITOR } from './presence.ts'

const LOOK_AGAIN_MS = 1000

/** A folder of its own for one attempt at a key: `staging/<key>/<run>.<id>/`. */
export function placeFor(
  stateDir: string,
  key: Digest,
  run: string,
): { readonly dir: string; readonly open: () => void; readonly close: () => void } {
  const id = randomUUID().slice(0, 8)
  const dir = join(stateDir, 'staging', key.slice('sha256:'.length), `${run}.${id}`)
  return {
    dir,
    open: () => {
      mkdirSync(dir, { recursive: true })
      reach('staged')
    },
    close: () => {
      try {
        rmSync(dir, { recursive: true, force: true })
        rmdirSync(dirname(dir))
      } catch {
        // Another attempt at the key is under way, or the disk is read-only: the next start sweeps what stays.
      }
      reach('staging-removed')
    },
  }
}

/** The same outside of any run, for who moves results by hand: it is present for as long as the place is open. */
export function visitorsPlaceFor(stateDir: string, key: Digest): ReturnType<typeof placeFor> {
  const visitor = VISITOR + randomUUID().slice(0, 8)
  const place = placeFor(stateDir, key, visitor)
  let presence: Presence | null = null
  return {
    dir: place.dir,
    open: () => {
      presence = new Presence(stateDir, visitor, 'sluice, sharing results')
      presence.beat()
      place.open()
    },
    close: () => {
      place.close()
      presence?.[Symbol.asyncDispose]().catch(() => undefined)
      rmSync(dirname(presenceOf(stateDir, visitor)), { recursive: true, force: true })
    },
  }
}

/** Removes what dead runs staged; says whether anything is left, that is, whether other runs are under way. */
export function sweepStaging(stateDir: string, others: Pick<Others, 'isUnderWay'>): boolean {
  const root = join(stateDir, 'staging')
  let left = false
  for (const key of foldersIn(root)) {
    for (const attempt of namesIn(join(root, key))) {
      const run = attempt.slice(0, attempt.lastIndexOf('.'))
      if (others.isUnderWay(run)) left = true
      else rmSync(join(root, key, attempt), { recursive: true, force: true })
    }
    try {
      rmdirSync(join(root, key))
    } catch {
      // A living run has something in it.
    }
  }
  return left
}

/** Sweeps, and goes on until nothing is left: whether a run elsewhere lives shows only after a while. */
export function sweepOn(stateDir: string, others: Others, signal: AbortSignal): void {
  const sweep = (): boolean => {
    const unsure = others.sweep()
    return sweepStaging(stateDir, others) || unsure
  }
  if (sweep()) void sweepLater(sweep, signal)
}

async function sweepLater(sweep: () => boolean, signal: AbortSignal): Promise<void> {
  try {
    do await sleep(LOOK_AGAIN_MS, undefined, { signal, ref: false })
    while (sweep())
  } catch {
    // The run is over, or the disk fails: the next run sweeps, or says so.
  }
}

function foldersIn(folder: string): readonly string[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return []
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

/** Another sweep may be quicker. */
function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}
