/** The git-tracked lock: what each stage was made from and what came out, one fact a line. */
import { existsSync, readFileSync } from 'node:fs'
import type { Diagnostic } from '../dsl/diagnostic.ts'
import * as problems from '../dsl/problems/world.ts'
import type { Source, Span } from '../dsl/source.ts'
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
      entry[key] = valueOf(value, () => new LockError(path, text, index + 1))
    else throw new LockError(path, text, index + 1)
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

/** The lock cannot be read; the diagnostic shows the line and the way out. */
export class LockError extends Error {
  readonly diagnostic: Diagnostic
  constructor(path: string, text: string, line: number) {
    const diagnostic = damageAt({ path, text }, line)
    super(`${path}:${String(line)} ${diagnostic.message.en}`)
    this.diagnostic = diagnostic
  }
}

function damageAt(source: Source, line: number): Diagnostic {
  const lines = source.text.split('\n')
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0)
  const spanOf = (from: number, length: number): Span => ({ source, start: from, end: from + length })
  const here = spanOf(start, lines[line - 1]?.length ?? 0)
  if (!/^(<{7}|={7}|>{7}|\|{7})/.test(lines[line - 1] ?? '')) return problems.lockDamaged(here)
  const middle = source.text.indexOf('\n=======', start)
  return problems.lockConflict(here, middle < 0 ? null : spanOf(middle + 1, '======='.length))
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
