/** Which statistical checks the test rows cannot answer, from what the last run measured; said before anything runs. */
import { relative } from 'node:path'
import type { Diagnostic } from '../dsl/diagnostic.ts'
import type { Pipeline } from '../dsl/pipeline.ts'
import { smallTests } from '../dsl/power.ts'
import { openStores } from '../engine/environment.ts'
import { LockError, readLock } from '../engine/lock-file.ts'
import type { Planned } from '../engine/plan/plan.ts'
import { judgeGate } from '../engine/run/gate.ts'
import { Past } from '../engine/run/past.ts'
import { yardsticksOf } from './baseline.ts'
import type { Command } from './options.ts'
import { lastResult, lockPathOf } from './project.ts'
import type { Opened, Project } from './project.ts'
import { sayDiagnostics } from './say.ts'

/** Silent where nothing will run: the verdict itself then says what its rows could show. */
export async function sayPower(
  opened: Opened,
  planned: readonly Planned[],
  command: Command,
  version: string,
): Promise<void> {
  if (!planned.some(({ type }) => type === 'run')) return
  const diagnostics = await weakQuestions(opened)
  await sayDiagnostics({ diagnostics, root: opened.root, version }, command, 'text')
}

/** For who looks at the file alone; reads no source. A lock that cannot be read is somebody else's to name. */
export function weakQuestionsIn(project: Project, pipeline: Pipeline): Promise<readonly Diagnostic[]> {
  const { environment, root } = project
  const lockPath = lockPathOf(project)
  const stores = openStores(environment.stateDir)
  const past = new Past(environment.stateDir, pipeline.name)
  return weakQuestions({ ...project, pipeline, stores, past, lockPath, lock: lockAt(lockPath, root) })
}

async function weakQuestions(opened: Omit<Opened, 'sources' | 'overridden'>): Promise<readonly Diagnostic[]> {
  const { pipeline, environment, stores } = opened
  const gates = pipeline.stages.flatMap((stage) =>
    stage.gate?.checks.some(({ expression }) => expression.type === 'significance') === true
      ? [{ stage, gate: stage.gate }]
      : [],
  )
  if (gates.length === 0) return []
  const yardsticks = await yardsticksOf(opened)
  const resultOf = (name: string) => lastResult(opened, name)
  return gates.flatMap(({ stage, gate }) => {
    const { kinds } = environment
    // What a source weighs decides no question of chance.
    const world = { stages: pipeline.stages, kinds, resultOf, sources: {}, blobs: stores.blobs }
    const verdict = judgeGate(stage, { ...world, paused: new Map(), yardsticks: yardsticks(gate) })
    return smallTests(gate, verdict)
  })
}

function lockAt(path: string, root: string): Opened['lock'] {
  try {
    return readLock(path, relative(root, path))
  } catch (error) {
    if (error instanceof LockError) return null
    throw error
  }
}
