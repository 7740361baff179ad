/** Claims of the user's own resources, held against what `sluice.config.yaml` says there is. */
import type { Diagnostic } from './diagnostic.ts'
import type { Pipeline } from './pipeline.ts'
import { missingResource } from './problems/world.ts'

/** Whether the project's configuration matters to the pipeline at all. */
export function claimsNamed({ stages }: Pipeline): boolean {
  return stages.some(({ resources }) => resources.named !== undefined)
}

/** Instances of a matrix, and stages under `defaults:`, share a claim: it is reported once. */
export function claimProblems(
  { stages }: Pipeline,
  there: Readonly<Record<string, number>>,
): readonly Diagnostic[] {
  const found = new Map<number, Diagnostic>()
  for (const { resources } of stages)
    for (const [name, { amount, span }] of Object.entries(resources.named ?? {})) {
      const most = Object.hasOwn(there, name) ? (there[name] ?? 0) : null
      if (most === null || amount > most)
        found.set(span.start, missingResource(span, name, { claimed: amount, there: most }))
    }
  return [...found.values()]
}
