/** Runs a pipeline: one loop starts what is ready, takes facts as they come, and alone writes the run's state. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ConditionFacts } from '../../dsl/condition-facts.ts'
import { hubAddress } from '../../dsl/hub-address.ts'
import type { Gate, Pipeline, Stage } from '../../dsl/pipeline.ts'
import type { Verdict, Yardstick } from '../../dsl/judge.ts'
import type { Digest } from '../artifact.ts'
import type { Environment, FoundSource, Stores } from '../environment.ts'
import { reach } from '../failpoint.ts'
import { HubTrouble } from '../hub/trouble.ts'
import { keyOf } from '../plan/manifest.ts'
import { forceOf, stageManifest } from '../plan/plan.ts'
import { keepPrints } from '../plan/source-print.ts'
import type { Result } from '../store/results.ts'
import { WorkerPool } from '../worker/pool.ts'
import { Agenda } from './agenda.ts'
import type { StageInput } from './attempt.ts'
import { Devices } from './devices.ts'
import type { FailureCause, Logged, RunEvent } from './events.ts'
import { LOG_FORMAT } from './events.ts'
import { fateOf, newlyFinished } from './fate.ts'
import type { Finished, OnFailure } from './fate.ts'
import { exportStage } from './export.ts'
import type { HandedOut, LeftOut } from './export.ts'
import { judgeGate } from './gate.ts'
import { RunLog } from './log.ts'
import { FirstFailure, machineFailure } from './machine-failure.ts'
import { Mailbox } from './mailbox.ts'
import { measuredEvent } from './measured.ts'
import { obtain } from './obtain.ts'
import type { Obtained } from './obtain.ts'
import { ownerWords } from './owner.ts'
import type { Owner } from './owner.ts'
import { textAt } from './overtaken.ts'
import type { Claim } from './overtaken.ts'
import { openBecause, waitsFor } from './paused.ts'
import { Presence } from './presence.ts'
import { publish, rightOf, showStage, showVerdict } from './publish.ts'
import type { Showroom } from './publish.ts'
import { ranksOf } from './ranks.ts'
import { Rights } from './rights.ts'
import { choose } from './select.ts'
import { Shares } from './shares.ts'
import type { RemoteUse } from './shares.ts'
import { ShowingRight } from './showing-right.ts'
import { Slots } from './slots.ts'
import { wantedStages } from './scope.ts'
import { sweepOn } from './staging.ts'
import { fold, newRun } from './state.ts'
import { exitCodeOfStop } from './stopped.ts'
import type { RunState } from './state.ts'
import { mutexesOf } from './tries.ts'

export interface RunRequest {
  readonly pipeline: Pipeline
  readonly environment: Environment
  readonly stores: Stores
  readonly sources: Readonly<Record<string, FoundSource>>
  /** Stages to bring up to date with all they need; null is the whole pipeline. */
  readonly targets: readonly string[] | null
  readonly forced: ReadonlySet<string>
  readonly onFailure: OnFailure
  /** `main` and `last` for a gate: what does not come from this run. */
  readonly yardsticks: (gate: Gate) => Readonly<Record<string, Yardstick>>
  /** How long a stage took when it was last made, or null. */
  readonly lastMs: (stage: string) => number | null
  /** Why a stage runs, in one line, for the log. */
  readonly reasonOf: (stage: string) => string
  /** What `when:` may ask of the run: `run.branch` and the like. */
  readonly facts: ConditionFacts
  /** What this machine has of the resources that stages claim: `cpu`, `gpu`, `memory`, `vram` (bytes), `resources.x`. */
  readonly capacity: Readonly<Record<string, number>>
  /** As it was typed, for those who wait for this run. */
  readonly command: string
  /** The GPUs by name, as many as `capacity.gpu`. */
  readonly gpus: readonly string[]
  /** The cache that is shared with others; null without one. */
  readonly remote: RemoteUse | null
  /** Where the lock is written after a complete run; null with overridden parameters. */
  readonly lockPath: string | null
  readonly listener: (state: RunState, event: Logged) => void
  readonly signal: AbortSignal
}

export interface RunOutcome {
  readonly exitCode: number
  readonly state: RunState
  readonly results: ReadonlyMap<string, Result>
  readonly verdicts: ReadonlyMap<string, Verdict>
}

/** So far the ids of one second lie apart: at random, so that two that are made at once differ. */
const WIDEST_STEP = 0x1000

/** An id that sorts by time, with a folder of its own: of runs that begin in one second the later one has the larger id. */
function newRunId(folder: string): string {
  mkdirSync(folder, { recursive: true })
  for (;;) {
    const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')
    const before = readdirSync(folder).filter((id) => id.startsWith(`${time}-`))
    const last = Math.max(-1, ...before.map((id) => Number.parseInt(id.slice(time.length + 1), 16)))
    const next = last + 1 + (randomBytes(2).readUInt16LE() % WIDEST_STEP)
    if (next > 0xffff) continue
    const id = `${time}-${next.toString(16).padStart(4, '0')}`
    try {
      mkdirSync(join(folder, id))
      return id
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !existsSync(join(folder, id))) throw error
    }
  }
}

/** Order in which exit codes win (language.md 4.2). */
const EXIT_ORDER = [130, 2, 6, 1, 3, 4, 5]

export async function run(request: RunRequest): Promise<RunOutcome> {
  const { environment, pipeline } = request
  // Not `performance`, which Node loads when it is first named.
  const began = process.uptime()
  const tookMs = () => Math.round((process.uptime() - began) * 1000)
  // By itself, so that an error names this folder and not one below it.
  mkdirSync(environment.stateDir, { recursive: true })
  const lockAtStart = request.lockPath === null ? null : textAt(request.lockPath)
  const id = newRunId(join(environment.stateDir, 'runs'))
  const log = new RunLog(join(environment.stateDir, 'runs', id, 'run.jsonl'))
  let state = newRun
  const emit = (event: RunEvent) => {
    const logged = log.append(event, new Date())
    state = fold(state, logged)
    request.listener(state, logged)
  }
  const over = new AbortController()
  try {
    await using presence = new Presence(environment.stateDir, id, request.command)
    const rights = new Rights(environment.stateDir, presence)
    rights.sweep()
    sweepOn(environment.stateDir, rights.others, over.signal)
    await keepPrints(pipeline, request.sources, environment, request.stores)
    const wanted = wantedStages(pipeline, request.targets)
    reach('swept')
    emit({
      type: 'run.start',
      format: LOG_FORMAT,
      run: id,
      pipeline: pipeline.name,
      stages: wanted.map((s) => s.name),
    })
    reach('run-begun')
    await using pool = new WorkerPool(environment.workers)
    using showing = new ShowingRight(rights, rightOf(request))
    const { root, stateDir } = environment
    const stages = wanted.map(({ name }) => name)
    const ours = { run: id, stages, pipeline, sources: request.sources }
    const claim = { root, stateDir, ...ours, lockPath: request.lockPath, lockAtStart }
    const room = { ...request, rights, showing, claim }
    const finished = await runStages(wanted, id, room, pool, emit)
    const exitCode = exitCodeOf(finished, request)
    const complete = request.targets === null && [0, 3, 4].includes(exitCode) && finished.paused.size === 0
    if (!request.signal.aborted) {
      const lockPath = complete ? request.lockPath : null
      const waiting = (holder: string) => emit({ type: 'run.waiting', holder })
      const overtaken = () => {
        const text = 'another run with newer files has ended: the lock and out/ are left to it'
        const stage = wanted.at(-1)?.name
        if (stage !== undefined) emit({ type: 'note', stage, level: 'warning', text })
      }
      await publish({ ...room, run: id, stages: wanted, finished, lockPath, overtaken, waiting })
    }
    emit({ type: 'run.done', exitCode, durationMs: tookMs() })
    reach('run-ended')
    return { exitCode, state, results: finished.results, verdicts: finished.verdicts }
  } catch (error) {
    if (!request.signal.aborted) throw error
    const exitCode = exitCodeOfStop(request.signal)
    emit({ type: 'run.done', exitCode, durationMs: tookMs() })
    return { exitCode, state, results: new Map(), verdicts: new Map() }
  } finally {
    over.abort()
    log.close()
    reach('log-closed')
  }
}

/** A stage that ended, whatever it was. */
type Over = Omit<Obtained, 'outcome'> & { readonly outcome: Obtained['outcome'] | HandedOut | LeftOut }

async function runStages(
  stages: readonly Stage[],
  id: string,
  request: RunRequest & Showroom & { readonly claim: Claim },
  pool: WorkerPool,
  emit: (event: RunEvent) => void,
): Promise<Finished> {
  const { environment, stores } = request
  const halt = new AbortController()
  const signal = AbortSignal.any([request.signal, halt.signal])
  const slots = new Slots({ ...environment.slots, ...request.capacity, ...mutexesOf(stages) })
  const devices = new Devices(request.gpus)
  const shares = request.remote === null ? null : new Shares(request.remote, stores, emit, signal)
  const finished = newlyFinished()
  const agenda = new Agenda(stages)
  const running = new Set<string>()
  const makers = new Map<Digest, string>()
  const over = new Mailbox<Over>()
  // Reads the logs of earlier runs, so only when something has to be made.
  let ranks: ReadonlyMap<string, number> | null = null
  const rankOf = (stage: string) => (ranks ??= ranksOf(stages, request.lastMs)).get(stage) ?? 0
  const byName = new Map(stages.map((stage) => [stage.name, stage]))

  /** True if it waits for people; what it made so far is shown, and nothing may read it. */
  const paused = (stage: Stage, result: Result): boolean => {
    const waits = waitsFor(stage, result, environment.kinds)
    if (waits === null) return false
    finished.paused.set(stage.name, waits)
    showStage(stage, result, request)
    emit({ type: 'stage.paused', stage: stage.name, key: result.key, waitsFor: waits })
    return true
  }

  const start = (stage: Stage) => {
    const inputs = inputsOf(stage, finished.results, request)
    const manifest = stageManifest(stage, digestsOf(inputs), environment)
    const key = keyOf(manifest)
    const force = forceOf(stage, request.forced)
    const lookup = stores.results.find(key)
    if (lookup.type === 'hit' && force === null && stores.results.touch(key)) {
      reuse(stage, lookup.result, null)
      return
    }
    const want = { reason: request.reasonOf(stage.name), forced: force !== null }
    const attempt = {
      stage,
      key,
      manifest,
      inputs,
      run: id,
      number: 1,
      rank: rankOf(stage.name),
      gpus: [],
    }
    const { rights } = request
    const tools = { environment, stores, pool, slots, devices, emit, shares, rights, makers }
    running.add(stage.name)
    void obtain(attempt, tools, want, signal).then(
      (obtained) => over.put(obtained),
      (error: unknown) => {
        const outcome = { type: 'failed', ...machineFailure(error, signal), log: null } as const
        over.put({ stage, outcome, release: () => undefined })
      },
    )
  }

  const tellMeasured = (stage: Stage, result: Result) => {
    const measured = measuredEvent(stage, result, stores.blobs)
    if (measured !== null) emit(measured)
  }

  const reuse = (stage: Stage, result: Result, from: string | null) => {
    if (paused(stage, result)) return
    finished.results.set(stage.name, result)
    finished.cached.add(stage.name)
    showStage(stage, result, request)
    emit({ type: 'stage.cached', stage: stage.name, key: result.key, summary: result.summary, from })
    tellMeasured(stage, result)
  }

  const settle = (stage: Stage, outcome: Over['outcome']) => {
    if (outcome.type === 'exported') {
      const { result, written, note } = outcome
      finished.results.set(stage.name, result)
      if (note !== null) emit({ type: 'note', stage: stage.name, level: 'warning', text: note })
      emit({ type: 'stage.exported', stage: stage.name, key: result.key, written, summary: result.summary })
    } else if (outcome.type === 'left-out') {
      finished.skipped.add(stage.name)
      emit({ type: 'stage.skipped', stage: stage.name, because: outcome.because })
    } else if (outcome.type === 'done') {
      const { result } = outcome
      if (paused(stage, result)) return
      finished.results.set(stage.name, result)
      showStage(stage, result, request)
      emit({
        type: 'stage.done',
        stage: stage.name,
        key: result.key,
        durationMs: result.durationMs,
        summary: result.summary,
      })
      tellMeasured(stage, result)
      reach('stage-ended')
    } else if (outcome.type === 'found') {
      reuse(stage, outcome.result, outcome.from)
    } else {
      const { cause, message, help, log } = outcome
      finished.failures.set(stage.name, cause)
      emit({ type: 'stage.failed', stage: stage.name, cause, message, help, log })
      if (request.onFailure === 'stop') halt.abort(new FirstFailure(stage.name))
    }
  }

  const handOut = (stage: Stage) => {
    const archive = {
      pipeline: request.pipeline,
      sources: request.sources,
      blobs: stores.blobs,
      resultOf: (name: string) => finished.results.get(name) ?? null,
      verdictOf: (name: string) => finished.verdicts.get(name) ?? null,
    }
    const waiting = (holder: Owner) =>
      emit({ type: 'stage.waiting', stage: stage.name, holder: ownerWords(holder) })
    const release = () => undefined
    running.add(stage.name)
    void exportStage(stage, archive, { ...request, ...environment }, waiting, signal).then(
      (outcome) => over.put({ stage, outcome, release }),
      (error: unknown) => {
        const outcome = { type: 'failed', ...machineFailure(error, signal), log: null } as const
        over.put({ stage, outcome, release })
      },
    )
  }

  const chooseNow = (stage: Stage) => {
    const resultOf = (name: string) => finished.results.get(name) ?? null
    const pointOf = (name: string) => byName.get(name)?.point ?? {}
    const choice = choose(stage, resultOf, pointOf, stores.blobs)
    if (choice.type === 'none') {
      settle(stage, { type: 'failed', cause: 'input', message: choice.reason, help: null, log: null })
      return
    }
    const { label, result } = choice
    finished.results.set(stage.name, result)
    showStage(stage, result, request)
    emit({ type: 'stage.chosen', stage: stage.name, key: result.key, chosen: label, summary: result.summary })
  }

  try {
    for (;;) {
      if (signal.aborted) agenda.markAll()
      for (let stage = agenda.next(); stage !== null; stage = agenda.next()) {
        const fate = fateOf(stage, finished, running, byName, request)
        if (fate.type === 'wait') {
          if (fate.for === 'turn') agenda.queue(stage)
          continue
        }
        agenda.take(stage)
        if (fate.type === 'skip') {
          finished.skipped.add(stage.name)
          emit({ type: 'stage.skipped', stage: stage.name, because: fate.because })
        } else {
          try {
            if (stage.gate !== null) judgeNow(stage, stages, finished, request, emit)
            else if (stage.selection !== null) chooseNow(stage)
            else if (environment.kinds[stage.uses]?.decides === 'export') handOut(stage)
            else start(stage)
          } catch (error) {
            settle(stage, { type: 'failed', ...machineFailure(error, signal), log: null })
          }
        }
        // A cached, judged or skipped stage may make others ready.
        if (!running.has(stage.name)) agenda.ended(stage, finished.failures.has(stage.name))
      }
      if (running.size === 0) break
      const { stage, outcome, release } = await over.next()
      running.delete(stage.name)
      try {
        settle(stage, outcome)
      } catch (error) {
        settle(stage, { type: 'failed', ...machineFailure(error, signal), log: null })
      } finally {
        // Only now, so that the log says that a stage is done before it says that another took its place.
        release()
      }
      agenda.ended(stage, finished.failures.has(stage.name))
    }
    await shares?.settled()
  } finally {
    // If the loop threw (a full disk under the log), what still runs has nobody to report to.
    halt.abort(new Error('the run is over'))
  }
  const { waiting } = agenda
  if (waiting.length > 0)
    throw new Error(`bug: nothing runs and ${waiting.map(({ name }) => name).join(', ')} still wait`)
  return finished
}

function judgeNow(
  stage: Stage,
  stages: readonly Stage[],
  finished: Finished,
  request: RunRequest,
  emit: (event: RunEvent) => void,
): void {
  const { environment, stores, sources } = request
  const yardsticks = stage.gate === null ? {} : request.yardsticks(stage.gate)
  const resultOf = (name: string) => finished.results.get(name) ?? null
  const { paused } = finished
  const { kinds } = environment
  const world = { stages, kinds, resultOf, paused, yardsticks, sources, blobs: stores.blobs }
  const verdict = judgeGate(stage, world)
  const because = openBecause(stage, verdict, paused)
  if (because !== null) {
    finished.skipped.add(stage.name)
    emit({ type: 'stage.skipped', stage: stage.name, because })
    return
  }
  finished.verdicts.set(stage.name, verdict)
  showVerdict(stage, verdict, request)
  for (const { text, level, outcome, margin, reason } of verdict.checks)
    emit({ type: 'gate.check', stage: stage.name, text, level, outcome, margin, reason })
  emit({ type: 'gate.verdict', stage: stage.name, verdict })
}

function inputsOf(
  stage: Stage,
  results: ReadonlyMap<string, Result>,
  { sources, pipeline }: Pick<RunRequest, 'sources' | 'pipeline'>,
): Readonly<Record<string, StageInput>> {
  const inputs: Record<string, StageInput> = {}
  for (const [port, reference] of Object.entries(stage.inputs)) {
    if (reference.type === 'source') {
      const found = sources[reference.source]
      if (found !== undefined) inputs[port] = { type: 'source', found }
      else if (hubAddress(pipeline.sources[reference.source]?.from) !== null)
        throw new HubTrouble('request', `${reference.source} is not fetched yet`, 'sluice run fetches it')
    } else {
      const artifact = results.get(reference.stage)?.outputs[reference.port]
      if (artifact === undefined) throw new Error(`bug: ${reference.stage} has no output ${reference.port}`)
      inputs[port] = { type: 'artifact', artifact }
    }
  }
  return inputs
}

function digestsOf(inputs: Readonly<Record<string, StageInput>>): Record<string, Digest> {
  const digests = Object.entries(inputs).map(
    ([port, input]) => [port, input.type === 'source' ? input.found.digest : input.artifact.tree] as const,
  )
  return Object.fromEntries(digests)
}

const EXIT_OF_CAUSE: Readonly<Record<FailureCause, number>> = {
  input: 1,
  bug: 1,
  timeout: 1,
  watch: 1,
  memory: 6,
  resources: 6,
  'worker-lost': 6,
  cancelled: 130,
}

function exitCodeOf(finished: Finished, { signal, onFailure }: RunRequest): number {
  // Whatever else went wrong, it was not let finish.
  if (signal.aborted) return exitCodeOfStop(signal)
  const causes = [...finished.failures.values()]
  // What was stopped because another stage failed says nothing of its own.
  const counted = onFailure === 'stop' ? causes.filter((cause) => cause !== 'cancelled') : causes
  const codes = new Set<number>(counted.map((cause) => EXIT_OF_CAUSE[cause]))
  for (const { verdict } of finished.verdicts.values()) {
    if (verdict === 'fail') codes.add(3)
    if (verdict === 'undecided') codes.add(4)
  }
  if (finished.paused.size > 0) codes.add(5)
  return EXIT_ORDER.find((code) => codes.has(code)) ?? 0
}
