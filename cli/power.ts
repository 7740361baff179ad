/** Says before a run which statistical checks its test rows cannot answer, from what the last run measured. */
import { smallTests } from '../dsl/power.ts'
import type { Planned } from '../engine/plan/plan.ts'
import { judgeGate } from '../engine/run/gate.ts'
import { yardsticksOf } from './baseline.ts'
import type { Command } from './options.ts'
import { lastResult } from './project.ts'
import type { Opened } from './project.ts'
import { sayDiagnostics } from './say.ts'

/** Silent where nothing will run: the verdict itself then says what its rows could show. */
export async function sayPower(
  opened: Opened,
  planned: readonly Planned[],
  command: Command,
  version: string,
): Promise<void> {
  const { pipeline, environment, stores, root } = opened
  const gates = pipeline.stages.flatMap((stage) =>
    stage.gate?.checks.some(({ expression }) => expression.type === 'significance') === true
      ? [{ stage, gate: stage.gate }]
      : [],
  )
  if (gates.length === 0 || !planned.some(({ type }) => type === 'run')) return
  const yardsticks = await yardsticksOf(opened)
  const resultOf = (name: string) => lastResult(opened, name)
  const diagnostics = gates.flatMap(({ stage, gate }) => {
    const world = { stages: pipeline.stages, kinds: environment.kinds, resultOf, blobs: stores.blobs }
    const verdict = judgeGate(stage, { ...world, paused: new Map(), yardsticks: yardsticks(gate) })
    return smallTests(gate, verdict)
  })
  await sayDiagnostics({ diagnostics, root, version }, command, 'text')
}
