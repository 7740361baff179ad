/** What to change in the file when stages ran out of memory, said where the size of a batch is written. */
import type { Diagnostic } from './diagnostic.ts'
import type { Pipeline, Stage } from './pipeline.ts'
import { outOfMemory } from './problems/world.ts'

/** Stages whose kind computes in batches; of others nobody knows what would help. Instances of a matrix are said once. */
export function memoryProblems({ stages }: Pipeline, failed: readonly string[]): readonly Diagnostic[] {
  const found = new Map<number, Diagnostic>()
  for (const stage of stages) {
    const batch = numberIn(stage, 'batch_size')
    if (!failed.includes(stage.name) || batch === null) continue
    const span = stage.optionSpans['batch_size'] ?? stage.span
    found.set(span.start, outOfMemory(span, stage.name, { batch, gradAccum: numberIn(stage, 'grad_accum') }))
  }
  return [...found.values()]
}

function numberIn({ with: options }: Stage, name: string): number | null {
  const value = options[name]
  return typeof value === 'number' ? value : null
}
