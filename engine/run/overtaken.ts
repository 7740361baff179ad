/**
 * Two runs of one pipeline: the one that began earlier, with older files, may end later. What it made stays in the
 * store; what lies in the lock file and `out/` is then of the other.
 */
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Pipeline } from '../../dsl/pipeline.ts'
import type { FoundSource } from '../environment.ts'

export interface Claim {
  readonly root: string
  readonly pipeline: Pipeline
  readonly sources: Readonly<Record<string, FoundSource>>
  /** Where the pipeline's lock lies; null with overridden parameters. */
  readonly lockPath: string | null
  /** What it said when this run began. */
  readonly lockAtStart: string | null
}

/** Somebody has written the lock meanwhile, and this run's files are not those that lie here now. */
export async function isOvertaken({
  root,
  pipeline,
  sources,
  lockPath,
  lockAtStart,
}: Claim): Promise<boolean> {
  if (lockPath === null || textAt(lockPath) === lockAtStart) return false
  const written = textAt(resolve(root, pipeline.source.path))
  if (written !== null && written.replace(/^\uFEFF/, '') !== pipeline.source.text) return true
  for (const source of Object.values(sources)) if ((await source.isUnchanged?.()) === false) return true
  return false
}

/** A small file; null if it is not there. */
export function textAt(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}
