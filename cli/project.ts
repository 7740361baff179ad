/** From where the user stands to a compiled pipeline and everything a command needs around it. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { decode, MOST_BYTES } from '../dsl/decode.ts'
import type { Diagnostic } from '../dsl/diagnostic.ts'
import { claimProblems, claimsNamed } from '../dsl/claims.ts'
import { adviceOn } from '../dsl/facts.ts'
import { hubAddress } from '../dsl/hub-address.ts'
import type { Pipeline, Stage } from '../dsl/pipeline.ts'
import * as textProblems from '../dsl/problems/text.ts'
import * as problems from '../dsl/problems/world.ts'
import type { Source } from '../dsl/source.ts'
import type { Json, JsonObject } from '../dsl/stage-signature.ts'
import { readQuantity } from '../dsl/units.ts'
import { digestOf } from '../engine/artifact.ts'
import type { Environment, FoundSource, Stores } from '../engine/environment.ts'
import { openStores } from '../engine/environment.ts'
import { readLock } from '../engine/lock-file.ts'
import type { Lock } from '../engine/lock-file.ts'
import { findSource } from '../engine/plan/sources.ts'
import { makePlan } from '../engine/plan/plan.ts'
import type { Planned, PlanInputs } from '../engine/plan/plan.ts'
import type { Result } from '../engine/store/results.ts'
import { Past } from '../engine/run/past.ts'
import { choose } from '../engine/run/select.ts'
import { stageKinds } from '../stages/catalogue.ts'
import { gatherFacts } from './facts.ts'
import type { Command } from './options.ts'
import { Usage } from './options.ts'
import { pluginsOf } from './plugins/plugins-of.ts'
import { formatOf, sayDiagnostics } from './say.ts'

/** Notes of the build: what the ops' code is, for the keys. */
export interface Build {
  readonly version: string
  readonly cli: string
  readonly ops: Readonly<Record<string, string>>
  readonly runtimes: Environment['runtimes']
}

export interface Project {
  readonly root: string
  /** Relative to the root. */
  readonly file: string
  readonly environment: Environment
  /** As it was typed. */
  readonly command: string
  /** Content of the project's plugins. */
  readonly plugins: readonly string[]
}

export interface Opened extends Project {
  readonly pipeline: Pipeline
  readonly stores: Stores
  readonly past: Past
  readonly sources: Readonly<Record<string, FoundSource>>
  readonly lockPath: string
  readonly lock: Lock | null
  readonly overridden: boolean
}

/** The file has errors, or something that it names is not there. Paths begin at the root. */
export class FileProblem extends Error {
  readonly diagnostics: readonly Diagnostic[]
  readonly root: string
  constructor(diagnostics: readonly Diagnostic[], root: string) {
    super('the pipeline file has errors')
    this.diagnostics = diagnostics
    this.root = root
  }
}

export function readBuild(buildDir: string): Build {
  return JSON.parse(readFileSync(join(buildDir, 'build.json'), 'utf8')) as Build
}

/** Finds the project, its plugins and the pipeline file. Throws `FileProblem` if a plugin cannot be used. */
export async function findProject(command: Command, buildDir: string): Promise<Project> {
  const named = stringFlag(command, 'file')
  const root = rootAbove(named === null ? process.cwd() : dirname(resolve(named)))
  const file = named === null ? onlyPipeline(root) : relative(root, resolve(named))
  const typed = ['sluice', ...process.argv.slice(2)].join(' ')
  return { root, file, command: typed, ...(await environmentAt(root, buildDir)) }
}

/** What there is to run with in a project, its plugins included. */
export async function environmentAt(
  root: string,
  buildDir: string,
): Promise<Pick<Project, 'environment' | 'plugins'>> {
  const builtIn = environmentOf(root, buildDir)
  const { environment, digests, diagnostics } = await pluginsOf(root, buildDir, builtIn)
  if (diagnostics.length > 0) throw new FileProblem(diagnostics, root)
  return { environment: { ...builtIn, ...environment }, plugins: digests }
}

/** Ours and those of the plugins of the project in which the user stands. */
export async function kindsAround(buildDir: string): Promise<Environment['kinds']> {
  const root = rootAbove(process.cwd())
  return (await environmentAt(root, buildDir)).environment.kinds
}

export function pipelineFiles(root: string): readonly string[] {
  const folder = join(root, 'pipelines')
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.pipeline.yaml'))
  return names.sort().map((name) => `pipelines/${name}`)
}

export function lockPathOf({ root, file }: Pick<Project, 'root' | 'file'>): string {
  return join(root, file.replace(/\.yaml$/, '.lock'))
}

export function gateTestsPath(file: string): string {
  return file.replace(/(\.pipeline)?\.ya?ml$/, '.gate-tests.yaml')
}

function onlyPipeline(root: string): string {
  const files = pipelineFiles(root)
  const [only, second] = files
  if (only === undefined)
    throw new Usage('there is no pipelines/*.pipeline.yaml here\n  help: sluice init', true)
  if (second !== undefined) {
    throw new Usage(
      `there are ${String(files.length)} pipelines; say which one:\n  ${files.map((f) => `-f ${f}`).join('\n  ')}`,
      true,
    )
  }
  return only
}

/** The nearest folder with a sluice.config.yaml, else with .git, else the folder of `pipelines/`, else here. */
export function rootAbove(start: string): string {
  for (const mark of ['sluice.config.yaml', '.git']) {
    for (let folder = start; ; folder = dirname(folder)) {
      if (existsSync(join(folder, mark))) return folder
      if (folder === dirname(folder)) break
    }
  }
  return basename(start) === 'pipelines' ? dirname(start) : start
}

function environmentOf(root: string, buildDir: string): Environment {
  const build = readBuild(buildDir)
  const node = (entry: string) => ({
    command: process.execPath,
    args: [join(buildDir, 'workers', entry, 'main.mjs')],
    cwd: root,
  })
  const cores = availableParallelism()
  return {
    root,
    stateDir: join(root, '.sluice'),
    kinds: stageKinds,
    ops: build.ops,
    runtimes: build.runtimes,
    workers: { text: node('text'), shell: node('shell'), kernel: node('onnx') },
    slots: { text: Math.max(2, cores), shell: Math.max(2, cores), kernel: 1 },
    threads: { text: 1, shell: cores, kernel: cores },
    ...checkpointEvery(process.env['SLUICE_CHECKPOINT_EVERY']),
    provenance: {
      node: process.version,
      arch: process.arch,
      cpu: cpus()[0]?.model ?? 'unknown',
      sluice: build.version,
    },
  }
}

/** How often belongs to the machine (a spot instance, a slow disk), not to the recipe: so it is no key of a file. */
function checkpointEvery(text: string | undefined): Pick<Environment, 'checkpointEveryMs'> {
  if (text === undefined || text === '') return {}
  const quantity = readQuantity(text)
  if (quantity.type !== 'quantity' || quantity.dim !== 's' || quantity.value <= 0)
    throw new Usage(`SLUICE_CHECKPOINT_EVERY is a time such as 30s or 5m, not '${text}'`, true)
  return { checkpointEveryMs: quantity.value * 1000 }
}

/** A compiled file: what it says, and everything there is to say about it. */
export interface Compiled {
  readonly pipeline: Pipeline | null
  readonly diagnostics: readonly Diagnostic[]
}

/** Compiles the file and adds what can only be said with the files of its sources at hand. */
export async function compileFile(project: Project, build: Build, options: FileOptions): Promise<Compiled> {
  const { pipeline, diagnostics } = await compileText(project, build, options)
  if (pipeline === null) return { pipeline, diagnostics }
  const advice = adviceOn(pipeline, await gatherFacts(pipeline, project.root, project.environment.stateDir))
  const claims = await claimsHeld(pipeline, project.root)
  const start = (each: Diagnostic): number => each.primary.span.start
  const all = [...diagnostics, ...advice, ...claims].sort((a, b) => start(a) - start(b))
  const wrong = all.some(({ severity }) => severity === 'error')
  return { pipeline: wrong ? null : pipeline, diagnostics: all }
}

/** What the pipeline claims of the user's own resources, held against the project's configuration. */
async function claimsHeld(pipeline: Pipeline, root: string): Promise<readonly Diagnostic[]> {
  if (!claimsNamed(pipeline)) return []
  const { readConfig } = await import('./config.ts')
  const { value, diagnostics } = readConfig(root)
  return value === undefined ? diagnostics : claimProblems(pipeline, value.resources)
}

interface FileOptions {
  readonly params: Readonly<Record<string, Json>>
  readonly smoke?: boolean
}

/** The file by itself, without the world around it. The compiled form is kept by digest, so an unchanged file costs no parsing. */
export async function compileText(project: Project, build: Build, options: FileOptions): Promise<Compiled> {
  const { source, problem } = readPipeline(project)
  if (problem !== null) return { pipeline: null, diagnostics: [problem] }
  const env = environmentFor(source.text)
  const facts = [build.cli, project.plugins, project.file, source.text, options, env]
  const digest = digestOf(JSON.stringify(facts)).slice('sha256:'.length)
  const kept = join(project.environment.stateDir, 'compiled', digest)
  if (existsSync(kept)) {
    try {
      return deserialize(readFileSync(kept)) as Compiled
    } catch {
      // Made by another version of V8: compile again.
    }
  }
  const { compile } = await import('../dsl/compile.ts')
  const { value, diagnostics } = compile(source, project.environment.kinds, { ...options, env })
  const compiled = { pipeline: value ?? null, diagnostics }
  if (value !== undefined) keep(kept, serialize(compiled))
  return compiled
}

/** The variables that a file may read; its compiled form depends on no others. */
function environmentFor(text: string): Readonly<Record<string, string | undefined>> {
  const named = [...text.matchAll(/\benv(?:\(\s*['"]|\.)(?<name>[A-Za-z_]\w*)/g)].map(
    (match) => match.groups?.['name'] ?? '',
  )
  return Object.fromEntries(named.map((name) => [name, process.env[name]]))
}

/** The file's text, or what stands in the way of reading it. */
export interface ReadPipeline {
  readonly source: Source
  readonly problem: Diagnostic | null
  /** As UTF-8, a byte order mark and all. */
  readonly bytes: string
}

/** Of a file that is far too long only as much is read as it takes to say so. */
export function readPipeline(project: Project): ReadPipeline {
  const path = join(project.root, project.file)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new Usage(`there is no file ${project.file}`, true)
  if (!stat.isFile()) throw new Usage(`${project.file} is not a file`, true)
  if (stat.size > MOST_BYTES) {
    const source = { path: project.file, text: '' }
    return { source, problem: textProblems.tooLong({ source, start: 0, end: 0 }), bytes: '' }
  }
  const bytes = readFileSync(path)
  return { ...decode(project.file, bytes), bytes: bytes.toString() }
}

function keep(path: string, bytes: Buffer): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(`${path}.${String(process.pid)}`, bytes)
    renameSync(`${path}.${String(process.pid)}`, path)
  } catch {
    // Only a memory of work that can be done again.
  }
}

/** The compiled file alone, for commands that look at no data. Throws `FileProblem` for errors. */
export async function compiledPipeline(
  command: Command,
  buildDir: string,
): Promise<Project & { readonly pipeline: Pipeline }> {
  const project = await findProject(command, buildDir)
  const { pipeline, diagnostics } = await compileFile(project, readBuild(buildDir), {
    params: paramsOf(command),
  })
  if (pipeline === null) throw new FileProblem(diagnostics, project.root)
  return { ...project, pipeline }
}

/** Most files name no workers, and then nothing is loaded for them. */
/** The environment with the workers that the file names. Throws `FileProblem` for mistakes in `sluice.local.yaml`. */
export async function environmentWith(
  pipeline: Pipeline,
  { root, environment }: Pick<Project, 'root' | 'environment'>,
): Promise<Environment> {
  if (Object.keys(pipeline.workers).length === 0) return environment
  const { namedWorkers } = await import('./workers.ts')
  const { value, diagnostics } = namedWorkers(pipeline, root)
  if (value === undefined) throw new FileProblem(diagnostics, root)
  return {
    ...environment,
    ops: { ...environment.ops, ...value.ops },
    workers: { ...environment.workers, ...value.workers },
    slots: { ...environment.slots, ...value.slots },
    threads: { ...environment.threads, ...value.threads },
  }
}

/** Everything a command needs; prints warnings to stderr, throws `FileProblem` for errors. */
export async function openPipeline(
  command: Command,
  buildDir: string,
  /** `unread` for who repairs the lock: it may hold conflict markers. */
  { lock: wanted = 'read' }: { readonly lock?: 'read' | 'unread' } = {},
): Promise<Opened> {
  const project = await findProject(command, buildDir)
  const params = paramsOf(command)
  const smoke = command.flags['smoke'] === true
  // A wish that cannot be met is said before anything else happens.
  formatOf(command)
  const build = readBuild(buildDir)
  const { pipeline, diagnostics } = await compileFile(project, build, { params, smoke })
  if (pipeline === null) throw new FileProblem(diagnostics, project.root)
  const environment = await environmentWith(pipeline, project)
  const stores = openStores(environment.stateDir)
  const lockPath = lockPathOf(project)
  const lock = wanted === 'read' ? readLock(lockPath, relative(project.root, lockPath)) : null
  const sources: Record<string, FoundSource> = {}
  const missing: Diagnostic[] = []
  for (const source of Object.values(pipeline.sources)) {
    if (hubAddress(source.from) !== null) {
      const { knownOnHub } = await import('./hub.ts')
      const known = knownOnHub(source, { ...project, pipeline }, lock?.['sources']?.[source.name], smoke)
      if (known !== null) sources[source.name] = known
      continue
    }
    const found = await findSource(source, project.root, stores.stats)
    if ('missing' in found) missing.push(problems.missingSource(source, found.missing))
    else if (found.count > 0 || !source.optional) sources[source.name] = found
  }
  if (missing.length > 0) throw new FileProblem([...diagnostics, ...missing], project.root)
  const { version } = build
  await sayDiagnostics({ diagnostics, root: project.root, version }, command, 'text')
  return {
    ...project,
    environment,
    pipeline,
    stores,
    past: new Past(project.environment.stateDir, pipeline.name),
    sources,
    lockPath,
    lock,
    overridden: smoke || Object.keys(params).length > 0,
  }
}

export function planOf(
  opened: Opened,
  forced: ReadonlySet<string>,
  /** What the remote cache is known to have; only a plan for people asks it. */
  shared: PlanInputs['shared'] = () => null,
): readonly Planned[] {
  const { pipeline, environment, sources, lock, stores } = opened
  return makePlan({
    pipeline,
    environment,
    sources,
    lock,
    find: (key) => stores.results.find(key),
    read: (key) => stores.results.read(key),
    shared,
    last: (stage) => lastResult(opened, stage),
    forced,
    choose: (stage, resultOf) => {
      const pointOf = (name: string) => pipeline.stages.find((each) => each.name === name)?.point ?? {}
      const choice = choose(stage, resultOf, pointOf, stores.blobs)
      return choice.type === 'chosen' ? choice.result : null
    },
  })
}

/** What a stage of this pipeline had in the newest run that finished it here. */
export function lastResult(opened: Pick<Opened, 'past' | 'stores'>, stage: string): Result | null {
  const key = opened.past.lastKey(stage)
  return key === null ? null : opened.stores.results.read(key)
}

export function stringFlag(command: Command, name: string): string | null {
  const value = command.flags[name]
  return typeof value === 'string' ? value : null
}

export function listFlag(command: Command, name: string): readonly string[] {
  const value = command.flags[name]
  return Array.isArray(value) ? (value as readonly string[]) : []
}

/** `-p name=value`: numbers, true, false and none as in the file, all else as text. */
export function paramsOf(command: Command): JsonObject {
  const params: Record<string, Json> = {}
  for (const text of listFlag(command, 'param')) {
    const at = text.indexOf('=')
    if (at < 1) throw new Usage(`-p wants NAME=VALUE, this is '${text}'`, true)
    const value = text.slice(at + 1)
    const number = Number(value)
    const word = { true: true, false: false, none: null, null: null }[value]
    params[text.slice(0, at)] =
      word !== undefined ? word : value.trim() !== '' && Number.isFinite(number) ? number : value
  }
  return params
}

/** Stage names on the command line must be stages of the file. */
export function checkStages(
  names: readonly string[],
  pipeline: Pipeline,
  near: (word: string, all: readonly string[]) => string | null,
): void {
  const all = [...new Set(pipeline.stages.flatMap((stage) => [stage.base, stage.name]))]
  for (const name of names) {
    if (all.includes(name)) continue
    const guess = near(name, all)
    const hint = guess === null ? '' : `; did you mean '${guess}'?`
    const shown = all.length > 40 ? [...all.slice(0, 40), '…'] : all
    throw new Usage(`no stage is called '${name}'${hint}\n  help: stages: ${shown.join(' ')}`, true)
  }
}

/** The one stage of that name; the name of a matrix stands for several. */
export function oneStage(
  name: string,
  pipeline: Pipeline,
  near: (word: string, all: readonly string[]) => string | null,
): Stage {
  checkStages([name], pipeline, near)
  const stage = pipeline.stages.find((each) => each.name === name)
  if (stage !== undefined) return stage
  const names = pipeline.stages.filter(({ base }) => base === name).map((each) => each.name)
  const some = `${names.slice(0, 3).join(' ')}${names.length > 3 ? ' …' : ''}`
  throw new Usage(`'${name}' stands for several: ${some}\n  help: name one of them`, true)
}
