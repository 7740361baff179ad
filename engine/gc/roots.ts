/** Locks and run logs -> the results that somebody may still want. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Digest } from '../artifact.ts'
import type { Lock } from '../lock-file.ts'
import { runIds } from '../run/log.ts'

/** What must stay. */
export interface Roots {
  readonly keys: Set<Digest>
  /** Outputs named by content: `main` is read so where its record is another machine's. */
  readonly trees: Set<Digest>
  /** Of models on a hub. */
  readonly commits: Set<string>
  /** Runs whose attempts' logs stay. */
  readonly runs: Set<string>
}

export function noRoots(): Roots {
  return { keys: new Set(), trees: new Set(), commits: new Set(), runs: new Set() }
}

export function addLock(roots: Roots, lock: Lock): void {
  for (const { commit } of Object.values(lock['sources'] ?? {}))
    if (typeof commit === 'string') roots.commits.add(commit)
  for (const { run } of Object.values(lock['gates'] ?? {})) if (typeof run === 'string') roots.runs.add(run)
  for (const facts of Object.values(lock['stages'] ?? {}))
    for (const [fact, value] of Object.entries(facts)) {
      if (typeof value !== 'string') continue
      if (fact === 'key') roots.keys.add(value as Digest)
      else if (fact.startsWith('out.')) roots.trees.add(value as Digest)
    }
}

/** What a log says of a run, as far as it can be read: a torn line names nothing. */
export interface LoggedRun {
  readonly run: string
  readonly pipeline: string | null
  readonly hasEnded: boolean
  /** When its log last grew. */
  readonly changedMs: number
  /** Stage -> key of the result that it made, found or chose. */
  readonly keys: ReadonlyMap<string, Digest>
}

/** Newest first; ids of the same second say nothing of their order, so the logs' times do. */
export function loggedRuns(stateDir: string): readonly LoggedRun[] {
  return runIds(stateDir)
    .map((run) => loggedRun(stateDir, run))
    .sort((a, b) => b.changedMs - a.changedMs)
}

function loggedRun(stateDir: string, run: string): LoggedRun {
  const path = join(stateDir, 'runs', run, 'run.jsonl')
  const keys = new Map<string, Digest>()
  let pipeline: string | null = null
  let hasEnded = false
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const event = eventIn(line)
    if (event['type'] === 'run.start' && typeof event['pipeline'] === 'string') pipeline = event['pipeline']
    if (event['type'] === 'run.done') hasEnded = true
    const { stage, key } = event
    if (typeof stage === 'string' && typeof key === 'string') keys.set(stage, key as Digest)
  }
  return { run, pipeline, hasEnded, changedMs: statSync(path).mtimeMs, keys }
}

function eventIn(line: string): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(line) as Readonly<Record<string, unknown>> | null) ?? {}
  } catch {
    return {}
  }
}

/** The last runs of every pipeline, and those without an end whose log grew since a time: they may be under way. */
export function addRuns(roots: Roots, runs: readonly LoggedRun[], last: number, openSince: number): void {
  const seen = new Map<string | null, number>()
  for (const { run, pipeline, keys, hasEnded, changedMs } of runs) {
    const newer = seen.get(pipeline) ?? 0
    seen.set(pipeline, newer + 1)
    const isOpen = !hasEnded && changedMs >= openSince
    if (newer >= last && !isOpen) continue
    roots.runs.add(run)
    for (const key of keys.values()) roots.keys.add(key)
  }
}
