/** One try at one stage: lay out its inputs, run its steps in workers, commit what came out. */
import { mkdirSync, readdirSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join, relative } from 'node:path'
import type { Stage } from '../../dsl/pipeline.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { InputFiles, Job } from '../../workers/protocol/messages.ts'
import type { Artifact, Digest } from '../artifact.ts'
import { reach } from '../failpoint.ts'
import type { Environment, FoundSource, Stores } from '../environment.ts'
import type { Manifest } from '../plan/manifest.ts'
import type { Step } from '../stage-kind.ts'
import { stepsOf } from '../steps.ts'
import type { Result } from '../store/results.ts'
import type { JobOutcome } from '../worker/session.ts'
import type { WorkerPool } from '../worker/pool.ts'
import { AttemptLog } from './attempt-log.ts'
import { CHECKPOINT_EVERY_MS, StageCheckpoints } from './checkpoints.ts'
import type { FailureCause, RunEvent } from './events.ts'
import type { Devices } from './devices.ts'
import { Clock, Watcher } from './limits.ts'
import { machineFailure } from './machine-failure.ts'
import { takeOutputs } from './outputs.ts'
import type { Slots } from './slots.ts'
import { Place } from './staging.ts'
import { inUserWords } from './user-words.ts'

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
  /** How long the path behind this stage takes; longer paths get slots first. */
  readonly rank: number
  /** The GPUs that it holds. */
  readonly gpus: readonly string[]
}

export interface AttemptTools {
  readonly environment: Environment
  readonly stores: Stores
  readonly pool: WorkerPool
  readonly slots: Slots
  readonly devices: Devices
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
  const place = new Place(environment.stateDir, attempt.run)
  const shownLog = relative(environment.root, folder)
  const began = performance.now()
  const clock = new Clock(stage.timeoutMs)
  const watcher = new Watcher(stage)
  const everyMs = environment.checkpointEveryMs ?? CHECKPOINT_EVERY_MS
  const checkpoints = new StageCheckpoints(environment.stateDir, key, everyMs)
  const limited = AbortSignal.any([signal, clock.signal, watcher.signal])
  let log: AttemptLog | null = null
  try {
    log = new AttemptLog(folder)
    place.open()
    const made = await runSteps(attempt, tools, { log, place, watcher, checkpoints }, clock, limited)
    if (made.type === 'failed') {
      // A worker that is stopped may say so, fail or be killed; why it was stopped is what counts.
      const stopped = limited.aborted ? stopCause(signal, clock, watcher) : null
      const words = (text: string) => inUserWords(text, { ...attempt, place, root: environment.root })
      const { cause, message, help } = stopped ?? {
        cause: made.kind,
        message: words(made.message),
        help: made.help === null ? null : words(made.help),
      }
      log.event({ type: 'exit', outcome: { ...made, cause, message, help } })
      return { type: 'failed', cause, message, help, log: shownLog }
    }
    const changed = await changedSource(attempt)
    if (changed !== null) {
      const message = `the source behind ${changed} changed while the stage was running`
      const help = 'run again; with the old files back, training goes on from its checkpoint'
      return { type: 'failed', cause: 'input', message, help, log: shownLog }
    }
    const taken = await takeOutputs(stage, (port) => place.output(port), stores.blobs)
    if (taken.type === 'missing') {
      const message = `nothing was written for the output ${taken.port}`
      return { type: 'failed', cause: 'bug', message, help: null, log: shownLog }
    }
    const result: Result = {
      format: 1,
      key,
      manifest: attempt.manifest,
      outputs: taken.outputs,
      summary: made.summary,
      durationMs: Math.round(performance.now() - began),
      provenance: {
        ...environment.provenance,
        run: attempt.run,
        threads: environment.threads,
        ...(checkpoints.resumedFrom === null ? {} : { resumed: true, resumedFrom: checkpoints.resumedFrom }),
        ...(stage.worker === null ? {} : { worker: stage.worker }),
        ...(attempt.gpus.length === 0 ? {} : { gpus: attempt.gpus }),
      },
    }
    log.event({ type: 'exit', outcome: { type: 'done', summary: made.summary } })
    // The record is written last: without it the stage has not run, with it every byte is there.
    await stores.results.write(result, taken.folders)
    reach('record-written')
    checkpoints.drop()
    return { type: 'done', result }
  } catch (error) {
    return { type: 'failed', ...machineFailure(error, signal, clock), log: shownLog }
  } finally {
    clock.stop()
    log?.close()
    place.close()
  }
}

/** A port whose source is no more what the key says: what the stage read of it, nobody knows. */
async function changedSource({ inputs }: Attempt): Promise<string | null> {
  for (const [port, input] of Object.entries(inputs))
    if (input.type === 'source' && (await input.found.isUnchanged?.()) === false) return port
  return null
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
  readonly log: AttemptLog
  readonly place: Place
  readonly watcher: Watcher
  readonly checkpoints: StageCheckpoints
}

async function runSteps(
  attempt: Attempt,
  tools: AttemptTools,
  places: Places,
  clock: Clock,
  signal: AbortSignal,
): Promise<JobOutcome> {
  const { stage } = attempt
  const available: Record<string, InputFiles> = {}
  for (const [port, input] of Object.entries(attempt.inputs)) {
    // Not here only if somebody else was to have made what reads it.
    if (input.type === 'source') await input.found.hub?.bring(signal)
    available[`input:${port}`] = layOut(input, places.place.input(port), tools.stores)
  }
  reach('inputs-laid-out')
  const summary: Record<string, JsonObject[string]> = {}
  for (const step of stepsOf(stage, tools.environment)) {
    const job = {
      ...jobOf(step, available, places.place, tools.environment),
      checkpoint: places.checkpoints.placeFor(step.op, (text) =>
        tools.emit({ type: 'note', stage: stage.name, level: 'warning', text }),
      ),
    }
    places.log.event(job)
    const outcome = await runStep(step, job, attempt, tools, places, clock, signal)
    if (outcome.type === 'failed') return outcome
    reach('job-done')
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
  { log, watcher, checkpoints }: Places,
  clock: Clock,
  signal: AbortSignal,
): Promise<JobOutcome> {
  // Who holds GPUs has waited for his turn already.
  const seated = attempt.gpus.length > 0
  const give = seated ? () => undefined : await tools.slots.take(step.on, attempt.rank, signal)
  clock.start()
  const stage = attempt.stage.name
  try {
    return await tools.pool.run(
      step.on,
      job,
      {
        output: (printed) => log.print(printed),
        message: (message) => {
          log.event(message)
          if (message.type === 'progress') {
            const { done, total, unit, values } = message
            tools.emit({ type: 'progress', stage, op: step.op, done, total, unit, values })
            watcher.see(done, unit, values)
          } else if (message.type === 'note') {
            tools.emit({ type: 'note', stage, level: message.level, text: message.text })
          } else if (message.type === 'checkpoint') {
            checkpoints.prune(step.op)
            tools.emit({ type: 'stage.checkpoint', stage, step: message.step })
          } else if (message.type === 'resumed') {
            checkpoints.resumed(message.step)
            tools.emit({ type: 'stage.resumed', stage, step: message.step })
          } else if (message.type === 'failed' && message.detail !== null) {
            log.print(`${message.detail}\n`)
          }
        },
      },
      signal,
      attempt.gpus,
    )
  } finally {
    give()
  }
}

function jobOf(
  step: Step,
  available: Readonly<Record<string, InputFiles>>,
  place: Place,
  environment: Environment,
): Job {
  const inputs: Record<string, InputFiles> = {}
  for (const [role, from] of Object.entries(step.inputs)) {
    if (from === 'input:*') {
      for (const [each, port] of Object.entries(available))
        if (each.startsWith('input:')) inputs[each.slice('input:'.length)] = port
      continue
    }
    const files = available[from]
    if (files !== undefined) inputs[role] = files
    // A port that takes many: `input:metrics[r=8]` becomes the role `metrics[r=8]`.
    for (const [each, many] of Object.entries(available))
      if (each.startsWith(`${from}[`)) inputs[`${role}${each.slice(from.length)}`] = many
  }
  const outputs: Record<string, string> = {}
  for (const [output, port] of Object.entries(step.outputs)) {
    const dir = port === null ? place.between(step.op, output) : place.output(port)
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
