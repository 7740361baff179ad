/** One try at one stage: lay out its inputs, run its steps in workers, commit what came out. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join, relative } from 'node:path'
import { decide } from '../../dsl/judge.ts'
import type { ScoreSet } from '../../dsl/judge.ts'
import { LIVE } from '../../dsl/pipeline.ts'
import type { Stage } from '../../dsl/pipeline.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { InputFiles, Job } from '../../workers/protocol/messages.ts'
import type { Artifact, Digest } from '../artifact.ts'
import type { Environment, FoundSource, Stores } from '../environment.ts'
import type { Manifest } from '../plan/manifest.ts'
import type { Step } from '../stage-kind.ts'
import { writeAtomic } from '../store/atomic.ts'
import type { Result } from '../store/results.ts'
import type { JobOutcome } from '../worker/session.ts'
import type { WorkerPool } from '../worker/pool.ts'
import type { FailureCause, RunEvent } from './events.ts'
import { isAlive, thisProcess } from './owner.ts'
import type { Owner } from './owner.ts'
import type { Slots } from './slots.ts'
import { inUserWords } from './user-words.ts'

/** Folder beside the staged attempts: who owns which. */
const OWNERS = 'owners'

export type StageInput =
  | { readonly type: 'source'; readonly found: FoundSource }
  | { readonly type: 'artifact'; readonly artifact: Artifact }

export interface Attempt {
  readonly stage: Stage
  readonly key: Digest
  readonly manifest: Manifest
  readonly inputs: Readonly<Record<string, StageInput>>
  readonly run: string
  readonly number: number
  /** Length of the path behind this stage; longer paths get slots first. */
  readonly rank: number
}

export interface AttemptTools {
  readonly environment: Environment
  readonly stores: Stores
  readonly pool: WorkerPool
  readonly slots: Slots
  readonly emit: (event: RunEvent) => void
}

export type AttemptOutcome =
  | { readonly type: 'done'; readonly result: Result }
  | {
      readonly type: 'failed'
      readonly cause: FailureCause
      readonly message: string
      readonly help: string | null
      readonly log: string | null
    }

/** Never throws for what a run may meet: a failed op, a lost worker, a full disk come back as an outcome. */
export async function tryStage(
  attempt: Attempt,
  tools: AttemptTools,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  const { stage, key } = attempt
  const { environment, stores } = tools
  const folder = join(environment.stateDir, 'runs', attempt.run, stage.name, String(attempt.number))
  const id = randomUUID()
  const staging = join(environment.stateDir, 'staging', key.slice('sha256:'.length), id)
  const owner = join(environment.stateDir, 'staging', OWNERS, `${id}.json`)
  const log = relative(environment.root, folder)
  const began = performance.now()
  const clock = new Clock(stage.timeoutMs)
  const watcher = new Watcher(stage)
  const limited = AbortSignal.any([signal, clock.signal, watcher.signal])
  try {
    mkdirSync(folder, { recursive: true })
    // Before the folder, so that a folder without an owner is always a dead one's.
    writeAtomic(owner, JSON.stringify(thisProcess()))
    mkdirSync(staging, { recursive: true })
    const made = await runSteps(attempt, tools, { folder, staging, watcher }, clock, limited)
    if (made.type === 'failed') {
      // A worker that is stopped may say so, fail or be killed; why it was stopped is what counts.
      const stopped = limited.aborted ? stopCause(signal, clock, watcher) : null
      const words = (text: string) => inUserWords(text, { ...attempt, staging, root: environment.root })
      const { cause, message, help } = stopped ?? {
        cause: made.kind,
        message: words(made.message),
        help: made.help === null ? null : words(made.help),
      }
      writeFileSync(
        join(folder, 'exit.json'),
        `${JSON.stringify({ ...made, cause, message, help }, null, 1)}\n`,
      )
      return { type: 'failed', cause, message, help, log }
    }
    const outputs: Record<string, Artifact> = {}
    for (const [port, type] of Object.entries(stage.outputs)) {
      const dir = join(staging, 'out', port)
      const tree = existsSync(dir) ? stores.blobs.takeTree(dir) : null
      if (tree === null || tree.files.length === 0) {
        return {
          type: 'failed',
          cause: 'bug',
          message: `nothing was written for the output ${port}`,
          help: null,
          log,
        }
      }
      outputs[port] = { type, tree: tree.digest, bytes: tree.files.reduce((sum, file) => sum + file.size, 0) }
    }
    const result: Result = {
      format: 1,
      key,
      manifest: attempt.manifest,
      outputs,
      summary: made.summary,
      durationMs: Math.round(performance.now() - began),
      provenance: { ...environment.provenance, run: attempt.run, threads: environment.threads },
    }
    // The record is written last: without it the stage has not run, with it every byte is there.
    stores.results.write(result)
    writeFileSync(
      join(folder, 'exit.json'),
      `${JSON.stringify({ type: 'done', summary: made.summary }, null, 1)}\n`,
    )
    return { type: 'done', result }
  } catch (error) {
    return { type: 'failed', ...machineFailure(error, signal, clock), log }
  } finally {
    clock.stop()
    // On a read-only disk there is nothing to tidy, and nothing worth hiding the first error for.
    try {
      rmSync(staging, { recursive: true, force: true })
      rmSync(owner, { force: true })
    } catch {
      // Recovery sweeps it at the next start.
    }
  }
}

/** Counts a stage's timeout from its first slot on: waiting for others is not its time. */
class Clock {
  readonly #limitMs: number | null
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout | null = null

  constructor(limitMs: number | null) {
    this.#limitMs = limitMs
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get words(): string {
    return `it ran longer than its timeout of ${String((this.#limitMs ?? 0) / 1000)} s`
  }

  start(): void {
    if (this.#limitMs !== null) this.#timer ??= setTimeout(() => this.#controller.abort(), this.#limitMs)
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}

/** Holds a stage's live values against its `watch:` and stops it at the first that holds. */
class Watcher {
  readonly #stage: Stage
  readonly #controller = new AbortController()
  words = ''

  constructor(stage: Stage) {
    this.#stage = stage
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  see(done: number, unit: string, values: Readonly<Record<string, number | null>>): void {
    const live: ScoreSet = { ruler: null, origin: this.#stage.name, values }
    const scores = { judged: live, spaces: { [LIVE]: live } }
    for (const watch of this.#stage.watch) {
      const { value, operands } = decide(watch.expression, scores, {})
      if (value !== true || this.#controller.signal.aborted) continue
      const seen = operands.map(({ text, value: number }) => `${text} = ${String(number)}`).join(', ')
      this.words = `its watch stopped it at ${unit} ${String(done)}: ${watch.text} (${seen})`
      this.#controller.abort()
    }
  }
}

/** Who stopped an attempt: the user, its timeout or its watch. */
function stopCause(
  signal: AbortSignal,
  clock: Clock,
  watcher: Watcher,
): { cause: FailureCause; message: string; help: string | null } {
  if (!signal.aborted && watcher.signal.aborted)
    return { cause: 'watch', message: watcher.words, help: 'sluice logs shows how it got there' }
  return machineFailure(null, signal, clock)
}

interface Places {
  readonly folder: string
  readonly staging: string
  readonly watcher: Watcher
}

async function runSteps(
  attempt: Attempt,
  tools: AttemptTools,
  places: Places,
  clock: Clock,
  signal: AbortSignal,
): Promise<JobOutcome> {
  const { stage } = attempt
  const kind = tools.environment.kinds[stage.uses]
  const available: Record<string, InputFiles> = {}
  for (const [port, input] of Object.entries(attempt.inputs)) {
    available[`input:${port}`] = layOut(input, join(places.staging, 'in', port), tools.stores)
  }
  const summary: Record<string, JsonObject[string]> = {}
  for (const step of kind?.steps(stage.with) ?? []) {
    const job = jobOf(step, available, places.staging, tools.environment)
    writeFileSync(join(places.folder, `request.${step.op}.json`), `${JSON.stringify(job, null, 1)}\n`)
    const outcome = await runStep(step, job, attempt, tools, places, clock, signal)
    if (outcome.type === 'failed') return outcome
    Object.assign(summary, outcome.summary)
    for (const [output, dir] of Object.entries(job.outputs))
      available[`step:${step.op}.${output}`] = filesIn(dir)
  }
  return { type: 'done', summary }
}

async function runStep(
  step: Step,
  job: Job,
  attempt: Attempt,
  tools: AttemptTools,
  { folder, watcher }: Places,
  clock: Clock,
  signal: AbortSignal,
): Promise<JobOutcome> {
  const give = await tools.slots.take(step.on, attempt.rank, signal)
  clock.start()
  const stage = attempt.stage.name
  const text = (name: string, line: string) => appendFileSync(join(folder, name), line)
  try {
    return await tools.pool.run(
      step.on,
      job,
      {
        output: (printed) => text('log', printed),
        message: (message) => {
          text('events.jsonl', `${JSON.stringify(message)}\n`)
          if (message.type === 'progress') {
            const { done, total, unit, values } = message
            tools.emit({ type: 'progress', stage, op: step.op, done, total, unit, values })
            watcher.see(done, unit, values)
          } else if (message.type === 'note') {
            tools.emit({ type: 'note', stage, level: message.level, text: message.text })
          } else if (message.type === 'failed' && message.detail !== null) {
            text('log', `${message.detail}\n`)
          }
        },
      },
      signal,
    )
  } finally {
    give()
  }
}

function jobOf(
  step: Step,
  available: Readonly<Record<string, InputFiles>>,
  staging: string,
  environment: Environment,
): Job {
  const inputs: Record<string, InputFiles> = {}
  for (const [role, from] of Object.entries(step.inputs)) {
    const files = available[from]
    if (files !== undefined) inputs[role] = files
    // A port that takes many: `input:metrics[r=8]` becomes the role `metrics[r=8]`.
    for (const [each, many] of Object.entries(available))
      if (each.startsWith(`${from}[`)) inputs[`${role}${each.slice(from.length)}`] = many
  }
  const outputs: Record<string, string> = {}
  for (const [output, port] of Object.entries(step.outputs)) {
    const dir = port === null ? join(staging, 'between', step.op, output) : join(staging, 'out', port)
    mkdirSync(dir, { recursive: true })
    outputs[output] = dir
  }
  const threads = environment.threads[step.on] ?? 1
  return { type: 'job', id: randomUUID(), op: step.op, with: step.with, inputs, outputs, threads }
}

function layOut(input: StageInput, dir: string, stores: Stores): InputFiles {
  if (input.type === 'source') {
    const { dir: folder, files, splits, fields } = input.found
    return {
      dir: folder,
      files,
      ...(splits === undefined ? {} : { splits }),
      ...(fields === undefined ? {} : { fields }),
    }
  }
  const tree = stores.blobs.openTree(input.artifact.tree)
  if ('lost' in tree) throw new Error(tree.lost)
  stores.blobs.layOut(tree, dir)
  return { dir, files: tree.files.map((file) => file.path) }
}

function filesIn(dir: string): InputFiles {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return { dir, files: entries.map((entry) => relative(dir, join(entry.parentPath, entry.name))).sort() }
}

/** The machine failed us, or we were stopped: in words. */
export function machineFailure(
  error: unknown,
  signal: AbortSignal,
  clock: Pick<Clock, 'signal' | 'words'> | null = null,
): { cause: FailureCause; message: string; help: string | null } {
  if (signal.aborted) return { cause: 'cancelled', message: 'stopped on request', help: null }
  if (clock?.signal.aborted) return { cause: 'timeout', message: clock.words, help: null }
  const { code, path, message, stack } = error as NodeJS.ErrnoException
  const where = path === undefined ? '' : ` (${path})`
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return {
      cause: 'resources',
      message: `the disk is full${where}`,
      help: 'free some space and run again; finished stages are kept',
    }
  }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return {
      cause: 'resources',
      message: `the state folder cannot be written${where}`,
      help: 'check its owner and whether the disk is mounted read-only',
    }
  }
  if (code === 'ENOTDIR' || code === 'EEXIST' || code === 'EISDIR') {
    return {
      cause: 'resources',
      message: `something else stands where the state folder needs a file or folder${where}`,
      help: 'remove it and run again',
    }
  }
  if (code === 'EMFILE' || code === 'ENFILE') {
    return { cause: 'resources', message: 'too many open files', help: 'raise the limit: ulimit -n 4096' }
  }
  return { cause: 'bug', message, help: stack ?? null }
}

/** Removes staging folders whose owner died; those of living runs stay. */
export function sweepStaging(stateDir: string): void {
  const root = join(stateDir, 'staging')
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) return
  const alive = new Set<string>()
  const owners = join(root, OWNERS)
  const records = existsSync(owners) ? readdirSync(owners).filter((name) => name.endsWith('.json')) : []
  // Folders first: an attempt that begins meanwhile has its record before its folder.
  const folders = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== OWNERS)
    .flatMap(({ name: key }) => readdirSync(join(root, key)).map((id) => ({ key, id })))
  for (const record of existsSync(owners) ? readdirSync(owners) : []) {
    if (!record.endsWith('.json')) continue
    if (ownerLives(join(owners, record))) alive.add(record.slice(0, -'.json'.length))
  }
  for (const { key, id } of folders) {
    if (alive.has(id)) continue
    rmSync(join(root, key, id), { recursive: true, force: true })
    rmSync(join(owners, `${id}.json`), { force: true })
    try {
      rmdirSync(join(root, key))
    } catch {
      // A living run has something in it.
    }
  }
  // Records of the dead whose folder was never made.
  for (const record of records)
    if (!alive.has(record.slice(0, -'.json'.length))) rmSync(join(owners, record), { force: true })
}

function ownerLives(record: string): boolean {
  try {
    return isAlive(JSON.parse(readFileSync(record, 'utf8')) as Owner)
  } catch {
    // Gone meanwhile, so its attempt has ended.
    return false
  }
}
