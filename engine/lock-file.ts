/** The git-tracked lock: what each stage was made from and what came out, one fact a line. */
import { existsSync, readFileSync } from 'node:fs'
import type { Json } from '../dsl/stage-signature.ts'
import { canonicalJson } from './artifact.ts'
import { writeAtomic } from './store/atomic.ts'

/** Section -> entry -> fact -> value: `stages`, `scores`, `gates`, `wiring`. */
export type Lock = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Json>>>>>>

const HEADER = '# Written by sluice at the end of a complete run; commit it.\nlock: 1\n'

/** A YAML subset: three levels, sorted, values as JSON. */
export function lockText(lock: Lock): string {
  let text = HEADER
  for (const [section, entries] of sorted(lock)) {
    text += `${section}:\n`
    for (const [name, facts] of sorted(entries)) {
      text += `  ${name}:\n`
      for (const [fact, value] of sorted(facts)) text += `    ${fact}: ${canonicalJson(value)}\n`
    }
  }
  return text
}

/** Reads what `lockText` wrote. Throws with the line for anything else, conflict markers above all. */
export function parseLock(text: string, path: string): Lock {
  const lock: Record<string, Record<string, Record<string, Json>>> = {}
  let section: Record<string, Record<string, Json>> | null = null
  let entry: Record<string, Json> | null = null
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#') || line === 'lock: 1') continue
    const match = /^(?<indent> {0,4})(?<key>[^\s:][^:]*):(?: (?<value>.*))?$/su.exec(line)
    const { indent = '', key = '', value } = match?.groups ?? {}
    if (match !== null && indent === '' && value === undefined) lock[key] = section = {}
    else if (match !== null && indent === '  ' && value === undefined && section !== null)
      section[key] = entry = {}
    else if (match !== null && indent === '    ' && value !== undefined && entry !== null)
      entry[key] = valueOf(value, () => new LockError(path, index + 1, line))
    else throw new LockError(path, index + 1, line)
  }
  return lock
}

function valueOf(text: string, damaged: () => LockError): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw damaged()
  }
}

export class LockError extends Error {
  constructor(path: string, line: number, text: string) {
    const conflict = /^(<{7}|={7}|>{7})/.test(text)
    super(
      conflict
        ? `${path}:${String(line)} holds conflict markers; take either side (git checkout --theirs ${path}) and run again: what fits is reused`
        : `${path}:${String(line)} is not a line that sluice wrote: ${text.slice(0, 80)}; restore it with git checkout ${path}, or delete it`,
    )
  }
}

/** `shown` is how messages name the file. */
export function readLock(path: string, shown = path): Lock | null {
  return existsSync(path) ? parseLock(readFileSync(path, 'utf8'), shown) : null
}

/** Writes the lock unless it says the same already. */
export function writeLock(path: string, lock: Lock): void {
  const text = lockText(lock)
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return
  writeAtomic(path, text)
}

function sorted<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}
