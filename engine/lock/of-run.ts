/** A run on this machine -> the facts that a lock would hold of it: for looking back, comparing, blessing. */
import { join } from 'node:path'
import type { Stores } from '../environment.ts'
import type { Facts, Lock } from '../lock-file.ts'
import type { Logged } from '../run/events.ts'
import { readMetrics } from '../run/gate.ts'
import { readLog, runIds } from '../run/log.ts'
import { scoreFacts, stageFacts } from './facts.ts'

export interface PastRun {
  readonly run: string
  readonly pipeline: string
  readonly startedAt: string
  /** Null while it runs, or if it was killed. */
  readonly exitCode: number | null
  readonly durationMs: number | null
  readonly ran: number
  readonly cached: number
  readonly lock: Lock
  /** Stages that it finished whose record is no longer in the store. */
  readonly lost: readonly string[]
}

/** The runs of a pipeline on this machine, newest first, at most `most`. */
export function pastRuns(
  stateDir: string,
  pipeline: string,
  stores: Stores,
  most: number,
): readonly PastRun[] {
  const runs: PastRun[] = []
  for (const id of [...runIds(stateDir)].reverse()) {
    if (runs.length === most) break
    const run = pastRun(stateDir, id, stores)
    if (run?.pipeline === pipeline) runs.push(run)
  }
  return runs
}

/** Null if the log does not say that a run began. */
export function pastRun(stateDir: string, id: string, stores: Stores): PastRun | null {
  const events = readLog(join(stateDir, 'runs', id, 'run.jsonl'))
  const start = events.find((event) => event.type === 'run.start')
  if (start === undefined) return null
  const done = events.find((event) => event.type === 'run.done')
  const stages: Record<string, Facts> = {}
  const scores: Record<string, Facts> = {}
  const lost: string[] = []
  for (const event of events) {
    if (event.type !== 'stage.done' && event.type !== 'stage.cached') continue
    const result = stores.results.read(event.key)
    if (result === null) {
      lost.push(event.stage)
      continue
    }
    stages[event.stage] = stageFacts(result)
    const measured = Object.values(result.outputs).find(({ type }) => type === 'metrics')
    const metrics = measured === undefined ? null : readMetrics(measured, stores.blobs)
    if (metrics !== null && !('missing' in metrics)) scores[event.stage] = scoreFacts(metrics)
  }
  return {
    run: id,
    pipeline: start.pipeline,
    startedAt: start.t,
    exitCode: done?.exitCode ?? null,
    durationMs: done?.durationMs ?? null,
    ran: countOf(events, 'stage.done'),
    cached: countOf(events, 'stage.cached'),
    lock: { gates: gatesOf(events, id), scores, stages },
    lost,
  }
}

function countOf(events: readonly Logged[], type: Logged['type']): number {
  return events.filter((event) => event.type === type).length
}

function gatesOf(events: readonly Logged[], run: string): Readonly<Record<string, Facts>> {
  const verdicts = events.filter((event) => event.type === 'gate.verdict')
  return Object.fromEntries(
    verdicts.map(({ stage, verdict, t }) => [stage, { verdict: verdict.verdict, run, at: t.slice(0, 10) }]),
  )
}
