/** `sluice worker check CMD...`: whether a worker keeps to the protocol, point by point. */
import { checkWorker } from '../../engine/worker/conformance.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { painter, useColor } from '../reports/style.ts'

export async function workerCommand(command: Command): Promise<number> {
  const [what, program, ...args] = command.args
  if (what !== 'check' || program === undefined)
    throw new Usage('worker wants: check CMD...\n  help: sluice worker check -- python3 worker.py', true)
  const findings = await checkWorker({ command: program, args, cwd: process.cwd() })
  if (command.flags['json'] === true) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`)
  else {
    const paint = painter(useColor(process.stdout, command))
    for (const { what: line, ok, detail } of findings) {
      const mark = ok === null ? '-' : ok ? paint('green', '✓') : paint('red', '✗')
      process.stdout.write(`${mark} ${line}${detail === '' ? '' : `   ${detail}`}\n`)
    }
  }
  return findings.every(({ ok }) => ok !== false) ? 0 : 1
}
