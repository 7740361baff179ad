/** What the machine is and has: Node, git, cores, GPUs, the native libraries. */
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { availableParallelism, totalmem } from 'node:os'
import { gpus } from '../gpus.ts'
import { bytes } from '../reports/style.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

/** Where onnxruntime-node brings a CPU build; elsewhere only validate, plan and gate work. */
const KERNEL_PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-arm64']

export function machineFindings(env: NodeJS.ProcessEnv): readonly Finding[] {
  const platform = `${process.platform}-${process.arch}`
  const cards = gpus(env)
  return [
    ok('node', process.version),
    KERNEL_PLATFORMS.includes(platform)
      ? ok('platform', platform)
      : failed(
          'platform',
          platform,
          `training runs on ${KERNEL_PLATFORMS.join(', ')}; here: validate, plan, gate`,
        ),
    ok('machine', `${String(availableParallelism())} cores, ${bytes(totalmem())} memory`),
    gitFinding(),
    ...(cards.length === 0
      ? [ok('gpu', 'none; built-in stages compute on the CPU')]
      : cards.map(({ name, memoryBytes }) =>
          ok(`gpu ${name}`, memoryBytes === 0 ? 'memory unknown' : `${bytes(memoryBytes)} memory`),
        )),
    ...['onnxruntime-node', 'tokenizers'].map(libraryFinding),
  ]
}

function gitFinding(): Finding {
  try {
    const version = execFileSync('git', ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return ok('git', version.replace('git version', '').trim())
  } catch {
    return warning('git', 'is not installed', 'without git there is no main to compare with')
  }
}

function libraryFinding(name: string): Finding {
  try {
    createRequire(import.meta.url)(name)
    return ok(name, 'loads')
  } catch (error) {
    return failed(name, (error as Error).message.split('\n')[0] ?? '', 'npm ci')
  }
}
