/** Stages whose work is done as far as people let it. */
import type { Verdict } from '../../dsl/judge.ts'
import type { Stage } from '../../dsl/pipeline.ts'
import type { StageKind } from '../stage-kind.ts'
import type { Result } from '../store/results.ts'
import { needsOf } from './fate.ts'

/** What a stage with this result waits for, in words; null if it has all it needs. */
export function waitsFor(
  stage: Stage,
  result: Result,
  kinds: Readonly<Record<string, StageKind>>,
): string | null {
  return kinds[stage.uses]?.waitsFor?.(result.summary) ?? null
}

/** Why a gate has no verdict yet: it could not decide, and people may change that. A failure is one whatever they say. */
export function openBecause(
  gate: Stage,
  { verdict }: Verdict,
  paused: ReadonlyMap<string, string>,
): string | null {
  const waiting = verdict === 'undecided' ? needsOf(gate).find((name) => paused.has(name)) : undefined
  return waiting === undefined ? null : `${waiting} waits for people`
}
