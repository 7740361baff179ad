/** Tries a stage as often as it may be tried, holding what it claims of the machine. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RetryCause, Stage } from '../../dsl/pipeline.ts'
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
    for (let number = 1; ; number++) {
      tools.emit({ type: 'stage.start', stage: stage.name, key, attempt: number, reason })
      reach('stage-begun')
      const outcome = await tryStage({ ...first, number }, tools, signal)
      if (outcome.type === 'done' || !mayRetry(stage, outcome.cause, number)) return ended(outcome)
      const waitMs = (stage.retry?.backoffMs ?? 0) * 2 ** (number - 1)
      const { cause, message } = outcome
      tools.emit({ type: 'stage.retry', stage: stage.name, attempt: number, cause, message, waitMs })
      await sleep(waitMs, undefined, { signal })
    }
  } catch (error) {
    return ended({ type: 'failed', ...machineFailure(error, signal), log: null })
  }
}

/** Resource -> amount, in the one order in which they are taken. */
export function claimsOf({ resources }: Stage): readonly (readonly [string, number])[] {
  const { cpu, gpu, memoryBytes, vramBytes } = resources
  const claims = { cpu, gpu, memory: memoryBytes, vram: vramBytes }
  return Object.entries(claims).filter((claim): claim is [string, number] => (claim[1] ?? 0) > 0)
}

const RETRIED: Readonly<Record<FailureCause, RetryCause | null>> = {
  'worker-lost': 'worker-lost',
  timeout: 'timeout',
  resources: 'oom',
  input: 'error',
  bug: 'error',
  watch: null,
  cancelled: null,
}

function mayRetry({ retry }: Stage, cause: FailureCause, attempts: number): boolean {
  const named = RETRIED[cause]
  return retry !== null && named !== null && retry.on.includes(named) && attempts <= retry.max
}
