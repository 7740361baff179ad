/** `sluice doctor`: is this machine ready, and what to do if it is not. */
import { join } from 'node:path'
import { failed, ok } from '../doctor/finding.ts'
import type { Finding } from '../doctor/finding.ts'
import { folderFindings } from '../doctor/folder.ts'
import { machineFindings } from '../doctor/machine.ts'
import { hubAddresses, variableFindings } from '../doctor/pipelines.ts'
import { hubFindings, remoteFindings, workerFindings } from '../doctor/reach.ts'
import { Usage } from '../options.ts'
import type { Command } from '../options.ts'
import { environmentAt, FileProblem, pipelineFiles, rootAbove } from '../project.ts'
import { painter, useColor } from '../reports/style.ts'
import type { Paint } from '../reports/style.ts'

export async function doctorCommand(command: Command, buildDir: string): Promise<number> {
  const root = rootAbove(process.cwd())
  const files = pipelineFiles(root)
  const findings: Finding[] = [
    ...machineFindings(process.env),
    ...folderFindings(root, join(root, '.sluice')),
    files.length === 0 ? failed('pipelines', 'none', 'sluice init') : ok('pipelines', files.join(', ')),
    ...(await projectFindings(root, files, buildDir)),
    ...variableFindings(root, files, process.env),
  ]
  const paint = painter(useColor(process.stdout, command))
  if (command.flags['json'] === true) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`)
  else process.stdout.write(findings.map((finding) => `${lineOf(finding, paint)}\n`).join(''))
  return findings.some(({ state }) => state === 'failed') ? 6 : 0
}

/** A mistake in the configuration is one finding; what hangs on it cannot be looked at. */
async function projectFindings(
  root: string,
  files: readonly string[],
  buildDir: string,
): Promise<readonly Finding[]> {
  try {
    const { environment, plugins } = await environmentAt(root, buildDir)
    return [
      ...(plugins.length === 0 ? [] : [ok('plugins', `${String(plugins.length)} load`)]),
      ...(await workerFindings(environment)),
      ...(await remoteFindings(environment)),
      ...(await hubFindings(hubAddresses(root, files), environment)),
    ]
  } catch (error) {
    if (error instanceof Usage) return [failed('settings', error.message, null)]
    if (!(error instanceof FileProblem)) throw error
    const [first] = error.diagnostics
    const place = first === undefined ? '' : `${first.primary.span.source.path}: ${first.message.en}`
    return [failed('configuration', place, 'sluice validate shows the place')]
  }
}

function lineOf({ what, state, detail, help }: Finding, paint: Paint): string {
  const marks = { ok: paint('green', '✓'), warning: paint('yellow', '!'), failed: paint('red', '✗') }
  const more = state === 'ok' || help === null ? '' : `\n    help: ${help}`
  return `${marks[state]} ${what.padEnd(18)}${detail}${more}`
}
