/** Folders in which attempts work, each named for its run, so that what the dead left can be swept. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmdirSync, rmSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { reach } from '../failpoint.ts'
import type { Others } from './others.ts'
import { Presence, visitorId } from './presence.ts'

const LOOK_AGAIN_MS = 1000

/** A folder of its own for one attempt: `staging/<run>.<id>/`, and below it one for each port, made when it is needed. */
export class Place {
  readonly dir: string

  constructor(stateDir: string, run: string) {
    this.dir = join(stateDir, 'staging', `${run}.${randomUUID().slice(0, 8)}`)
  }

  /** Where the input of a port is laid out. */
  input(port: string): string {
    return join(this.dir, `in.${port}`)
  }

  /** Where a job writes the output of a port. */
  output(port: string): string {
    return join(this.dir, `out.${port}`)
  }

  /** Where a step leaves what only later steps read. */
  between(op: string, output: string): string {
    return join(this.dir, `step.${op}.${output}`)
  }

  open(): void {
    mkdirSync(this.dir, { recursive: true })
    reach('staged')
  }

  close(): void {
    try {
      removeFolder(this.dir)
    } catch {
      // The disk is read-only, or something in it is: the next start sweeps what stays.
    }
    reach('staging-removed')
  }
}

/** As `rmSync` with half the calls. */
function removeFolder(dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) removeFolder(path)
    else unlinkSync(path)
  }
  rmdirSync(dir)
}

/** The same outside of any run, for who moves results by hand: it is present for as long as the place is open. */
export function visitorsPlaceFor(stateDir: string): Pick<Place, 'dir' | 'open' | 'close'> {
  const visitor = visitorId()
  const place = new Place(stateDir, visitor)
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
    },
  }
}

/** Removes what dead runs staged; says whether anything is left, that is, whether other runs are under way. */
export function sweepStaging(stateDir: string, others: Pick<Others, 'isUnderWay'>): boolean {
  const root = join(stateDir, 'staging')
  let left = false
  for (const attempt of foldersIn(root)) {
    const run = attempt.slice(0, attempt.lastIndexOf('.'))
    if (others.isUnderWay(run)) left = true
    else rmSync(join(root, attempt), { recursive: true, force: true })
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
