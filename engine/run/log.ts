/** The run log: one JSON line an event, appended at once; a torn last line is dropped on reading. */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Logged, RunEvent } from './events.ts'

export class RunLog {
  readonly #fd: number
  #seq = 0
  /** Bytes of whole lines. */
  #size = 0

  constructor(path: string) {
    // One by one: `recursive` says ENOENT of a disk that is read-only.
    const folder = dirname(path)
    for (const each of [dirname(dirname(folder)), dirname(folder), folder])
      if (!existsSync(each)) mkdirSync(each)
    // A log that is there already is another run's: two events of one number would damage both.
    this.#fd = openSync(path, 'ax')
  }

  append(event: RunEvent, now: Date): Logged {
    const logged = { ...event, seq: this.#seq, t: now.toISOString() }
    const line = Buffer.from(`${JSON.stringify(logged)}\n`)
    try {
      for (let at = 0; at < line.length;) at += writeSync(this.#fd, line, at)
    } catch (error) {
      // On a full disk half a line may fit; with another one after it the log could not be read.
      ftruncateSync(this.#fd, this.#size)
      throw error
    }
    this.#seq++
    this.#size += line.length
    return logged
  }

  close(): void {
    closeSync(this.#fd)
  }
}

/** The events of a log in order. Throws if a line in the middle is damaged or missing. */
export function readLog(path: string): readonly Logged[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  const events: Logged[] = []
  for (const [index, line] of lines.entries()) {
    if (line === '') continue
    let event: Logged
    try {
      event = JSON.parse(line) as Logged
    } catch (error) {
      if (index === lines.length - 1) break
      throw new Error(`${path}:${String(index + 1)} is damaged`, { cause: error })
    }
    if (event.seq !== events.length)
      throw new Error(`${path}:${String(index + 1)}: an event is missing before it`)
    events.push(event)
  }
  return events
}

/** Ids of the runs kept in a state folder, oldest first. */
export function runIds(stateDir: string): readonly string[] {
  const folder = join(stateDir, 'runs')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((id) => existsSync(join(folder, id, 'run.jsonl')))
    .sort()
}
