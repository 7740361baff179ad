/** The workers that a pipeline file names, as what they add to the environment: how they start and what they count as. */
import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, dirname, join, relative, resolve } from 'node:path'
import type { Checked } from '../dsl/diagnostic.ts'
import { own } from '../dsl/own.ts'
import type { Pipeline, PipelineWorker } from '../dsl/pipeline.ts'
import { canonicalJson, digestOf } from '../engine/artifact.ts'
import type { Environment } from '../engine/environment.ts'
import type { Planned } from '../engine/plan/plan.ts'
import { stepsOf, workerId } from '../engine/steps.ts'
import { LOCAL_FILE, localCommands } from './local-file.ts'
import { MachineProblem } from './machine.ts'
import { folderDigest, isNoContent } from './plugins/find.ts'

export type Named = Pick<Environment, 'ops' | 'workers' | 'slots' | 'threads'>

export function namedWorkers({ workers }: Pick<Pipeline, 'workers'>, root: string): Checked<Named> {
  const { value: local, diagnostics } = localCommands(root)
  if (local === undefined) return { diagnostics }
  const all = Object.values(workers)
  const each = <T>(of: (worker: PipelineWorker) => T) =>
    Object.fromEntries(all.map((worker) => [workerId(worker.name), of(worker)]))
  const value: Named = {
    ops: Object.fromEntries(all.map((worker) => [`${workerId(worker.name)}/*`, identityOf(worker, root)])),
    workers: each(({ name, command }) => {
      const [program = '', ...args] = own(local, name) ?? command
      return { command: placeOf(program, root) ?? program, args, cwd: root, answers: 'stdout' }
    }),
    slots: each(() => 1),
    threads: each(() => availableParallelism()),
  }
  return { value, diagnostics }
}

/**
 * What the worker counts as in keys: its command as the pipeline file has it, the version that it says there, and the
 * content of the project's files that the command names. How this machine starts it is not in it.
 */
export function identityOf({ command, version }: PipelineWorker, root: string): string {
  const named = command.flatMap((word, i) => [
    ...word.split('='),
    // `python -m tools.worker` names tools/worker.py, or the package tools/worker.
    ...(command[i - 1] === '-m' ? [`${word.replaceAll('.', '/')}.py`, word.replaceAll('.', '/')] : []),
  ])
  const content = new Map<string, string | null>()
  for (const word of named) {
    const place = contentBehind(word, root)
    if (place !== null) content.set(relative(root, place), digestAt(place, root))
  }
  const files = [...content].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, digest]) => [path, digest])
  return digestOf(canonicalJson({ command: [...command], version, files }))
}

/** The file or folder of the project that a word names; of a file its folder, as its imports lie there. */
function contentBehind(word: string, root: string): string | null {
  const path = resolve(root, word)
  const below = relative(realpathSync(root), existsSync(path) ? realpathSync(path) : path)
  if (word === '' || below === '' || below.startsWith('..') || below.split('/').some(isNoContent)) return null
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return null
  if (stat.isDirectory()) return path
  // The root holds everything: of a file there only the file counts.
  return dirname(path) === root ? path : dirname(path)
}

function digestAt(place: string, root: string): string {
  if (statSync(place).isFile()) return digestOf(readFileSync(place))
  const digest = folderDigest(place)
  if (digest === null)
    throw new MachineProblem(
      `the folder ${relative(root, place)}, which the command of a worker names, holds too many files to count as its code\n  help: give the worker a folder of its own`,
    )
  return digest
}

/** Refuses, before anything runs, if the command of a worker that will be needed is not on this machine. */
export function checkCommands(planned: readonly Planned[], environment: Environment): void {
  for (const entry of planned) {
    const name = entry.type === 'run' ? entry.stage.worker : null
    if (name === null || stepsOf(entry.stage, environment).length === 0) continue
    const { command = '' } = own(environment.workers, workerId(name)) ?? {}
    if (placeOf(command, environment.root) !== null) continue
    throw new MachineProblem(
      `${entry.stage.name} needs the worker ${name}, and its command is not on this machine: ${command}\n  help: install it, or say in ${LOCAL_FILE} how it starts here: workers: { ${name}: { run: … } }`,
    )
  }
}

/** A program as an absolute path; null if there is none that may be started. */
function placeOf(program: string, root: string): string | null {
  const paths = program.includes('/')
    ? [resolve(root, program)]
    : (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program))
  return paths.find(isProgram) ?? null
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
