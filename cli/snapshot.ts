/** A word such as `main`, `last`, a run or a revision -> what was known then: settings, scores, results. */
import { relative } from 'node:path'
import type { Json } from '../dsl/stage-signature.ts'
import type { Facts, Lock } from '../engine/lock-file.ts'
import { choiceFacts, scoreFacts, sourceFacts, stageFacts, wiringFacts } from '../engine/lock/facts.ts'
import { pastRun } from '../engine/lock/of-run.ts'
import type { PastRun } from '../engine/lock/of-run.ts'
import { metricsPort, readMetrics } from '../engine/run/gate.ts'
import { runIds } from '../engine/run/log.ts'
import { findMain, lockIn } from './baseline.ts'
import { fileAt } from './git.ts'
import { Usage } from './options.ts'
import { planOf } from './project.ts'
import type { Opened } from './project.ts'
import { toType } from './to-type.ts'

export interface Snapshot {
  /** How tables head its column: `main@4c2d1e0`, `run 7f3a`, `this file`. */
  readonly name: string
  readonly lock: Lock
}

/** A snapshot that may have been made from the files of a commit; null if git does not know. */
export interface FoundSnapshot extends Snapshot {
  readonly commit: string | null
}

export const THIS_FILE = 'this file'

/** @param word null is the file as it is */
export async function snapshotOf(opened: Opened, word: string | null): Promise<FoundSnapshot> {
  if (word === null) return { ...presentSnapshot(opened), commit: null }
  if (word === 'main') return mainSnapshot(opened)
  if (word === 'last') {
    if (opened.lock === null)
      throw new Usage(
        `there is no lock file yet, so nothing is 'last'\n  help: ${toType('run', opened)}`,
        true,
      )
    return { name: 'last', lock: opened.lock, commit: null }
  }
  const run = runCalled(opened, word)
  if (run !== null) return { name: `run ${shortRun(run.run)}`, lock: run.lock, commit: null }
  const path = relative(opened.root, opened.lockPath)
  const version = fileAt(opened.root, word, path)
  const lock = version === null ? null : lockIn(version.text, path)
  if (version === null || lock === null)
    throw new Usage(
      `'${word}' is no run here and no git revision with a readable ${path}\n  help: sluice runs, or git log --oneline -- ${path}; also: main, last`,
      true,
    )
  const name = /^[0-9a-f]{4,40}$/.test(word) ? version.commit : `${word} (${version.commit})`
  return { name, lock, commit: version.commit }
}

async function mainSnapshot(opened: Opened): Promise<FoundSnapshot> {
  const main = await findMain(opened)
  if (main.lock !== null) {
    // What was blessed was not made from the files of that commit.
    const commit = main.blessing === null && main.git.type === 'passing' ? main.git.passing.commit : null
    return { name: main.origin, lock: main.lock, commit }
  }
  const { why, help } =
    main.git.type === 'none' ? main.git : { why: 'main has no scores', help: 'sluice baseline show' }
  throw new Usage(`there is no main to compare with: ${why}\n  help: ${help}`, true)
}

/** The file as it is: of a stage that would run only the settings are known. */
export function presentSnapshot(opened: Opened): Snapshot {
  const stages: Record<string, Facts> = {}
  const scores: Record<string, Facts> = {}
  for (const entry of planOf(opened, new Set())) {
    const { stage } = entry
    if (entry.type === 'judge' || entry.type === 'export') continue
    if (entry.type === 'run' || entry.result === null) {
      stages[stage.name] = settingsOf(stage.uses, stage.with)
      continue
    }
    const { result } = entry
    stages[stage.name] = entry.type === 'choose' ? choiceFacts(result, stage) : stageFacts(result)
    const port = metricsPort(stage)
    const artifact = port === null ? undefined : result.outputs[port]
    const metrics = artifact === undefined ? null : readMetrics(artifact, opened.stores.blobs)
    if (metrics !== null && !('missing' in metrics)) scores[stage.name] = scoreFacts(metrics)
  }
  const sources = Object.entries(opened.sources).map(([name, found]) => [name, sourceFacts(found)] as const)
  const wiring = opened.pipeline.stages.map((stage) => [stage.name, wiringFacts(stage)] as const)
  const lock = { stages, scores, sources: Object.fromEntries(sources), wiring: Object.fromEntries(wiring) }
  return { name: THIS_FILE, lock }
}

function settingsOf(kind: string, options: Readonly<Record<string, Json>>): Facts {
  const settings = Object.entries(options).map(([name, value]) => [`with.${name}`, value] as const)
  return { kind, ...Object.fromEntries(settings) }
}

/** The end of a run's id, which is what people type. */
export function shortRun(run: string): string {
  return run.split('-').at(-1) ?? run
}

/** A run by its id or by the end of it, which is what people remember. */
export function runCalled(opened: Opened, wanted: string): PastRun | null {
  const { stateDir } = opened.environment
  const ids = runIds(stateDir).filter((id) => id === wanted || id.endsWith(`-${wanted}`))
  for (const id of [...ids].reverse()) {
    const run = pastRun(stateDir, id, opened.stores)
    if (run?.pipeline === opened.pipeline.name) return run
  }
  return null
}
