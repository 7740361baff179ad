/** The reasons of a stage that will run, in words: where a checkpoint of it is kept, the first says so. */
import { checkpointAt } from '../engine/run/checkpoints.ts'
import type { Planned, Reason } from '../engine/plan/plan.ts'
import type { Opened } from './project.ts'
import { reasonText, resumingText } from './reports/plan.ts'

export function reasonsOf(
  { environment }: Pick<Opened, 'environment'>,
  entry: Planned,
): (reason: Reason) => string {
  if (entry.type !== 'run' || entry.key === null) return reasonText
  const step = checkpointAt(environment.stateDir, entry.key)
  const [first] = entry.reasons
  return (reason) => (step !== null && reason === first ? resumingText(reason, step) : reasonText(reason))
}
