/** A plan that knows what others have made: it asks the remote cache for records, and for no bytes. */
import type { Digest } from '../engine/artifact.ts'
import type { Planned } from '../engine/plan/plan.ts'
import type { Found } from '../engine/remote/cache.ts'
import { inParallel } from '../engine/remote/parallel.ts'
import { planOf } from './project.ts'
import type { Opened } from './project.ts'
import type { Remote } from './remote.ts'

/** Records that are asked for at a time. */
const WIDTH = 8

export interface SharedPlan {
  readonly planned: readonly Planned[]
  /** What the remote cache did not answer; the plan then knows this machine only. */
  readonly troubles: readonly string[]
}

export async function sharedPlan(
  opened: Opened,
  forced: ReadonlySet<string>,
  remote: Remote | null,
  signal: AbortSignal,
): Promise<SharedPlan> {
  if (remote === null || remote.mode === 'push') return { planned: planOf(opened, forced), troubles: [] }
  const troubles: string[] = []
  const cache = remote.open((text) => void troubles.push(text))
  const answers = new Map<Digest, Found>()
  for (;;) {
    const planned = planOf(opened, forced, (key) => {
      const answer = answers.get(key)
      return answer?.type === 'hit' ? { result: answer.record.result, bytes: answer.bytes } : null
    })
    // What is found names the content of inputs further on, so there may be more to ask in the next round.
    const unasked = planned.flatMap((entry) => {
      if (entry.type !== 'run' || entry.key === null || answers.has(entry.key)) return []
      return entry.reasons.some(({ type }) => type === 'forced') ? [] : [entry.key]
    })
    if (unasked.length === 0) return { planned, troubles }
    await inParallel([...new Set(unasked)], WIDTH, async (key) => {
      answers.set(key, await cache.find(key, opened.stores, signal))
    })
  }
}
