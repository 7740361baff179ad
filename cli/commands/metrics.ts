/** `sluice metrics`: the measured values of all stages that are up to date. */
import type { Command } from '../options.ts'
import { openPipeline, planOf } from '../project.ts'
import { metricsText } from '../reports/metrics.ts'
import { painter, useColor } from '../reports/style.ts'
import { metricsColumns } from './run.ts'
import { toType } from '../to-type.ts'

export async function metricsCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const results = new Map(
    planOf(opened, new Set()).flatMap((entry) =>
      entry.type === 'cached' ? [[entry.stage.name, entry.result] as const] : [],
    ),
  )
  const columns = metricsColumns(opened, { results })
  if (command.flags['json'] === true)
    process.stdout.write(
      `${JSON.stringify(Object.fromEntries(columns.map(({ stage, metrics }) => [stage, metrics])), null, 2)}\n`,
    )
  else if (columns.length === 0) process.stdout.write(`nothing is measured yet: ${toType('run', opened)}\n`)
  else {
    process.stdout.write(`${metricsText(columns, painter(useColor(process.stdout, command)))}\n`)
    const signatures = new Map(
      columns.flatMap(({ metrics }) =>
        Object.entries(metrics.metrics).map(([name, { signature }]) => [name, signature]),
      ),
    )
    for (const [name, signature] of signatures)
      if (signature !== '') process.stdout.write(`  ${name}: ${signature}\n`)
  }
  return 0
}
