/** `NAME.baseline.lock`: numbers for `main` that were set in the open, and for how long they count. */
import type { Json } from '../../dsl/stage-signature.ts'
import { canonicalJson, digestOf } from '../artifact.ts'
import { lockText, parseLock } from '../lock-file.ts'
import type { Facts, Lock } from '../lock-file.ts'

export interface Blessing {
  /** `set`: a run was declared to be main. `rescored`: main's own model was measured again by another ruler. */
  readonly how: 'set' | 'rescored'
  /** Identity of the passing version on the default branch when it was written; null if there was none. */
  readonly insteadOf: string | null
  /** What was blessed or measured, as people read it: `run 2026…-7f3a`, `main@4c2d1e0`. */
  readonly of: string
  readonly why: string | null
  /** Scores, and what they were made from. */
  readonly lock: Lock
}

/**
 * What makes one passing version another than the next: its results and scores, not the commit that holds it.
 * A blessing counts while this is the same, so it gives way by itself as soon as a newer run passes there.
 */
export function identityOf(lock: Lock): string {
  return digestOf(canonicalJson({ scores: lock['scores'] ?? {}, stages: lock['stages'] ?? {} }))
}

/** Whether it speaks for the version that is `main` now (null: there is none). */
export function stands(blessing: Blessing, main: Lock | null): boolean {
  return blessing.insteadOf === (main === null ? null : identityOf(main))
}

export function blessingText(blessing: Blessing): string {
  const { how, insteadOf, of, why, lock } = blessing
  const main: Record<string, Json> = { how, instead_of: insteadOf, of, ...(why === null ? {} : { why }) }
  const { gates: _verdicts, ...facts } = lock
  return lockText({ ...facts, baseline: { main } }, FIRST_LINE)
}

const FIRST_LINE =
  '# Written by sluice baseline; commit it. It counts until another run passes on the default branch.'

/** Throws `LockError` with the line for what `blessingText` did not write. */
export function parseBlessing(text: string, path: string): Blessing | null {
  const { baseline, ...lock } = parseLock(text, path)
  const main: Facts | undefined = baseline?.['main']
  const how = main?.['how']
  if (main === undefined || (how !== 'set' && how !== 'rescored')) return null
  const { instead_of: insteadOf, of, why } = main
  return {
    how,
    insteadOf: typeof insteadOf === 'string' ? insteadOf : null,
    of: typeof of === 'string' ? of : '',
    why: typeof why === 'string' ? why : null,
    lock,
  }
}
