/** Gets a stage's result: made meanwhile by another run, pulled from the remote cache, else made here, by one run at a time. */
import type { Stage } from '../../dsl/pipeline.ts'
import type { Digest } from '../artifact.ts'
import { reach } from '../failpoint.ts'
import type { Result } from '../store/results.ts'
import type { Attempt, AttemptOutcome, AttemptTools } from './attempt.ts'
import { machineFailure } from './machine-failure.ts'
import { ownerWords } from './owner.ts'
import type { Owner } from './owner.ts'
import type { Rights } from './rights.ts'
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
  readonly rights: Rights
  /** Keys that this run takes the right to make, and for which stage first. */
  readonly makers: Map<Digest, string>
  /** Null without a remote cache. */
  readonly shares: Shares | null
}

export interface Want {
  /** Why the stage runs, in one line, for the log. */
  readonly reason: string
  /** Made anew even if its result is known. */
  readonly forced: boolean
}

/** Never throws for what a run may meet, as `tryRepeatedly`. Claims nothing of the machine while it waits. */
export async function obtain(
  first: Attempt,
  tools: ObtainTools,
  want: Want,
  signal: AbortSignal,
): Promise<Obtained> {
  const { stage, key } = first
  const ended = (outcome: Obtained['outcome']): Obtained => ({ stage, outcome, release: () => undefined })
  let waitedFor: string | null = null
  const maker = tools.makers.get(key) ?? stage.name
  tools.makers.set(key, maker)
  const waiting = (holder: Owner) => {
    waitedFor = holder.run === first.run ? `${maker} of this run` : ownerWords(holder)
    tools.emit({ type: 'stage.waiting', stage: stage.name, holder: waitedFor })
  }
  try {
    const right = await tools.rights.take(key.slice('sha256:'.length), waiting, signal)
    try {
      const here = want.forced ? null : madeMeanwhile(first, tools, waitedFor)
      reach('key-taken')
      const found = here ?? (want.forced ? null : await shared(first, tools))
      // Where there is a result nobody goes on; what is made anew is made from the beginning.
      if (found !== null || want.forced) dropCheckpoints(tools.environment.stateDir, key)
      if (found !== null) return ended(found)
      const tried = await tryRepeatedly(first, tools, want.reason, signal)
      if (tried.outcome.type === 'done') tools.shares?.push(stage, tried.outcome.result)
      return tried
    } finally {
      right.release()
      reach('key-released')
    }
  } catch (error) {
    return ended({ type: 'failed', ...machineFailure(error, signal), log: null })
  }
}

/** Asks the store once more; a record without its bytes is put aside, which only who holds the key may do. */
function madeMeanwhile({ key }: Attempt, { stores }: AttemptTools, waitedFor: string | null): Found | null {
  const lookup = stores.results.find(key)
  if (lookup.type === 'hit' && stores.results.touch(key)) {
    const { result } = lookup
    const { run } = result.provenance
    const maker = waitedFor ?? (typeof run === 'string' ? `run ${run}` : 'another run')
    return { type: 'found', result, from: `made by ${maker}` }
  }
  if (lookup.type === 'miss' && lookup.lost !== null) stores.results.quarantine(key)
  return null
}

async function shared({ stage, key }: Attempt, { shares }: ObtainTools): Promise<Found | null> {
  const pulled = (await shares?.pull(stage, key)) ?? null
  return pulled === null ? null : { type: 'found', ...pulled }
}
