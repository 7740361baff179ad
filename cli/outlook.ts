/** What a plan says of gates and conditions, by what this machine and this checkout know now. */
import { outlookOf } from '../engine/plan/outlook.ts'
import type { Outlook } from '../engine/plan/outlook.ts'
import type { Planned } from '../engine/plan/plan.ts'
import { judgeGate } from '../engine/run/gate.ts'
import { yardsticksOf } from './baseline.ts'
import { runFacts } from './machine.ts'
import type { Opened } from './project.ts'

/** `planned` is the plan of the whole pipeline. Git and the store are asked only where an answer hangs on them. */
export async function outlooksOf(
  opened: Opened,
  planned: readonly Planned[],
): Promise<ReadonlyMap<string, Outlook>> {
  const { pipeline, environment, stores, sources, root } = opened
  let yardsticks: ReturnType<typeof yardsticksOf> | null = null
  return outlookOf(planned, {
    facts: pipeline.stages.some(({ when }) => when !== null) ? runFacts(root, false, process.env) : {},
    asksPeople: ({ uses }) => environment.kinds[uses]?.waitsFor !== undefined,
    judge: async (stage, { results, paused }) => {
      yardsticks ??= yardsticksOf(opened)
      const resultOf = (name: string) => results.get(name) ?? null
      const world = {
        stages: pipeline.stages,
        kinds: environment.kinds,
        resultOf,
        paused,
        sources,
        blobs: stores.blobs,
      }
      return judgeGate(stage, {
        ...world,
        yardsticks: stage.gate === null ? {} : (await yardsticks)(stage.gate),
      })
    },
  })
}
