/** What a run, or a look at its gates, has to say about lines of the file: memory that ran out, checks left undecided. */
import { memoryProblems } from '../dsl/memory.ts'
import { undecidedChecks } from '../dsl/undecided.ts'
import type { RunState } from '../engine/run/state.ts'
import { languageOf } from './language.ts'
import type { Command } from './options.ts'
import type { Opened } from './project.ts'
import { renderDiagnostics } from './reports/diagnostics.ts'
import type { Verdicts } from './reports/github.ts'
import { useColor } from './reports/style.ts'
import { sayDiagnostics } from './say.ts'

/** E302, on the line that says how many rows are computed at once. */
export async function sayMemory(
  { pipeline, root }: Opened,
  { stages }: RunState,
  command: Command,
  version: string,
): Promise<void> {
  const failed = [...stages.values()].filter(({ failure }) => failure?.cause === 'memory')
  const diagnostics = memoryProblems(
    pipeline,
    failed.map(({ name }) => name),
  )
  if (diagnostics.length === 0) return
  process.stderr.write('\n')
  await sayDiagnostics({ diagnostics, root, version }, command, 'text')
}

/** E207 and E208. GitHub hears of them with the verdict, so here they are words only. */
export function sayUndecided(gates: readonly Verdicts[], command: Command): void {
  const diagnostics = gates.flatMap(({ stage, verdict }) =>
    stage.gate === null ? [] : undecidedChecks(stage.gate, verdict),
  )
  if (diagnostics.length === 0) return
  const options = { color: useColor(process.stderr, command), language: languageOf(process.env) }
  process.stderr.write(`\n${renderDiagnostics(diagnostics, options)}`)
}
