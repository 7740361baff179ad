/** `sluice gate`: judges the gates on the metrics that exist; nothing runs. */
import { judgeGate } from '../../engine/run/gate.ts'
import type { GateWorld } from '../../engine/run/gate.ts'
import type { Verdict } from '../../dsl/judge.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { openPipeline, planOf, yardsticksOf } from '../project.ts'
import type { Opened } from '../project.ts'
import { painter, useColor } from '../reports/style.ts'
import { verdictText } from '../reports/verdict.ts'

export async function gateCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const gates = opened.pipeline.stages.filter((stage) => stage.gate !== null)
  if (gates.length === 0) throw new Usage(`${opened.file} has no gate`, true)
  const world = worldOf(opened)
  const verdicts: Record<string, Verdict> = {}
  for (const stage of gates) verdicts[stage.name] = judgeGate(stage, world)
  const kinds = Object.values(verdicts).map(({ verdict }) => verdict)
  const exitCode = kinds.includes('fail') ? 3 : kinds.includes('undecided') ? 4 : 0
  if (command.flags['json'] === true) {
    process.stdout.write(
      `${JSON.stringify({ pipeline: opened.pipeline.name, exitCode, gates: verdicts }, null, 2)}\n`,
    )
    return exitCode
  }
  const paint = painter(useColor(process.stdout, command))
  for (const stage of gates) {
    const verdict = verdicts[stage.name]
    if (verdict !== undefined) process.stdout.write(`${verdictText(stage, verdict, paint)}\n`)
  }
  if (opened.pipeline.stages.some((stage) => stage.gate === null && world.resultOf(stage.name) === null))
    process.stderr.write('  help: some metrics are not measured yet: sluice run\n')
  return exitCode
}

/** What the present results say, without running anything. */
export function worldOf(opened: Opened): GateWorld {
  const results = new Map(
    planOf(opened, new Set()).flatMap((entry) =>
      (entry.type === 'cached' || entry.type === 'choose') && entry.result !== null
        ? [[entry.stage.name, entry.result] as const]
        : [],
    ),
  )
  return {
    stages: opened.pipeline.stages,
    kinds: opened.environment.kinds,
    resultOf: (name) => results.get(name) ?? null,
    yardsticks: yardsticksOf(opened),
    blobs: opened.stores.blobs,
  }
}
