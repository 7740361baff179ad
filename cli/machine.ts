/** What this machine and this checkout are: resources that stages may claim, and facts that `when:` may ask for. */
import { execFileSync } from 'node:child_process'
import { availableParallelism, totalmem } from 'node:os'
import { statfsSync } from 'node:fs'
import type { ConditionFacts } from '../dsl/condition-facts.ts'
import type { Stage } from '../dsl/pipeline.ts'
import { claimsOf } from '../engine/run/tries.ts'
import { gpus } from './gpus.ts'

/** What a machine has to give. */
export interface Machine {
  /** Amounts of `cpu`, `gpu`, `memory` and `vram` (bytes), and of `resources.x`. */
  readonly capacity: Readonly<Record<string, number>>
  /** Names of the GPUs that we may use. */
  readonly gpus: readonly string[]
}

/** Looks at the machine. Refuses a pipeline that claims more than there is. */
export async function machineFor(stages: readonly Stage[], root: string, folder: string): Promise<Machine> {
  const cards = stages.some(({ resources }) => (resources.gpu ?? 0) > 0 || resources.vramBytes !== undefined)
    ? gpus(process.env)
    : []
  const capacity: Record<string, number> = {
    ...(await ownResources(stages, root)),
    cpu: availableParallelism(),
    memory: totalmem(),
    gpu: cards.length,
    vram: cards.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
  }
  for (const stage of stages) {
    for (const [name, amount] of claimsOf({ ...stage, mutex: [] })) {
      const there = capacity[name] ?? 0
      if (amount > there) throw tooLittle(stage.name, name, amount, there)
    }
    const disk = stage.resources.diskBytes ?? 0
    const free = disk === 0 ? 0 : freeBytes(folder)
    if (disk > free) throw tooLittle(stage.name, 'disk', disk, free)
  }
  return { capacity, gpus: cards.map(({ name }) => name) }
}

/** The file was checked against them before. */
async function ownResources(stages: readonly Stage[], root: string): Promise<Record<string, number>> {
  if (!stages.some(({ resources }) => resources.named !== undefined)) return {}
  const { readConfig } = await import('./config.ts')
  const counts = Object.entries(readConfig(root).value?.resources ?? {})
  return Object.fromEntries(counts.map(([name, count]) => [`resources.${name}`, count]))
}

function tooLittle(stage: string, resource: string, wanted: number, there: number): MachineProblem {
  const amount = (value: number) =>
    resource === 'cpu' || resource === 'gpu' ? String(value) : `${(value / 1e9).toFixed(1)} GB`
  return new MachineProblem(
    `${stage} claims ${resource}: ${amount(wanted)}, this machine has ${amount(there)}\n  help: run it on another machine, or lower resources.${resource} of ${stage}`,
  )
}

/** The machine cannot run this pipeline; exit code 6. */
export class MachineProblem extends Error {}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/** `run.branch` and its like; null where this checkout or environment does not say. */
export function runFacts(root: string, smoke: boolean, env: NodeJS.ProcessEnv): ConditionFacts {
  const onTag = env['GITHUB_REF_TYPE'] === 'tag'
  // Of a pull request this is `12/merge`: its own branch may be the `main` of a fork, and is not ours.
  const named = env['CI_COMMIT_BRANCH'] ?? env['GITHUB_REF_NAME']
  return {
    'run.branch': onTag ? null : (nonEmpty(named) ?? git(root, ['symbolic-ref', '--short', '-q', 'HEAD'])),
    'run.tag': onTag
      ? (env['GITHUB_REF_NAME'] ?? null)
      : (nonEmpty(env['CI_COMMIT_TAG']) ?? git(root, ['describe', '--tags', '--exact-match'])),
    'run.event': nonEmpty(env['GITHUB_EVENT_NAME'] ?? env['CI_PIPELINE_SOURCE']),
    'run.ci': nonEmpty(env['CI']) !== null && env['CI'] !== 'false',
    'run.smoke': smoke,
  }
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text
}

function git(root: string, args: readonly string[]): string | null {
  try {
    const said = execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return nonEmpty(said.trim())
  } catch {
    return null
  }
}
