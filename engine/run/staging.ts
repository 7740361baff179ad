/** Folders in which attempts work, each named for its run, so that what the dead left can be swept. */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync, unlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { reach } from '../failpoint.ts'
import type { Others } from './others.ts'
import { Presence, visitorId } from './presence.ts'

const LOOK_AGAIN_MS = 1000

/** Where one attempt works: a folder for each port, `staging/<run>.<id>.<port>/`, made when it is needed. */
export class Place {
  /** What the paths of all its folders begin with. */
  readonly stem: string
  readonly #folders = new Set<string>()

  constructor(stateDir: string, run: string) {
    this.stem = stemIn(stateDir, run)
  }

  /** Where the input of a port is laid out. */
  input(port: string): string {
    return this.#folder(`in.${port}`)
  }

  /** Where a job writes the output of a port. */
  output(port: string): string {
    return this.#folder(`out.${port}`)
  }

  /** Where a step leaves what only later steps read. */
  between(op: string, output: string): string {
    return this.#folder(`step.${op}.${output}`)
  }

  #folder(name: string): string {
    const folder = `${this.stem}.${name}`
    this.#folders.add(folder)
    return folder
  }

  open(): void {
    mkdirSync(dirname(this.stem), { recursive: true })
    reach('staged')
  }

  close(): void {
    removeAll(this.#folders)
    reach('staging-removed')
  }
}

/** The id of a run has no dot. */
function stemIn(stateDir: string, run: string): string {
  return join(stateDir, 'staging', `${run}.${randomUUID().slice(0, 8)}`)
}

function removeAll(folders: Iterable<string>): void {
  try {
    for (const folder of folders) if (existsSync(folder)) removeFolder(folder)
  } catch {
    // The disk is read-only, or something in it is: the next start sweeps what stays.
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

/** A folder for who moves results by hand, outside of any run: it is present for as long as the place is open. */
export function visitorsPlaceFor(stateDir: string): {
  readonly dir: string
  readonly open: () => void
  readonly close: () => void
} {
  const visitor = visitorId()
  const dir = stemIn(stateDir, visitor)
  let presence: Presence | null = null
  return {
    dir,
    open: () => {
      presence = new Presence(stateDir, visitor, 'sluice, sharing results')
      presence.beat()
      mkdirSync(dir, { recursive: true })
    },
    close: () => {
      removeAll([dir])
      presence?.[Symbol.asyncDispose]().catch(() => undefined)
    },
  }
}

/** Removes what dead runs staged; says whether anything is left, that is, whether other runs are under way. */
export function sweepStaging(stateDir: string, others: Pick<Others, 'isUnderWay'>): boolean {
  const root = join(stateDir, 'staging')
  let left = false
  for (const attempt of foldersIn(root)) {
    const run = attempt.slice(0, attempt.indexOf('.'))
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
