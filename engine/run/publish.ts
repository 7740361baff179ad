/**
 * What a run shows of itself: its outputs under `.sluice/out/<pipeline>/<stage>/<port>/`, and the lock file. Runs of a
 * pipeline that are under way at once show each stage as they go; each ends by showing all of its own at one go, so
 * that after the last of them `out/` and the lock say the same.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Pipeline, Stage } from '../../dsl/pipeline.ts'
import type { Verdict } from '../../dsl/judge.ts'
import type { Digest } from '../artifact.ts'
import type { Environment, FoundSource, Stores } from '../environment.ts'
import { reach } from '../failpoint.ts'
import { LockError, lockText, readLock, writeLock } from '../lock-file.ts'
import type { Facts, Lock } from '../lock-file.ts'
import { choiceFacts, scoreFacts, sourceFacts, stageFacts, wiringFacts } from '../lock/facts.ts'
import { settleGates } from '../lock/settle.ts'
import { writeAtomic } from '../store/atomic.ts'
import type { Result } from '../store/results.ts'
import type { Finished } from './fate.ts'
import { metricsPort, readMetrics } from './gate.ts'
import { isOvertaken, laterRun, textAt } from './overtaken.ts'
import type { Claim } from './overtaken.ts'
import { ownerWords } from './owner.ts'
import type { Owner } from './owner.ts'
import type { Rights } from './rights.ts'
import type { ShowingRight } from './showing-right.ts'

/** Where and for what is shown. */
export interface Showroom {
  readonly pipeline: Pipeline
  readonly environment: Environment
  readonly stores: Stores
  readonly rights: Rights
  readonly showing: ShowingRight
}

type Place = Pick<Showroom, 'environment' | 'pipeline'>

/** Shows the outputs of a stage, unless another run is showing its own at this moment: `publish` will. */
export function showStage(stage: Stage, result: Result, room: Showroom): void {
  const hidden = hiddenPorts(stage, result, room)
  if (hidden.length > 0) room.showing.use(() => showPorts(stage, hidden, room))
}

export function showVerdict(stage: Stage, verdict: Verdict, place: Place): void {
  if (!showsVerdict(stage, verdict, place))
    writeAtomic(folderOf(stage, 'verdict.json', place), verdictText(verdict))
}

export interface Publication extends Showroom {
  readonly run: string
  readonly stages: readonly Stage[]
  readonly finished: Finished
  readonly sources: Readonly<Record<string, FoundSource>>
  /** Null after a run that was not complete or had parameters of its own: the lock stays as it is. */
  readonly lockPath: string | null
  readonly claim: Claim
  /** A run with newer files has published; ours is kept in the store only. */
  readonly overtaken: () => void
  readonly waiting: (holder: string) => void
  readonly signal: AbortSignal
}

export async function publish(publication: Publication): Promise<void> {
  publication.showing.end()
  // Where all is as it should be, nothing is taken and nothing is written.
  if (isPublished(publication)) return
  const { lockPath, stages, finished, waiting, signal } = publication
  const tell = (holder: Owner) => waiting(ownerWords(holder))
  const right = await publication.rights.take(rightOf(publication), tell, signal)
  try {
    if (await isOvertaken(publication.claim)) {
      showOthers(publication)
      publication.overtaken()
      return
    }
    for (const [stage, result] of resultsOf(publication))
      showPorts(stage, hiddenPorts(stage, result, publication), publication)
    for (const stage of stages) {
      const verdict = finished.verdicts.get(stage.name)
      if (verdict !== undefined) showVerdict(stage, verdict, publication)
    }
    reach('all-shown')
    if (lockPath === null) return
    writeLock(lockPath, lockOf(publication))
    reach('lock-written')
  } finally {
    right.release()
  }
}

function isPublished(publication: Publication): boolean {
  const { lockPath, stages, finished, claim } = publication
  if (claim.lockPath !== null && textAt(claim.lockPath) !== claim.lockAtStart) return false
  // The lock is looked at first: after a run that made something it differs, and all else is looked at once, with the right.
  if (lockPath !== null && textAt(lockPath) !== lockText(lockOf(publication))) return false
  const showsResult = ([stage, result]: readonly [Stage, Result]) =>
    hiddenPorts(stage, result, publication).length === 0
  const judgedAsShown = (stage: Stage) => {
    const verdict = finished.verdicts.get(stage.name)
    return verdict === undefined || showsVerdict(stage, verdict, publication)
  }
  return resultsOf(publication).every(showsResult) && stages.every(judgedAsShown)
}

/** A stage that could not be shown has failed, and said why. */
function resultsOf({ stages, finished }: Publication): readonly (readonly [Stage, Result])[] {
  return stages.flatMap((stage) => {
    const result = finished.results.get(stage.name)
    return result === undefined || finished.failures.has(stage.name) ? [] : [[stage, result] as const]
  })
}

/** A port that `out/` does not show as the result has it, and the tree that it has to show. */
type Hidden = readonly [port: string, tree: Digest]

function hiddenPorts(stage: Stage, result: Result, room: Showroom): readonly Hidden[] {
  return Object.entries(result.outputs).flatMap(([port, { tree }]) =>
    room.stores.blobs.shows(folderOf(stage, port, room), tree) ? [] : [[port, tree] as const],
  )
}

/** Puts back what this run has shown of its own while the other had ended. */
function showOthers(publication: Publication): void {
  const { claim, stages, stores } = publication
  const lock = lockBefore(claim.lockPath)
  const verdicts = new Map(
    laterRun(claim)?.flatMap((event) =>
      event.type === 'gate.verdict' ? [[event.stage, event.verdict] as const] : [],
    ),
  )
  for (const stage of stages) {
    for (const port of Object.keys(stage.outputs)) {
      const digest = lock?.['stages']?.[stage.name]?.[`out.${port}`]
      const tree = typeof digest === 'string' ? stores.blobs.openTree(digest as Digest) : null
      if (tree !== null && !('lost' in tree)) stores.blobs.show(tree, folderOf(stage, port, publication))
    }
    if (stage.gate === null) continue
    const verdict = verdicts.get(stage.name)
    // Nobody knows what the gate would say of another machine's run.
    if (verdict === undefined) rmSync(folderOf(stage, 'verdict.json', publication), { force: true })
    else showVerdict(stage, verdict, publication)
  }
}

function showPorts(stage: Stage, hidden: readonly Hidden[], room: Showroom): void {
  for (const [port, digest] of hidden) {
    const tree = room.stores.blobs.openTree(digest)
    if ('lost' in tree) throw new Error(tree.lost)
    room.stores.blobs.show(tree, folderOf(stage, port, room))
  }
}

function folderOf({ name }: Stage, port: string, { environment, pipeline }: Place): string {
  return join(environment.stateDir, 'out', pipeline.name, name, port)
}

export function rightOf({ pipeline }: Pick<Showroom, 'pipeline'>): string {
  return `out-${pipeline.name}`
}

function verdictText(verdict: Verdict): string {
  return `${JSON.stringify(verdict, null, 1)}\n`
}

function showsVerdict(stage: Stage, verdict: Verdict, place: Place): boolean {
  return textAt(folderOf(stage, 'verdict.json', place)) === verdictText(verdict)
}

function lockOf({
  pipeline,
  environment,
  finished,
  sources: found,
  stores,
  lockPath,
  run,
}: Publication): Lock {
  const stages: Record<string, Facts> = {}
  const scores: Record<string, Facts> = {}
  const gates: Record<string, Facts> = {}
  const wiring: Record<string, Facts> = {}
  const sources: Record<string, Facts> = {}
  for (const [name, source] of Object.entries(found)) sources[name] = sourceFacts(source)
  for (const stage of pipeline.stages) {
    wiring[stage.name] = wiringFacts(stage)
    const verdict = finished.verdicts.get(stage.name)
    if (verdict !== undefined) gates[stage.name] = { verdict: verdict.verdict }
    const result = finished.results.get(stage.name)
    // An export makes nothing that could be the same or not.
    if (result === undefined || environment.kinds[stage.uses]?.decides === 'export') continue
    stages[stage.name] = stage.selection === null ? stageFacts(result) : choiceFacts(result, stage)
    const port = metricsPort(stage)
    const artifact = port === null ? undefined : result.outputs[port]
    const metrics = artifact === undefined ? null : readMetrics(artifact, stores.blobs)
    if (metrics !== null && !('missing' in metrics)) scores[stage.name] = scoreFacts(metrics)
  }
  const lock = { gates, scores, sources, stages, wiring }
  return settleGates(lock, lockBefore(lockPath), { run, at: new Date().toISOString().slice(0, 10) })
}

/** What the lock said before this run; null if a merge broke it meanwhile, since it is about to be written anew. */
function lockBefore(path: string | null): Lock | null {
  try {
    return path === null ? null : readLock(path)
  } catch (error) {
    if (error instanceof LockError) return null
    throw error
  }
}
