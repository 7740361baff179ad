/** The jobs of a stage, each with the worker that does it. */
import type { Stage } from '../dsl/pipeline.ts'
import type { Environment } from './environment.ts'
import type { Step } from './stage-kind.ts'

/** How the environment calls a worker that the pipeline file names; no worker of Sluice or of a plugin has a dot in its name. */
export function workerId(name: string): string {
  return `workers.${name}`
}

/** Heavy steps go where the file says; all others have a worker of their own. */
export function stepsOf(
  { uses, with: options, worker }: Pick<Stage, 'uses' | 'with' | 'worker'>,
  { kinds }: Pick<Environment, 'kinds'>,
): readonly Step[] {
  const steps = kinds[uses]?.steps(options) ?? []
  if (worker === null) return steps
  return steps.map((step) => (step.on === 'kernel' ? { ...step, on: workerId(worker) } : step))
}
