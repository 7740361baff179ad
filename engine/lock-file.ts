/** The git-tracked lock: what each stage was made from and what came out, one fact a line. */
import { existsSync, readFileSync } from 'node:fs'
import type { Diagnostic } from '../dsl/diagnostic.ts'
import * as problems from '../dsl/problems/world.ts'
import type { Source, Span } from '../dsl/source.ts'
import type { Json } from '../dsl/stage-signature.ts'
import { canonicalJson } from './artifact.ts'
import { writeAtomic } from './store/atomic.ts'

/** What is known of one stage, source or gate. */
export type Facts = Readonly<Record<string, Json>>
/** Entry -> its facts. */
export type Section = Readonly<Record<string, Facts>>
/** Section -> entry -> fact -> value: `stages`, `scores`, `gates`, `sources`, `wiring`. */
export type Lock = Readonly<Record<string, Section>>

const FIRST_LINE = '# Written by sluice; commit it. Conflict? run: sluice lock --resolve'

/** A name that stands as it is; anything else is written as a JSON string, which is YAML as well. */
const PLAIN = /^[\p{L}\p{N}_][^\s:"#]*$/u

/** A YAML subset: three levels, sorted, values as JSON. */
export function lockText(lock: Lock, firstLine = FIRST_LINE): string {
  let text = `${firstLine}\nlock: 1\n`
  for (const [section, entries] of sorted(lock)) {
    text += `${nameText(section)}:\n`
    for (const [name, facts] of sorted(entries)) {
      text += `  ${nameText(name)}:\n`
      for (const [fact, value] of sorted(facts)) text += `    ${nameText(fact)}: ${canonicalJson(value)}\n`
    }
  }
  return text
}

function nameText(name: string): string {
  return PLAIN.test(name) ? name : JSON.stringify(name)
}

/** What git writes into a file that it could not merge. */
const CONFLICT = /^(<{7}|={7}|>{7}|\|{7})/
const LINE = /^(?<indent> {0,4})(?:(?<quoted>"(?:[^"\\]|\\.)*")|(?<key>[^\s:"][^:]*)):(?: (?<value>.*))?$/su

/** Reads what `lockText` wrote. Throws with the line for anything else, conflict markers above all. */
export function parseLock(text: string, path: string): Lock {
  const lock: Record<string, Record<string, Record<string, Json>>> = {}
  let section: Record<string, Record<string, Json>> | null = null
  let entry: Record<string, Json> | null = null
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line === '' || line.startsWith('#') || line === 'lock: 1') continue
    const damaged = () => new LockError(path, text, index + 1)
    const match = CONFLICT.test(line) ? null : LINE.exec(line)
    const { indent = '', quoted, key = '', value } = match?.groups ?? {}
    const name = quoted === undefined ? key : (valueOf(quoted, damaged) as string)
    if (match !== null && indent === '' && value === undefined) lock[name] = section = {}
    else if (match !== null && indent === '  ' && value === undefined && section !== null)
      section[name] = entry = {}
    else if (match !== null && indent === '    ' && value !== undefined && entry !== null)
      entry[name] = valueOf(value, damaged)
    else throw damaged()
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
  if (!CONFLICT.test(lines[line - 1] ?? '')) return problems.lockDamaged(here)
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
