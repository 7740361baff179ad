/**
 * A run as others in the state folder see it: a record that says who it is, and a beat that says that it lives. The
 * beat is the record's time of change, set to a count: whoever watches sees it move, and nobody compares clocks.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { thisProcess } from './owner.ts'
import type { Owner } from './owner.ts'

const BEAT_MS = 1000

/** An id for who is present without a run. */
export function visitorId(): string {
  return `visitor-${randomUUID().slice(0, 8)}`
}

/** A thread of its own: hashing or a busy loop on the main thread cannot keep it from beating. */
const PULSE = `
const { utimesSync } = require('node:fs')
const { path, everyMs } = require('node:worker_threads').workerData
let count = 0
const beat = () => {
  try { utimesSync(path, ++count, count) } catch {} // The next one may reach it.
}
beat()
setInterval(beat, everyMs)`

export class Presence {
  readonly owner: Owner
  readonly path: string
  #pulse: Worker | null = null

  constructor(stateDir: string, run: string, command: string) {
    this.owner = thisProcess(run, command)
    this.path = presenceOf(stateDir, run)
    mkdirSync(dirname(this.path), { recursive: true })
    this.appear()
  }

  /** Writes the record, at first and when it is gone. */
  appear(): void {
    writeFileSync(this.path, JSON.stringify(this.owner))
  }

  /** From now on there is something that others may wait for. */
  beat(): void {
    if (this.#pulse !== null) return
    // Without a beat it may have looked dead to somebody elsewhere.
    if (!existsSync(this.path)) this.appear()
    this.#pulse = new Worker(PULSE, { eval: true, workerData: { path: this.path, everyMs: BEAT_MS } })
    this.#pulse.unref()
    // Without a beat, others elsewhere may in the end make the same thing again: a pity, no harm.
    this.#pulse.on('error', () => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.path, { force: true })
    await this.#pulse?.terminate()
  }
}

const RECORD = '.json'

/** Where a run says that it is under way; the file is gone when it has ended, and stays when it died. */
export function presenceOf(stateDir: string, run: string): string {
  return join(stateDir, 'present', run + RECORD)
}

/** Who is present or died: a folder of their own, so that nobody has to look through all runs that ever were. */
export function presentIn(stateDir: string): readonly string[] {
  const folder = join(stateDir, 'present')
  const names = existsSync(folder) ? readdirSync(folder) : []
  return names.filter((name) => name.endsWith(RECORD)).map((name) => name.slice(0, -RECORD.length))
}

/** The beat of a run at this moment; equal values say that it has not moved. */
export function beatOf(stateDir: string, run: string): number | null {
  return statSync(presenceOf(stateDir, run), { throwIfNoEntry: false })?.mtimeMs ?? null
}
