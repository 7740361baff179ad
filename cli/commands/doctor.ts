/** `sluice doctor`: is this machine ready, and what to do if it is not. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { WorkerSession } from '../../engine/worker/session.ts'
import type { Command } from '../options.ts'
import { findProject, pipelineFiles, rootAbove } from '../project.ts'
import { bytes, painter, useColor } from '../reports/style.ts'

interface Finding {
  readonly what: string
  readonly ok: boolean
  readonly detail: string
  readonly help: string | null
}

const LEAST_DISK_BYTES = 2e9
/** Where onnxruntime-node brings a CPU build; elsewhere only validate, plan and gate work. */
const KERNEL_PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-arm64']

export async function doctorCommand(command: Command, buildDir: string): Promise<number> {
  const root = rootAbove(process.cwd())
  const files = pipelineFiles(root)
  const file = files[0] ?? 'pipelines/none.pipeline.yaml'
  const { environment } = await findProject(
    { ...command, flags: { ...command.flags, file: resolve(root, file) } },
    buildDir,
  )
  const platform = `${process.platform}-${process.arch}`
  const disk = statfsSync(root)
  const free = disk.bavail * disk.bsize
  const findings: Finding[] = [
    { what: 'node', ok: true, detail: process.version, help: null },
    {
      what: 'platform',
      ok: KERNEL_PLATFORMS.includes(platform),
      detail: platform,
      help: `training runs on ${KERNEL_PLATFORMS.join(', ')}; here: validate, plan, gate`,
    },
    {
      what: 'machine',
      ok: true,
      detail: `${String(availableParallelism())} cores, ${bytes(totalmem())} memory`,
      help: null,
    },
    {
      what: 'disk',
      ok: free > LEAST_DISK_BYTES,
      detail: `${bytes(free)} free`,
      help: 'free some space, or see what .sluice holds',
    },
    writable(existsSync(environment.stateDir) ? environment.stateDir : root),
    {
      what: 'pipelines',
      ok: files.length > 0,
      detail: files.length === 0 ? 'none' : files.join(', '),
      help: 'sluice init',
    },
  ]
  for (const [name, worker] of Object.entries(environment.workers)) {
    const began = performance.now()
    try {
      const session = await WorkerSession.start(worker)
      await session.end()
      findings.push({
        what: `worker ${name}`,
        ok: true,
        detail: `answers in ${(performance.now() - began).toFixed(0)} ms`,
        help: null,
      })
    } catch (error) {
      findings.push({ what: `worker ${name}`, ok: false, detail: (error as Error).message, help: 'npm ci' })
    }
  }
  for (const name of ['onnxruntime-node', 'tokenizers']) findings.push(await loads(name))
  const paint = painter(useColor(process.stdout, command))
  if (command.flags['json'] === true) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`)
  else {
    for (const { what, ok, detail, help } of findings) {
      const mark = ok ? paint('green', '✓') : paint('red', '✗')
      process.stdout.write(
        `${mark} ${what.padEnd(18)}${detail}${ok || help === null ? '' : `\n    help: ${help}`}\n`,
      )
    }
  }
  return findings.every(({ ok }) => ok) ? 0 : 6
}

function writable(folder: string): Finding {
  try {
    accessSync(folder, constants.W_OK)
    return { what: 'state', ok: true, detail: 'the state folder can be written', help: null }
  } catch {
    return { what: 'state', ok: false, detail: `${folder} cannot be written`, help: 'check its owner' }
  }
}

async function loads(name: string): Promise<Finding> {
  try {
    await import(name)
    return { what: name, ok: true, detail: 'loads', help: null }
  } catch (error) {
    return { what: name, ok: false, detail: (error as Error).message.split('\n')[0] ?? '', help: 'npm ci' }
  }
}
