/** Stamps a gate's entry with the run that reached its verdict; a run that changes nothing changes no byte. */
import { canonicalJson } from '../artifact.ts'
import type { Facts, Lock } from '../lock-file.ts'

export interface Stamp {
  readonly run: string
  /** The day, as `2026-11-17`. */
  readonly at: string
}

/** `next.gates` holds the bare verdicts; those that say what `before` said keep its run and day. */
export function settleGates(next: Lock, before: Lock | null, stamp: Stamp): Lock {
  const sameScores = canonicalJson(next['scores'] ?? {}) === canonicalJson(before?.['scores'] ?? {})
  const gates = Object.entries(next['gates'] ?? {}).map(([name, facts]): [string, Facts] => {
    const old = before?.['gates']?.[name]
    const stands = sameScores && old?.['verdict'] === facts['verdict'] && typeof old?.['run'] === 'string'
    return [name, stands ? old : { ...facts, run: stamp.run, at: stamp.at }]
  })
  return { ...next, gates: Object.fromEntries(gates) }
}

/** Whether every gate of this version passed. A version without a verdict has not passed. */
export function hasPassed(lock: Lock): boolean {
  const gates = Object.values(lock['gates'] ?? {})
  return gates.length > 0 && gates.every((facts) => facts['verdict'] === 'pass')
}

/** The run that reached the verdicts of this version, or null. */
export function runOf(lock: Lock): string | null {
  const [first] = Object.values(lock['gates'] ?? {})
  const run = first?.['run']
  return typeof run === 'string' ? run : null
}
