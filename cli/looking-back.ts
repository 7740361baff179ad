/** Judges the past: the versions of a lock in git's history, by checks as they are or might be. */
import { relative } from 'node:path'
import { judge } from '../dsl/judge.ts'
import type { Scores, Verdict, Yardstick } from '../dsl/judge.ts'
import type { Check, Gate } from '../dsl/pipeline.ts'
import { canonicalJson } from '../engine/artifact.ts'
import type { Lock } from '../engine/lock-file.ts'
import { hasPassed, runOf } from '../engine/lock/settle.ts'
import { lockIn, scoresIn } from './baseline.ts'
import type { Place } from './baseline.ts'
import { versionsOf } from './git.ts'

export interface PastLock {
  readonly commit: string
  /** The day of the commit, as `2026-11-04`. */
  readonly at: string
  readonly run: string | null
  readonly lock: Lock
}

export interface Rejudged {
  readonly past: PastLock
  /** What the lock says of the gate; null if it says nothing. */
  readonly was: string | null
  readonly now: Verdict
}

/** More commits are read than runs are wanted: many change no score. */
const COMMITS_PER_RUN = 10

/** The runs that the history of the checked-out commit holds, newest first; a commit that changes no score is no run. */
export function pastLocks(place: Place, most: number): readonly PastLock[] {
  const path = relative(place.root, place.lockPath)
  const runs: PastLock[] = []
  let newer = ''
  for (const { commit, at, text } of versionsOf(place.root, 'HEAD', path, most * COMMITS_PER_RUN)) {
    const lock = lockIn(text, path)
    if (lock === null) continue
    const same = canonicalJson({ scores: lock['scores'] ?? {}, gates: lock['gates'] ?? {} })
    // Of several commits with the same scores the oldest is the one that brought them.
    if (same === newer) runs.pop()
    newer = same
    runs.push({ commit, at, run: runOf(lock), lock })
    if (runs.length > most) break
  }
  return runs
}

/**
 * Judges each of the newest `most` runs. For a run, `main` is the newest passing one before it, and `last` the one
 * before it: what it would have been compared with on its day.
 */
export function rejudge(
  gate: Gate,
  name: string,
  checks: readonly Check[],
  runs: readonly PastLock[],
  most: number,
): readonly Rejudged[] {
  return runs.slice(0, most).map((past, index) => {
    const older = runs.slice(index + 1)
    const was = past.lock['gates']?.[name]?.['verdict']
    return {
      past,
      was: typeof was === 'string' ? was : null,
      now: judge({ ...gate, checks }, scoresAt(past, older, gate)),
    }
  })
}

function scoresAt(past: PastLock, older: readonly PastLock[], gate: Gate): Scores {
  const of = (lock: Lock, stage: string, origin: string): Yardstick =>
    scoresIn(lock, stage, origin) ?? { missing: `${past.commit} has no scores of ${stage}` }
  const before = older.find(({ lock }) => hasPassed(lock))
  const [last] = older
  const spaces: Record<string, Yardstick> = {
    main:
      before === undefined
        ? { missing: `nothing had passed before ${past.commit}` }
        : of(before.lock, gate.judged, `main@${before.commit}`),
    last:
      last === undefined
        ? { missing: `${past.commit} is the oldest run here` }
        : of(last.lock, gate.judged, last.commit),
  }
  for (const stage of Object.keys(past.lock['scores'] ?? {})) spaces[stage] = of(past.lock, stage, stage)
  if (gate.baseline !== null) spaces['baseline'] = of(past.lock, gate.baseline, gate.baseline)
  const judged = of(past.lock, gate.judged, past.commit)
  return {
    judged: 'missing' in judged ? { ruler: '', origin: past.commit, values: {} } : judged,
    spaces,
  }
}
