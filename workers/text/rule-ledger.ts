/** Counts what each cleaning rule did and keeps a few examples of it. */
import type { JsonObject } from '../protocol/json.ts'

export interface Ledger {
  /** A rule changed a row (once per row and rule). */
  changed(rule: string, place: string, before: string, after: string): void
  /** A rule dropped a row; `instead` is what stays in its place, if anything. */
  removed(rule: string, place: string, before: string, instead?: string): void
  /** Rule -> `{rows, removes, examples: [{row, before, after}]}`, only rules that did something. */
  report(): JsonObject
  /** E.g. `3 duplicate, 1 blank`. */
  removedInWords(): string
}

interface Entry {
  rows: number
  readonly removes: boolean
  readonly examples: { readonly row: string; readonly before: string; readonly after: string | null }[]
}

const EXAMPLES = 3
/** Long answers are cut in examples, not in the data. */
const EXAMPLE_LENGTH = 200

export function createLedger(): Ledger {
  const entries = new Map<string, Entry>()
  const add = (rule: string, removes: boolean, row: string, before: string, after: string | null): void => {
    const entry = entries.get(rule) ?? { rows: 0, removes, examples: [] }
    entries.set(rule, entry)
    entry.rows += 1
    if (entry.examples.length < EXAMPLES) {
      entry.examples.push({ row, before: shorten(before), after: after === null ? null : shorten(after) })
    }
  }
  return {
    changed: (rule, place, before, after) => add(rule, false, place, before, after),
    removed: (rule, place, before, instead) => add(rule, true, place, before, instead ?? null),
    report: () => Object.fromEntries([...entries].map(([rule, entry]) => [rule, { ...entry }])),
    removedInWords: () =>
      [...entries]
        .filter(([, entry]) => entry.removes)
        .map(([rule, entry]) => `${entry.rows} ${rule.replace('_dropped', '')}`)
        .join(', '),
  }
}

function shorten(text: string): string {
  const chars = Array.from(text)
  return chars.length <= EXAMPLE_LENGTH ? text : `${chars.slice(0, EXAMPLE_LENGTH).join('')}…`
}
