/** Where `main` comes from: the newest passing lock on the default branch, or what was blessed in its place. */
import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Gate } from '../dsl/pipeline.ts'
import type { ScoreSet, Yardstick } from '../dsl/judge.ts'
import { LockError, parseLock } from '../engine/lock-file.ts'
import type { Lock } from '../engine/lock-file.ts'
import { lockedOutput } from '../engine/lock/facts.ts'
import { parseBlessing, stands } from '../engine/lock/blessing.ts'
import type { Blessing } from '../engine/lock/blessing.ts'
import { hasPassed, runOf } from '../engine/lock/settle.ts'
import { metricsPort } from '../engine/run/gate.ts'
import { defaultBranch, depthOf, fetchCommand, HISTORY_DEPTH, versionsOf } from './git.ts'
import { FileProblem } from './project.ts'
import type { Opened } from './project.ts'

/** Where a pipeline and its lock lie: all that the look-up needs. */
export type Place = Pick<Opened, 'root' | 'lockPath'>

export interface Passing {
  readonly commit: string
  /** The day of the commit. */
  readonly at: string
  readonly ref: string
  readonly run: string | null
  readonly lock: Lock
}

export type MainInGit =
  | { readonly type: 'passing'; readonly passing: Passing }
  | { readonly type: 'none'; readonly why: string; readonly help: string }

export interface Main {
  readonly git: MainInGit
  /** The tracked file beside the lock, if there is one. */
  readonly blessing: Blessing | null
  /** What `main.x` reads; null if there is nothing. */
  readonly lock: Lock | null
  /** `main@4c2d1e0`, for people. */
  readonly origin: string
}

export function blessingPath(lockPath: string): string {
  return lockPath.replace(/(\.pipeline)?\.lock$/, '.baseline.lock')
}

export async function findMain(place: Place): Promise<Main> {
  const git = await mainInGit(place)
  const passing = git.type === 'passing' ? git.passing : null
  const path = blessingPath(place.lockPath)
  const blessing = existsSync(path)
    ? parseBlessing(readFileSync(path, 'utf8'), relative(place.root, path))
    : null
  if (blessing !== null && stands(blessing, passing?.lock ?? null)) {
    const word = blessing.how === 'set' ? `main (set to ${blessing.of})` : `${blessing.of} (rescored)`
    return { git, blessing, lock: blessing.lock, origin: word }
  }
  return {
    git,
    blessing,
    lock: passing?.lock ?? null,
    origin: passing === null ? 'main' : `main@${passing.commit}`,
  }
}

async function mainInGit(place: Place): Promise<MainInGit> {
  // Loaded here because it brings YAML, which a run of a known pipeline does not need.
  const { readConfig } = await import('./config.ts')
  const config = readConfig(place.root)
  if (config.value === undefined) throw new FileProblem(config.diagnostics, place.root)
  const branch = defaultBranch(place.root, config.value.defaultBranch)
  if (branch.type === 'none') return branch
  const path = relative(place.root, place.lockPath)
  for (const { commit, at, text } of versionsOf(place.root, branch.ref, path, HISTORY_DEPTH)) {
    const lock = lockIn(text, path)
    if (lock !== null && hasPassed(lock))
      return { type: 'passing', passing: { commit, at, ref: branch.ref, run: runOf(lock), lock } }
  }
  if (!branch.shallow) {
    return {
      type: 'none',
      why: `no version of ${path} on ${branch.ref} has passed its gates yet`,
      help: `first release? say so in the check: ?? 0.30, or bless a run in the open: sluice baseline set --run last`,
    }
  }
  const depth = depthOf(place.root, branch.ref)
  return {
    type: 'none',
    why: `only ${String(depth)} ${depth === 1 ? 'commit' : 'commits'} of ${branch.ref} are here (a shallow clone), and none holds a passing ${path}`,
    help: depth >= HISTORY_DEPTH ? 'git fetch --unshallow origin' : fetchCommand(branch.name),
  }
}

/** A version of a lock; null if it cannot be read, as an older one may be. */
export function lockIn(text: string, path: string): Lock | null {
  try {
    return parseLock(text, path)
  } catch (error) {
    if (error instanceof LockError) return null
    throw error
  }
}

/** The scores of one stage in a lock, with their ruler; `port` is where the stage gives its metrics, for their rows. */
export function scoresIn(
  lock: Lock | null,
  stage: string,
  origin: string,
  port: string | null = null,
): ScoreSet | null {
  const facts = lock?.['scores']?.[stage]
  if (facts === undefined) return null
  const { ruler, rows, ...values } = facts
  const metrics = Object.keys(values)
  const kept = port === null ? null : lockedOutput(lock?.['stages']?.[stage], port)
  return {
    ruler: typeof ruler === 'string' ? ruler : '',
    origin,
    values: values as Record<string, number | null>,
    ...(typeof rows === 'number' ? { counts: Object.fromEntries(metrics.map((name) => [name, rows])) } : {}),
    ...(kept === null ? {} : { artifact: kept }),
  }
}

/** `main` and `last` for each gate; `main` costs a look into git, so only if a check names it. */
export async function yardsticksOf(
  opened: Place & Pick<Opened, 'pipeline' | 'lock'>,
): Promise<(gate: Gate) => Readonly<Record<string, Yardstick>>> {
  const wanted = opened.pipeline.stages.some(({ gate }) => gate !== null && namesMain(gate))
  const main = wanted ? await findMain(opened) : null
  return ({ judged }) => {
    const stage = opened.pipeline.stages.find(({ name }) => name === judged)
    const port = stage === undefined ? null : metricsPort(stage)
    const last: Yardstick = scoresIn(opened.lock, judged, 'last', port) ?? {
      missing: 'there is no earlier run in the lock file',
    }
    return main === null ? { last } : { last, main: mainYardstick(main, judged, port) }
  }
}

/** Whether a check of the gate compares with `main`. */
export function namesMain(gate: Gate): boolean {
  return gate.checks.some(({ text }) => /\bmain\b/.test(text))
}

export function mainYardstick(main: Main, stage: string, port: string | null): Yardstick {
  if (main.lock === null)
    return { missing: main.git.type === 'none' ? `${main.git.why}: ${main.git.help}` : 'main has no scores' }
  const scores = scoresIn(main.lock, stage, main.origin, port)
  if (scores !== null) return scores
  const known = Object.keys(main.lock['scores'] ?? {}).sort()
  return {
    missing: `${main.origin} measured no stage '${stage}'${known.length === 0 ? '' : `, only ${known.join(', ')}`}`,
  }
}
