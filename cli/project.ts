/** From where the user stands to a compiled pipeline and everything a command needs around it. */
import { execFileSync } from 'node:child_process'
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
import { adviceOn } from '../dsl/facts.ts'
import type { Pipeline } from '../dsl/pipeline.ts'
import type { ScoreSet, Yardstick } from '../dsl/judge.ts'
import * as textProblems from '../dsl/problems/text.ts'
import * as problems from '../dsl/problems/world.ts'
import type { Source } from '../dsl/source.ts'
import type { Json, JsonObject } from '../dsl/stage-signature.ts'
import { digestOf } from '../engine/artifact.ts'
import type { Environment, FoundSource, Stores } from '../engine/environment.ts'
import { openStores } from '../engine/environment.ts'
import { parseLock, readLock } from '../engine/lock-file.ts'
import type { Lock } from '../engine/lock-file.ts'
import { findSource } from '../engine/plan/sources.ts'
import { makePlan } from '../engine/plan/plan.ts'
import type { Planned } from '../engine/plan/plan.ts'
import type { Result } from '../engine/store/results.ts'
import { lastKey } from '../engine/run/log.ts'
import { stageKinds } from '../stages/catalogue.ts'
import { gatherFacts } from './facts.ts'
import type { Command } from './options.ts'
import { Usage } from './options.ts'
import { formatOf, sayDiagnostics } from './say.ts'
import { noteCompiler } from './warmth.ts'

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
}

export interface Opened extends Project {
  readonly pipeline: Pipeline
  readonly stores: Stores
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

/** Finds the project and the pipeline file. */
export function findProject(command: Command, buildDir: string): Project {
  const start = resolve(stringFlag(command, 'directory') ?? '.')
  const named = stringFlag(command, 'file')
  const near = named === null ? start : dirname(resolve(start, named))
  const root = rootAbove(near)
  const file = named === null ? onlyPipeline(root) : relative(root, resolve(start, named))
  return { root, file, environment: environmentOf(root, buildDir) }
}

export function pipelineFiles(root: string): readonly string[] {
  const folder = join(root, 'pipelines')
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.pipeline.yaml'))
  return names.sort().map((name) => `pipelines/${name}`)
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
  })
  const cores = availableParallelism()
  return {
    root,
    stateDir: join(root, '.sluice'),
    kinds: stageKinds,
    ops: build.ops,
    runtimes: build.runtimes,
    workers: { text: node('text'), kernel: node('onnx') },
    slots: { text: Math.max(2, cores), kernel: 1 },
    threads: { text: 1, kernel: cores },
    provenance: {
      node: process.version,
      arch: process.arch,
      cpu: cpus()[0]?.model ?? 'unknown',
      sluice: build.version,
    },
  }
}

/** A compiled file: what it says, and everything there is to say about it. */
export interface Compiled {
  readonly pipeline: Pipeline | null
  readonly diagnostics: readonly Diagnostic[]
}

/** Compiles the file and adds the warnings that need the files of its sources. */
export async function compileFile(
  project: Project,
  build: Build,
  params: Readonly<Record<string, Json>>,
): Promise<Compiled> {
  const { pipeline, diagnostics } = await compileText(project, build, params)
  if (pipeline === null) return { pipeline, diagnostics }
  const advice = adviceOn(pipeline, await gatherFacts(pipeline, project.root))
  const start = (each: Diagnostic): number => each.primary.span.start
  return { pipeline, diagnostics: [...diagnostics, ...advice].sort((a, b) => start(a) - start(b)) }
}

/** The compiled form is kept by digest, so an unchanged file costs no parsing. */
async function compileText(
  project: Project,
  build: Build,
  params: Readonly<Record<string, Json>>,
): Promise<Compiled> {
  const { source, problem } = readPipeline(project)
  if (problem !== null) return { pipeline: null, diagnostics: [problem] }
  const digest = digestOf(JSON.stringify([build.cli, project.file, source.text, params])).slice(
    'sha256:'.length,
  )
  const kept = join(project.environment.stateDir, 'compiled', digest)
  if (existsSync(kept)) {
    try {
      return deserialize(readFileSync(kept)) as Compiled
    } catch {
      // Made by another version of V8: compile again.
    }
  }
  const { compile } = await import('../dsl/compile.ts')
  noteCompiler()
  const { value, diagnostics } = compile(source, stageKinds, { params })
  const compiled = { pipeline: value ?? null, diagnostics }
  if (value !== undefined) keep(kept, serialize(compiled))
  return compiled
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

/** Everything a command needs; prints warnings to stderr, throws `FileProblem` for errors. */
export async function openPipeline(command: Command, buildDir: string): Promise<Opened> {
  const project = findProject(command, buildDir)
  const params = paramsOf(command)
  // A wish that cannot be met is said before anything else happens.
  formatOf(command)
  const build = readBuild(buildDir)
  const { pipeline, diagnostics } = await compileFile(project, build, params)
  if (pipeline === null) throw new FileProblem(diagnostics, project.root)
  const stores = openStores(project.environment.stateDir)
  const sources: Record<string, FoundSource> = {}
  const missing: Diagnostic[] = []
  for (const source of Object.values(pipeline.sources)) {
    const found = await findSource(source, project.root, stores.stats)
    if ('missing' in found) missing.push(problems.missingSource(source.span, source.name, found.missing))
    else if (found.files.length > 0 || !source.optional) sources[source.name] = found
  }
  if (missing.length > 0) throw new FileProblem([...diagnostics, ...missing], project.root)
  const { version } = build
  await sayDiagnostics({ diagnostics, root: project.root, version }, command, 'text')
  const lockPath = join(project.root, project.file.replace(/\.yaml$/, '.lock'))
  const lock = readLock(lockPath, relative(project.root, lockPath))
  return { ...project, pipeline, stores, sources, lockPath, lock, overridden: Object.keys(params).length > 0 }
}

export function planOf(opened: Opened, forced: ReadonlySet<string>): readonly Planned[] {
  const { pipeline, environment, sources, lock, stores } = opened
  return makePlan({
    pipeline,
    environment,
    sources,
    lock,
    find: (key) => stores.results.find(key),
    read: (key) => stores.results.read(key),
    last: (stage) => lastResult(opened, stage),
    forced,
  })
}

/** What a stage of this pipeline had in the newest run that finished it here. */
export function lastResult(opened: Opened, stage: string): Result | null {
  const key = lastKey(opened.environment.stateDir, opened.pipeline.name, stage)
  return key === null ? null : opened.stores.results.read(key)
}

/** `main` from the lock file on the default branch, `last` from the lock file here; each with its ruler. */
export function yardsticksOf(opened: Opened): Readonly<Record<string, Yardstick>> {
  const judged = opened.pipeline.stages.flatMap((stage) => (stage.gate === null ? [] : [stage.gate]))
  const [gate] = judged
  if (gate === undefined) return {}
  const last: Yardstick = scoresIn(opened.lock, gate.judged, 'last') ?? {
    missing: 'there is no earlier run in the lock file',
  }
  if (!judged.some(({ checks }) => checks.some(({ text }) => /\bmain\b/.test(text)))) return { last }
  return { last, main: mainScores(opened, gate.judged) }
}

function mainScores(opened: Opened, stage: string): Yardstick {
  const path = relative(opened.root, opened.lockPath)
  for (const branch of ['origin/main', 'main', 'origin/master', 'master']) {
    try {
      execFileSync('git', ['rev-parse', '--verify', '--quiet', `${branch}^{commit}`], {
        cwd: opened.root,
        stdio: 'ignore',
      })
    } catch {
      continue
    }
    // The newest version of the lock on the branch whose gates all passed.
    const commits = git(opened.root, ['log', '--format=%h', '-n', '200', branch, '--', path])
    for (const commit of commits.split('\n').filter((line) => line !== '')) {
      try {
        const lock = parseLock(git(opened.root, ['show', `${commit}:${path}`]), path)
        const passed = Object.values(lock['gates'] ?? {}).every((facts) => facts['verdict'] === 'pass')
        const scores = passed ? scoresIn(lock, stage, `main@${commit}`) : null
        if (scores !== null) return scores
      } catch {
        // Not readable in that commit: an older one may be.
      }
    }
    return { missing: `no passing run of ${path} on ${branch}` }
  }
  return { missing: 'no branch main or master is here; in CI: git fetch --depth=200 origin main' }
}

function git(cwd: string, args: readonly string[]): string {
  return execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

function scoresIn(lock: Lock | null, stage: string, origin: string): ScoreSet | null {
  const facts = lock?.['scores']?.[stage]
  if (facts === undefined) return null
  const { ruler, rows: _rows, ...values } = facts
  return {
    ruler: typeof ruler === 'string' ? ruler : '',
    origin,
    values: values as Record<string, number | null>,
  }
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
  const all = pipeline.stages.map((stage) => stage.name)
  for (const name of names) {
    if (all.includes(name)) continue
    const guess = near(name, all)
    const hint = guess === null ? '' : `; did you mean '${guess}'?`
    throw new Usage(`no stage is called '${name}'${hint}\n  help: stages: ${all.join(' ')}`, true)
  }
}
