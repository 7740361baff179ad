/** Stages and how long they took -> which of them goes first where not all can: the one with the longest path behind it. */
import type { Stage } from '../../dsl/pipeline.ts'
import { needsOf } from './fate.ts'

/** What a stage counts for of which nothing is known, nor of its like. */
const UNKNOWN_MS = 1000

/** Milliseconds of the longest path that starts at a stage, itself included. `stages` are in topological order. */
export function ranksOf(
  stages: readonly Stage[],
  lastMs: (stage: string) => number | null,
): ReadonlyMap<string, number> {
  const guess = guesses(stages, lastMs)
  const ranks = new Map<string, number>()
  // How long the longest of those behind a stage takes; they come later, so theirs is complete when it is read.
  const behind = new Map<string, number>()
  for (const stage of [...stages].reverse()) {
    const rank = (behind.get(stage.name) ?? 0) + guess(stage)
    ranks.set(stage.name, rank)
    for (const need of needsOf(stage)) behind.set(need, Math.max(behind.get(need) ?? 0, rank))
  }
  return ranks
}

/** As long as last time; else as other instances took on average, else as others of the kind. */
function guesses(
  stages: readonly Stage[],
  lastMs: (stage: string) => number | null,
): (stage: Stage) => number {
  const known = new Map<string, number>()
  const byBase = new Map<string, Mean>()
  const byKind = new Map<string, Mean>()
  for (const { name, base, uses } of stages) {
    const ms = lastMs(name)
    if (ms === null) continue
    known.set(name, ms)
    byBase.set(base, withValue(byBase.get(base), ms))
    byKind.set(uses, withValue(byKind.get(uses), ms))
  }
  return ({ name, base, uses, gate, selection }) => {
    // Decided in an instant.
    if (gate !== null || selection !== null) return 0
    return known.get(name) ?? byBase.get(base)?.mean ?? byKind.get(uses)?.mean ?? UNKNOWN_MS
  }
}

interface Mean {
  readonly mean: number
  readonly of: number
}

function withValue(before: Mean = { mean: 0, of: 0 }, value: number): Mean {
  const of = before.of + 1
  return { mean: before.mean + (value - before.mean) / of, of }
}
