/** What workers keep on the way: `.sluice/checkpoints/<key>/<op>/<step>/`. A checkpoint belongs to a stage's key and goes when its result comes. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { CheckpointPlace, CheckpointRecord } from '../../workers/protocol/messages.ts'
import type { Digest } from '../artifact.ts'
import { hashFile } from '../store/digest.ts'

/** The work since the last one is what a kill costs. */
export const CHECKPOINT_EVERY_MS = 60_000
/** The newest, and the one before in case the newest is damaged. */
const KEPT = 2
const RECORD = 'checkpoint.json'
const STEP = /^[1-9]\d*$/

/** The checkpoints of one attempt at a stage. */
export class StageCheckpoints {
  readonly #stateDir: string
  readonly #key: Digest
  readonly #everyMs: number
  #resumedFrom: number | null = null

  constructor(stateDir: string, key: Digest, everyMs: number) {
    this.#stateDir = stateDir
    this.#key = key
    this.#everyMs = everyMs
  }

  /** The step from which the last job went on; null if every job began at its beginning. */
  get resumedFrom(): number | null {
    return this.#resumedFrom
  }

  /** What a job may use; `tell` hears of checkpoints that were put aside. */
  placeFor(op: string, tell: (text: string) => void): CheckpointPlace {
    const dir = this.#dirOf(op)
    const of = `${this.#key} ${op}`
    return { dir, resume: newestWhole(dir, of, tell), of, everyMs: this.#everyMs }
  }

  resumed(step: number): void {
    this.#resumedFrom = step
  }

  /** Removes all but the last ones. */
  prune(op: string): void {
    const dir = this.#dirOf(op)
    for (const step of stepsIn(dir).slice(KEPT)) rmSync(join(dir, step), { recursive: true, force: true })
  }

  /** For a stage that is done, which stays done if they cannot be removed. */
  drop(): void {
    try {
      dropCheckpoints(this.#stateDir, this.#key)
    } catch {
      // They are found again by whoever cleans up.
    }
  }

  #dirOf(op: string): string {
    return join(folderOf(this.#stateDir, this.#key), op)
  }
}

export function dropCheckpoints(stateDir: string, key: Digest): void {
  const folder = folderOf(stateDir, key)
  // Most stages have none, and `rmSync` takes ten times as long to see that.
  if (existsSync(folder)) rmSync(folder, { recursive: true, force: true })
}

/** The newest step that is kept of a key, as its folder says; only who resumes reads the bytes. Null if there is none. */
export function checkpointAt(stateDir: string, key: Digest): number | null {
  const folder = folderOf(stateDir, key)
  if (!existsSync(folder)) return null
  const steps = readdirSync(folder).flatMap((op) => stepsIn(join(folder, op)).slice(0, 1))
  return steps.length === 0 ? null : Math.max(...steps.map(Number))
}

/** What a key's attempts left, for those who clean up. */
export interface KeptCheckpoints {
  readonly key: Digest
  readonly path: string
  readonly bytes: number
  /** When the newest of its files and folders was written, in milliseconds since 1970; 0 of an empty one. */
  readonly at: number
}

/** The checkpoints of all keys; workers may write and remove some meanwhile. */
export function checkpointsIn(stateDir: string): readonly KeptCheckpoints[] {
  const root = join(stateDir, 'checkpoints')
  if (!existsSync(root)) return []
  return readdirSync(root)
    .sort()
    .map((name): KeptCheckpoints => {
      const path = join(root, name)
      const names = existsSync(path) ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : []
      const stats = names.flatMap((each) => statSync(join(path, each), { throwIfNoEntry: false }) ?? [])
      return {
        key: `sha256:${name}` as Digest,
        path,
        bytes: stats.reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0),
        at: Math.max(0, ...stats.map(({ mtimeMs }) => mtimeMs)),
      }
    })
}

function folderOf(stateDir: string, key: Digest): string {
  return join(stateDir, 'checkpoints', key.slice('sha256:'.length))
}

/** Newest first. */
function stepsIn(dir: string): readonly string[] {
  if (!existsSync(dir)) return []
  return readdirSync(dir)
    .filter((name) => STEP.test(name))
    .sort((a, b) => Number(b) - Number(a))
}

/** The newest checkpoint that is what its record says; the others before it are put aside, and half-written ones go. */
function newestWhole(dir: string, of: string, tell: (text: string) => void): string | null {
  for (const name of existsSync(dir) ? readdirSync(dir) : [])
    if (name.endsWith('.tmp')) rmSync(join(dir, name), { recursive: true, force: true })
  for (const step of stepsIn(dir)) {
    const folder = join(dir, step)
    const flaw = flawOf(folder, of, Number(step))
    if (flaw === null) return folder
    rmSync(`${folder}.aside`, { recursive: true, force: true })
    renameSync(folder, `${folder}.aside`)
    tell(`the checkpoint of step ${step} cannot be used and was put aside: ${flaw}`)
  }
  return null
}

/** What is wrong with a checkpoint; null if its record and every file hold. */
function flawOf(folder: string, of: string, step: number): string | null {
  let record: CheckpointRecord
  try {
    record = JSON.parse(readFileSync(join(folder, RECORD), 'utf8')) as CheckpointRecord
    if ((record.format as number) !== 1) return `its ${RECORD} is of another format`
    if (record.of !== of || record.step !== step) return `it was made for something else (${record.of})`
  } catch {
    return `its ${RECORD} is missing or damaged`
  }
  for (const [name, { size, sha256 }] of Object.entries(record.files)) {
    const path = join(folder, name)
    const found = statSync(path, { throwIfNoEntry: false })
    if (found?.isFile() !== true) return `${name} is missing`
    if (found.size !== size) return `${name} has ${String(found.size)} of its ${String(size)} bytes`
    if (hashFile(path) !== `sha256:${sha256}`) return `${name} does not have the bytes that were written`
  }
  return null
}
