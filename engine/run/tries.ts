/** Tries a stage as often as it may be tried, holding what it claims of the machine. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RetryCause, Stage } from '../../dsl/pipeline.ts'
import { digestOf } from '../artifact.ts'
import type { Digest } from '../artifact.ts'
import { reach } from '../failpoint.ts'
import { tryStage } from './attempt.ts'
import type { Attempt, AttemptOutcome, AttemptTools } from './attempt.ts'
import type { FailureCause } from './events.ts'
import { machineFailure } from './machine-failure.ts'

export interface Tried {
  readonly stage: Stage
  readonly outcome: AttemptOutcome
  /** Gives back what the stage claimed. */
  readonly release: () => void
}

/** Tries a stage as often as its `retry:` allows; what it claims is held over all tries. */
export async function tryRepeatedly(
  first: Attempt,
  tools: AttemptTools,
  reason: string,
  signal: AbortSignal,
): Promise<Tried> {
  const { stage, key, rank } = first
  const held: (() => void)[] = []
  const ended = (outcome: AttemptOutcome): Tried => ({
    stage,
    outcome,
    release: () => {
      for (const give of held) give()
    },
  })
  try {
    for (const [name, amount] of claimsOf(stage))
      held.push(await tools.slots.take(name, rank, signal, amount))
    const gpus = tools.devices.take(stage.resources.gpu ?? 0)
    // Given back before the slots: who gets the slot takes the device.
    held.unshift(() => tools.devices.give(gpus))
    for (let number = 1; ; number++) {
      tools.emit({ type: 'stage.start', stage: stage.name, key, attempt: number, reason })
      reach('stage-begun')
      const outcome = await tryStage({ ...first, number, gpus }, tools, signal)
      if (outcome.type === 'done' || !mayRetry(stage, outcome.cause, number)) return ended(outcome)
      const waitMs = pauseMs(stage.retry?.backoffMs ?? 0, key, number)
      const { cause, message } = outcome
      tools.emit({ type: 'stage.retry', stage: stage.name, attempt: number, cause, message, waitMs })
      await sleep(waitMs, undefined, { signal })
    }
  } catch (error) {
    return ended({ type: 'failed', ...machineFailure(error, signal), log: null })
  }
}

/**
 * The pause doubles with each attempt. Up to a quarter is added, another one for each key, so that the instances of a
 * sweep that failed together do not come back together.
 */
export function pauseMs(backoffMs: number, key: Digest, attempts: number): number {
  const drawn = digestOf(`${key} ${String(attempts)}`).slice('sha256:'.length, 'sha256:'.length + 8)
  return Math.round(backoffMs * 2 ** (attempts - 1) * (1 + parseInt(drawn, 16) / 2 ** 34))
}

/**
 * Resource -> amount, in the one order in which they are taken; the user's own have a prefix, so that none is taken for
 * one of ours. The scarce come last: nobody holds a GPU while it waits for a mutex.
 */
export function claimsOf({ resources, mutex }: Stage): readonly (readonly [string, number])[] {
  const { cpu, gpu, memoryBytes, vramBytes, named = {} } = resources
  const names = Object.keys(named).sort()
  return [
    ...mutex.map((name) => [`mutex.${name}`, 1] as const),
    ...names.map((name) => [`resources.${name}`, named[name]?.amount ?? 0] as const),
    ...Object.entries({ cpu, memory: memoryBytes, vram: vramBytes, gpu }),
  ].filter((claim): claim is [string, number] => (claim[1] ?? 0) > 0)
}

/** A mutex is a resource of which there is one. */
export function mutexesOf(stages: readonly Stage[]): Readonly<Record<string, number>> {
  return Object.fromEntries(stages.flatMap(({ mutex }) => mutex.map((name) => [`mutex.${name}`, 1])))
}

const RETRIED: Readonly<Record<FailureCause, RetryCause | null>> = {
  'worker-lost': 'worker-lost',
  timeout: 'timeout',
  memory: 'oom',
  // A full disk is as full the next time.
  resources: null,
  input: 'error',
  bug: 'error',
  watch: null,
  cancelled: null,
}

function mayRetry({ retry }: Stage, cause: FailureCause, attempts: number): boolean {
  const named = RETRIED[cause]
  return retry !== null && named !== null && retry.on.includes(named) && attempts <= retry.max
}
