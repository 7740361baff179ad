/**
 * Two runs of one pipeline: the one that began earlier, with older files, may end later. What it made stays in the
 * store; what lies in the lock file and `out/` is then of the other.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Pipeline } from '../../dsl/pipeline.ts'
import type { FoundSource } from '../environment.ts'
import type { Logged } from './events.ts'
import { readLog, runIds } from './log.ts'

export interface Claim {
  readonly root: string
  readonly stateDir: string
  readonly run: string
  /** Names of the stages that take part in it. */
  readonly stages: readonly string[]
  readonly pipeline: Pipeline
  readonly sources: Readonly<Record<string, FoundSource>>
  /** Where the pipeline's lock lies; null with overridden parameters. */
  readonly lockPath: string | null
  /** What it said when this run began. */
  readonly lockAtStart: string | null
}

/** Another run has ended or somebody has written the lock meanwhile, and this run's files are not those that lie here now. */
export async function isOvertaken(claim: Claim): Promise<boolean> {
  const { root, pipeline, sources, lockPath, lockAtStart } = claim
  if (lockPath === null) return false
  if (textAt(lockPath) === lockAtStart && laterRun(claim) === null) return false
  const written = textAt(resolve(root, pipeline.source.path))
  if (written !== null && written.replace(/^\uFEFF/, '') !== pipeline.source.text) return true
  for (const source of Object.values(sources)) if ((await source.isUnchanged?.()) === false) return true
  return false
}

/** The log of the newest complete run that began after this one and is over; a lock may be right as it was. */
export function laterRun({ stateDir, run, stages, pipeline }: Claim): readonly Logged[] | null {
  for (const id of [...runIds(stateDir)].reverse()) {
    if (id <= run) return null
    const events = wholeLog(join(stateDir, 'runs', id, 'run.jsonl'))
    const took = events.flatMap((event) =>
      event.type === 'run.start' && event.pipeline === pipeline.name ? event.stages : [],
    )
    const end = events.at(-1)
    if (end?.type !== 'run.done' || ![0, 3, 4].includes(end.exitCode)) continue
    if (stages.every((name) => took.includes(name))) return events
  }
  return null
}

/** Nothing of a log that is damaged: another run's trouble is no reason to lose what this one made. */
function wholeLog(path: string): readonly Logged[] {
  try {
    return readLog(path)
  } catch {
    return []
  }
}

/** A small file; null if it is not there. */
export function textAt(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}
