/** Judges the past: the versions of a lock in git's history, by checks as they are or might be. */
import { relative } from 'node:path'
import { judge } from '../dsl/judge.ts'
import type { Scores, Verdict, Yardstick } from '../dsl/judge.ts'
import type { Check, Gate } from '../dsl/pipeline.ts'
import { canonicalJson } from '../engine/artifact.ts'
import type { Artifact, Digest } from '../engine/artifact.ts'
import type { Lock } from '../engine/lock-file.ts'
import { hasPassed, runOf } from '../engine/lock/settle.ts'
import { resampler } from '../engine/run/resample.ts'
import type { BlobStore } from '../engine/store/blobs.ts'
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

/** What the past is asked. */
export interface Question {
  readonly gate: Gate
  readonly name: string
  /** Checks of the gate, or others in their place. */
  readonly checks: readonly Check[]
  /** For checks `with p`: the rows of earlier runs, as far as this machine has them. Null: not even looked for. */
  readonly store: { readonly blobs: BlobStore; readonly portOf: (stage: string) => string | null } | null
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
  { gate, name, checks, store }: Question,
  runs: readonly PastLock[],
  most: number,
): readonly Rejudged[] {
  return runs.slice(0, most).map((past, index) => {
    const older = runs.slice(index + 1)
    const was = past.lock['gates']?.[name]?.['verdict']
    return {
      past,
      was: typeof was === 'string' ? was : null,
      now: judge({ ...gate, checks }, scoresAt(past, older, gate, store)),
    }
  })
}

function scoresAt(past: PastLock, older: readonly PastLock[], gate: Gate, store: Question['store']): Scores {
  const of = (lock: Lock, stage: string, origin: string): Yardstick =>
    scoresIn(lock, stage, origin, store?.portOf(stage) ?? null) ?? {
      missing: `${past.commit} has no scores of ${stage}`,
    }
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
  const measured = of(past.lock, gate.judged, past.commit)
  const judged = 'missing' in measured ? { ruler: '', origin: past.commit, values: {} } : measured
  if (store === null) return { judged, spaces }
  const artifactOf = (space: string | null): Artifact | null => {
    const scores = space === null ? judged : spaces[space]
    if (scores === undefined || 'missing' in scores || scores.artifact === undefined) return null
    return { type: 'metrics', tree: scores.artifact as Digest, bytes: 0 }
  }
  return { judged, spaces, resample: resampler(artifactOf, store.blobs) }
}
