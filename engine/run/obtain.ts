/** Gets a stage's result: made meanwhile by another run, pulled from the remote cache, else made here. */
import type { Stage } from '../../dsl/pipeline.ts'
import type { Result } from '../store/results.ts'
import type { Attempt, AttemptOutcome, AttemptTools } from './attempt.ts'
import { dropCheckpoints } from './checkpoints.ts'
import type { Shares } from './shares.ts'
import { tryRepeatedly } from './tries.ts'

export interface Obtained {
  readonly stage: Stage
  readonly outcome: AttemptOutcome | Found
  /** Gives back what the stage claimed. */
  readonly release: () => void
}

/** The result exists and nothing ran for it here. */
export interface Found {
  readonly type: 'found'
  readonly result: Result
  /** Who made it, in words that follow `cached`: `made by process 7`. */
  readonly from: string
}

export interface ObtainTools extends AttemptTools {
  /** Null without a remote cache. */
  readonly shares: Shares | null
}

export interface Want {
  /** Why the stage runs, in one line, for the log. */
  readonly reason: string
  /** Made anew even if its result is known. */
  readonly forced: boolean
}

/** Never throws for what a run may meet, as `tryRepeatedly`. */
export async function obtain(
  first: Attempt,
  tools: ObtainTools,
  want: Want,
  signal: AbortSignal,
): Promise<Obtained> {
  const found = want.forced ? null : (madeMeanwhile(first, tools) ?? (await shared(first, tools)))
  if (found !== null) return { stage: first.stage, outcome: found, release: () => undefined }
  // Made anew is made from the beginning; its own retries go on from what they keep.
  if (want.forced) dropCheckpoints(tools.environment.stateDir, first.key)
  const tried = await tryRepeatedly(first, tools, want.reason, signal)
  if (tried.outcome.type === 'done') tools.shares?.push(first.stage, tried.outcome.result)
  return tried
}

function madeMeanwhile({ key }: Attempt, { stores }: AttemptTools): Found | null {
  const lookup = stores.results.find(key)
  if (lookup.type === 'miss') return null
  const { run } = lookup.result.provenance
  return {
    type: 'found',
    result: lookup.result,
    from: `made by ${typeof run === 'string' ? `run ${run}` : 'another run'}`,
  }
}

async function shared({ stage, key }: Attempt, { shares }: ObtainTools): Promise<Found | null> {
  const pulled = await shares?.pull(stage, key)
  return pulled == null || !hasOutputsOf(stage, pulled.result) ? null : { type: 'found', ...pulled }
}

/** What comes from outside has the very ports that the stage declares. */
function hasOutputsOf({ outputs }: Stage, result: Result): boolean {
  const declared = Object.entries(outputs)
  return (
    declared.length === Object.keys(result.outputs).length &&
    declared.every(([port, type]) => result.outputs[port]?.type === type)
  )
}
