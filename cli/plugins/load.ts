/** The plugins that `sluice.config.yaml` lists, loaded and checked, as what they add to the environment. */
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { basename, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Checked, Diagnostic } from '../../dsl/diagnostic.ts'
import { own } from '../../dsl/own.ts'
import {
  changedSince,
  loadingThrew,
  pluginUnusable,
  twoOfAName,
  twoOfAWorker,
} from '../../dsl/problems/plugins.ts'
import type { PluginFault } from '../../dsl/problems/plugins.ts'
import type { Environment } from '../../engine/environment.ts'
import type { StageKind } from '../../engine/stage-kind.ts'
import type { WorkerCommand } from '../../engine/worker/session.ts'
import type { Config } from '../config.ts'
import { careful } from './careful.ts'
import { findPlugin } from './find.ts'
import type { FoundPlugin } from './find.ts'
import { shapeOf } from './shape.ts'
import type { PluginModule, PluginWorker } from './shape.ts'

export type Extended = Pick<Environment, 'kinds' | 'ops' | 'runtimes' | 'workers' | 'slots' | 'threads'>

export interface Loaded {
  readonly environment: Extended
  /** Content of every plugin, for whatever was made with them. */
  readonly digests: readonly string[]
  readonly diagnostics: readonly Diagnostic[]
}

export interface LoadRequest {
  readonly root: string
  readonly buildDir: string
  readonly builtIn: Extended
  readonly config: Checked<Config>
}

/** `builtIn` is what there is without plugins; it comes back with those of the project added. */
export async function loadPlugins({ root, buildDir, builtIn, config }: LoadRequest): Promise<Loaded> {
  const none = { environment: builtIn, digests: [], diagnostics: [] }
  const { value, diagnostics: inFile } = config
  if (value === undefined) return { ...none, diagnostics: inFile }
  let environment = builtIn
  const from = new Map(Object.keys(builtIn.kinds).map((kind) => [kind, 'Sluice']))
  const digests: string[] = []
  const diagnostics: Diagnostic[] = []
  for (const { name, span } of value.plugins) {
    const added = await load(root, name, environment, buildDir, from)
    if ('what' in added) diagnostics.push(pluginUnusable(span, name, added))
    else {
      environment = added.environment
      digests.push(added.digest)
      for (const kind of added.kinds) from.set(kind, name)
    }
  }
  return { environment, digests, diagnostics }
}

interface Added {
  readonly environment: Extended
  readonly digest: string
  readonly kinds: readonly string[]
}

async function load(
  root: string,
  wanted: string,
  before: Extended,
  buildDir: string,
  from: ReadonlyMap<string, string>,
): Promise<Added | PluginFault> {
  const found = findPlugin(root, wanted)
  if ('what' in found) return found
  const { file, folder, name, digest } = found
  // A module stays as it was first loaded, so its functions would work under the key of other ones.
  const first = digests.get(file)
  if (first !== undefined && first !== digest) return changedSince()
  digests.set(file, digest)
  let exports: Readonly<Record<string, unknown>>
  try {
    exports = await importer(buildDir)(pathToFileURL(file).href)
  } catch (error) {
    return loadingThrew((error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '')
  }
  const shown = relative(root, file).startsWith('..') ? basename(file) : relative(root, file)
  const module = shapeOf(exports, shown, folder)
  if ('what' in module) return module
  const { worker } = module
  if (worker !== null && own(before.workers, name) !== undefined) return twoOfAWorker(name)
  const kinds: [string, StageKind][] = []
  for (const kind of module.stageKinds) {
    const other = from.get(kind.name) ?? (kinds.some(([known]) => known === kind.name) ? wanted : null)
    if (other !== null) return twoOfAName(kind.name, other)
    const hasOp = (on: string, op: string): boolean => own(before.ops, `${on}/${op}`) !== undefined
    kinds.push([kind.name, careful(kind, worker === null ? null : name, hasOp)])
  }
  return {
    environment: {
      ...withWorker(before, found, module, buildDir),
      kinds: { ...before.kinds, ...Object.fromEntries(kinds) },
    },
    digest,
    kinds: kinds.map(([kind]) => kind),
  }
}

/** Of each plugin, when this process loaded it. */
const digests = new Map<string, string>()

type Importer = (url: string) => Promise<Readonly<Record<string, unknown>>>

function importer(buildDir: string): Importer {
  const path = join(buildDir, '../cli/import-module.cjs')
  return (createRequire(import.meta.url)(path) as { readonly importModule: Importer }).importModule
}

function withWorker(
  before: Extended,
  { name, folder, digest }: FoundPlugin,
  { worker }: PluginModule,
  buildDir: string,
): Extended {
  if (worker === null) return before
  const slots = worker.slots ?? 1
  const threads = Math.max(1, Math.floor(availableParallelism() / slots))
  return {
    ...before,
    ops: { ...before.ops, [`${name}/*`]: digest },
    workers: { ...before.workers, [name]: commandOf(worker, folder, buildDir) },
    slots: { ...before.slots, [name]: slots },
    threads: { ...before.threads, [name]: threads },
  }
}

function commandOf({ ops, command = [] }: PluginWorker, folder: string, buildDir: string): WorkerCommand {
  if (ops !== undefined) {
    const args = [join(buildDir, 'workers/plugin/main.mjs'), join(folder, ops)]
    return { command: process.execPath, args, cwd: folder }
  }
  const [first = '', ...rest] = command
  return { command: first, args: rest, cwd: folder, answers: 'stdout' }
}
