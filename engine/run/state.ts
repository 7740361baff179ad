/** Fold: (state, event) -> state. The only source of "how is the run". */
import type { Verdict } from '../../dsl/judge.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { Digest } from '../artifact.ts'
import type { FailureCause, Logged } from './events.ts'
import { stepRun, stepStage } from './stage-life.ts'
import type { RunStatus, StageStatus } from './stage-life.ts'
import { StageTable } from './stage-table.ts'

export interface StageState {
  readonly name: string
  readonly status: StageStatus
  readonly key: Digest | null
  readonly startedAt: number | null
  readonly durationMs: number | null
  readonly reason: string | null
  /** Who made a cached result while this run wanted it. */
  readonly from: string | null
  /** Who makes the same result at this moment. */
  readonly holder: string | null
  /** Bytes of a shared result that is on its way here; null if none is. */
  readonly pulling: number | null
  /** What came from the remote cache or went there; null if nothing did. */
  readonly pulledBytes: number | null
  readonly pushedBytes: number | null
  readonly progress: Progress | null
  /** The latest losses, oldest first, for the little curve. */
  readonly losses: readonly number[]
  readonly notes: readonly string[]
  /** The step from which it went on; null if it began at the beginning. */
  readonly resumedFrom: number | null
  /** The step up to which its work is kept for another attempt. */
  readonly checkpoint: number | null
  readonly summary: JsonObject
  readonly failure: Failure | null
  /** What a paused stage waits for. */
  readonly waitsFor: string | null
  readonly skippedBecause: string | null
  readonly verdict: Verdict | null
}

export interface Progress {
  readonly op: string
  readonly done: number
  readonly total: number
  readonly unit: string
  readonly values: Readonly<Record<string, number | null>>
  /** When this op was first heard of, in milliseconds since 1970, and how much was done then: for the time left. */
  readonly since: number
  readonly first: number
}

export interface Failure {
  readonly cause: FailureCause
  readonly message: string
  readonly help: string | null
  readonly log: string | null
}

export interface RunState {
  readonly run: string | null
  readonly pipeline: string | null
  readonly status: RunStatus
  readonly startedAt: number | null
  readonly holder: string | null
  readonly stages: StageTable<StageState>
  /** What went wrong with the remote cache, each once. */
  readonly troubles: readonly string[]
  readonly exitCode: number | null
  readonly durationMs: number | null
}

const LOSSES_KEPT = 400

export const newRun: RunState = {
  run: null,
  pipeline: null,
  status: 'starting',
  startedAt: null,
  holder: null,
  stages: StageTable.of<StageState>([]),
  troubles: [],
  exitCode: null,
  durationMs: null,
}

export function fold(state: RunState, event: Logged): RunState {
  switch (event.type) {
    case 'run.waiting':
      return { ...state, status: stepRun(state.status, event.type), holder: event.holder }
    case 'run.start':
      return {
        ...state,
        status: stepRun(state.status, event.type),
        run: event.run,
        pipeline: event.pipeline,
        startedAt: Date.parse(event.t),
        holder: null,
        stages: StageTable.of(event.stages.map(waiting)),
      }
    case 'run.done':
      return {
        ...state,
        status: stepRun(state.status, event.type),
        holder: null,
        exitCode: event.exitCode,
        durationMs: event.durationMs,
      }
    // For who follows the lines alone; the results and the verdict hold them.
    case 'metric':
    case 'gate.check':
      return state
    case 'remote.trouble':
      return { ...state, troubles: [...state.troubles, event.text] }
    case 'stage.pulling':
    case 'stage.pulled':
    case 'stage.pushed':
    case 'stage.cached':
    case 'stage.waiting':
    case 'stage.start':
    case 'progress':
    case 'note':
    case 'stage.checkpoint':
    case 'stage.resumed':
    case 'stage.done':
    case 'stage.retry':
    case 'stage.chosen':
    case 'stage.exported':
    case 'stage.paused':
    case 'stage.failed':
    case 'stage.skipped':
    case 'gate.verdict': {
      const before = state.stages.get(event.stage)
      if (before === undefined)
        throw new Error(`bug: ${event.type} for ${event.stage}, which is not in this run`)
      return { ...state, stages: state.stages.with(foldStage(before, event)) }
    }
  }
}

type StageEvent = Exclude<Extract<Logged, { stage: string }>, { type: 'metric' | 'gate.check' }>

function foldStage(stage: StageState, event: StageEvent): StageState {
  switch (event.type) {
    case 'progress': {
      const sameOp = stage.progress?.op === event.op
      const since = sameOp ? stage.progress.since : Date.parse(event.t)
      const { op, done, total, unit, values } = event
      const first = sameOp ? stage.progress.first : done
      const loss = values['loss']
      const losses =
        typeof loss === 'number' ? [...(sameOp ? stage.losses : []), loss].slice(-LOSSES_KEPT) : stage.losses
      return { ...stage, progress: { op, done, total, unit, values, since, first }, losses }
    }
    case 'note':
      return { ...stage, notes: [...stage.notes, event.text] }
    case 'stage.waiting':
      return { ...stage, status: stepStage(stage.status, event.type), holder: event.holder }
    case 'stage.pulling':
      return { ...stage, holder: null, pulling: event.bytes }
    case 'stage.checkpoint':
      return { ...stage, checkpoint: event.step }
    case 'stage.resumed':
      return { ...stage, resumedFrom: event.step, checkpoint: event.step }
    case 'stage.cached': {
      const { key, summary, from } = event
      return { ...stage, status: stepStage(stage.status, event.type), key, summary, from }
    }
    case 'stage.pulled':
      return { ...stage, pulling: null, pulledBytes: event.bytes }
    case 'stage.pushed':
      return { ...stage, pushedBytes: event.bytes }
    case 'stage.chosen':
    case 'stage.exported':
      return { ...stage, status: stepStage(stage.status, event.type), key: event.key, summary: event.summary }
    case 'stage.retry':
      return {
        ...stage,
        status: stepStage(stage.status, event.type),
        progress: null,
        notes: [...stage.notes, `attempt ${String(event.attempt)} failed: ${event.message}`],
      }
    case 'stage.start':
      return {
        ...stage,
        status: stepStage(stage.status, event.type),
        key: event.key,
        reason: event.reason,
        startedAt: Date.parse(event.t),
      }
    case 'stage.done':
      return {
        ...stage,
        status: stepStage(stage.status, event.type),
        durationMs: event.durationMs,
        summary: event.summary,
      }
    case 'stage.paused':
      return {
        ...stage,
        status: stepStage(stage.status, event.type),
        key: event.key,
        waitsFor: event.waitsFor,
      }
    case 'stage.failed': {
      const { cause, message, help, log } = event
      return { ...stage, status: stepStage(stage.status, event.type), failure: { cause, message, help, log } }
    }
    case 'stage.skipped':
      return { ...stage, status: stepStage(stage.status, event.type), skippedBecause: event.because }
    case 'gate.verdict':
      return { ...stage, status: stepStage(stage.status, event.type), verdict: event.verdict }
  }
}

function waiting(name: string): StageState {
  return {
    name,
    status: 'waiting',
    key: null,
    startedAt: null,
    durationMs: null,
    reason: null,
    from: null,
    holder: null,
    pulling: null,
    pulledBytes: null,
    pushedBytes: null,
    progress: null,
    losses: [],
    notes: [],
    resumedFrom: null,
    checkpoint: null,
    summary: {},
    failure: null,
    waitsFor: null,
    skippedBecause: null,
    verdict: null,
  }
}
