/** The law of a stage's life and of a run's life, as xstate machines used through pure steps. */
import { createMachine, initialTransition, transition } from 'xstate'
import type { RunEvent } from './events.ts'

export type StageStatus =
  | 'waiting'
  | 'running'
  | 'cached'
  | 'done'
  | 'paused'
  | 'failed'
  | 'skipped'
  | 'judged'
  | 'chosen'
  | 'exported'
export type RunStatus = 'starting' | 'running' | 'finished'

const stageMachine = createMachine({
  initial: 'waiting',
  states: {
    waiting: {
      on: {
        'stage.waiting': 'waiting',
        'stage.cached': 'cached',
        'stage.paused': 'paused',
        'stage.start': 'running',
        'stage.failed': 'failed',
        'stage.skipped': 'skipped',
        'gate.verdict': 'judged',
        'stage.chosen': 'chosen',
        'stage.exported': 'exported',
      },
    },
    running: {
      on: {
        'stage.start': 'running',
        'stage.retry': 'running',
        'stage.done': 'done',
        'stage.paused': 'paused',
        'stage.failed': 'failed',
      },
    },
    cached: { type: 'final' },
    done: { type: 'final' },
    paused: { type: 'final' },
    failed: { type: 'final' },
    skipped: { type: 'final' },
    judged: { type: 'final' },
    chosen: { type: 'final' },
    exported: { type: 'final' },
  },
})

const runMachine = createMachine({
  initial: 'starting',
  states: {
    starting: { on: { 'run.start': 'running', 'run.done': 'finished' } },
    running: { on: { 'run.waiting': 'running', 'run.done': 'finished' } },
    finished: { type: 'final' },
  },
})

/** Steps that were taken before: there are few different ones, and a run of a thousand stages takes each so often. */
const known = new Map<typeof stageMachine, Map<string, string>>()

function step(machine: typeof stageMachine, status: string, type: RunEvent['type']): string {
  const steps = known.get(machine) ?? new Map<string, string>()
  known.set(machine, steps)
  const name = `${status} ${type}`
  const next = steps.get(name) ?? computeStep(machine, status, type)
  steps.set(name, next)
  return next
}

/** xstate ignores unknown events without a word; here one that does not fit is a bug of ours. */
function computeStep(machine: typeof stageMachine, status: string, type: RunEvent['type']): string {
  const [initial] = initialTransition(machine)
  const snapshot = machine.resolveState({ value: status, context: initial.context })
  if (snapshot.status === 'done' || !snapshot.can({ type })) {
    throw new Error(`bug: ${type} cannot happen to something that is ${status}`)
  }
  const [next] = transition(machine, snapshot, { type })
  return next.value as string
}

export function stepStage(status: StageStatus, type: RunEvent['type']): StageStatus {
  return step(stageMachine, status, type) as StageStatus
}

export function stepRun(status: RunStatus, type: RunEvent['type']): RunStatus {
  return step(runMachine, status, type) as RunStatus
}
