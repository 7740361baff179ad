/** Whether runs are under way in a state folder, and since when. */
import { Others } from './others.ts'
import { ownerIn } from './owner.ts'
import { presenceOf, presentIn } from './presence.ts'

/** When the oldest run that still lives began; null if none does. One on another host counts as alive: one look cannot tell. */
export function underWaySince(stateDir: string): number | null {
  const others = new Others(stateDir)
  const begun = presentIn(stateDir).flatMap((run) => {
    const owner = ownerIn(presenceOf(stateDir, run))
    return owner !== null && others.lives(owner) ? [Date.parse(owner.since)] : []
  })
  return begun.length === 0 ? null : Math.min(...begun)
}
