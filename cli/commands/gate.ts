/** `sluice gate`: judges the gates on the metrics that exist; nothing runs. */
import type { Artifact } from '../../engine/artifact.ts'
import { judgeGate } from '../../engine/run/gate.ts'
import { metricsPort } from '../../engine/run/run.ts'
import type { Verdict } from '../../dsl/judge.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { openPipeline, planOf, yardsticksOf } from '../project.ts'
import { painter, useColor } from '../reports/style.ts'
import { verdictText } from '../reports/verdict.ts'

export async function gateCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const gates = opened.pipeline.stages.filter((stage) => stage.gate !== null)
  if (gates.length === 0) throw new Usage(`${opened.file} has no gate`, true)
  const cached = new Map(
    planOf(opened, new Set()).flatMap((entry) =>
      entry.type === 'cached' ? [[entry.stage.name, entry.result] as const] : [],
    ),
  )
  const measured = opened.pipeline.stages.filter((stage) => metricsPort(stage) !== null)
  const metricsOf = (name: string): Artifact | null => {
    const stage = measured.find((other) => other.name === name)
    const port = stage === undefined ? null : metricsPort(stage)
    return port === null ? null : (cached.get(name)?.outputs[port] ?? null)
  }
  const verdicts: Record<string, Verdict> = {}
  const names = measured.map((stage) => stage.name)
  for (const stage of gates)
    verdicts[stage.name] = judgeGate(stage, metricsOf, names, yardsticksOf(opened), opened.stores.blobs)
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
  if (names.some((name) => metricsOf(name) === null))
    process.stderr.write('  help: some metrics are not measured yet: sluice run\n')
  return exitCode
}
