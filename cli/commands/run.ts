/** `sluice run`: plan, run what changed, judge, sum up. */
import { relative } from 'node:path'
import { hubAddress } from '../../dsl/hub-address.ts'
import { killAt } from '../../engine/failpoint.ts'
import { lockedOutput } from '../../engine/lock/facts.ts'
import { staleness } from '../../engine/lock/stale.ts'
import type { Lock } from '../../engine/lock-file.ts'
import { run } from '../../engine/run/run.ts'
import type { RunOutcome } from '../../engine/run/run.ts'
import { Stopped } from '../../engine/run/stopped.ts'
import type { StopSignal } from '../../engine/run/stopped.ts'
import { metricsPort, readMetrics } from '../../engine/run/gate.ts'
import { sayMemory, sayUndecided } from '../afterwards.ts'
import { announce } from '../announce.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { yardsticksOf } from '../baseline.ts'
import { openPipeline, planOf, readBuild, stringFlag } from '../project.ts'
import type { Opened } from '../project.ts'
import type { Reason } from '../../engine/plan/plan.ts'
import { machineFor, runFacts } from '../machine.ts'
import { eventsOf, notify } from '../notify.ts'
import { sayPower } from '../power.ts'
import { remoteOf, useOf } from '../remote.ts'
import type { Remote } from '../remote.ts'
import { sharedPlan } from '../remote-plan.ts'
import { remoteText } from '../reports/remote.ts'
import { LiveReport } from '../reports/live.ts'
import { metricsText } from '../reports/metrics.ts'
import type { MetricsColumn } from '../reports/metrics.ts'
import { PlainReport } from '../reports/plain.ts'
import type { Verdicts } from '../reports/github.ts'
import { reasonText } from '../reports/plan.ts'
import { staleText } from '../reports/stale.ts'
import { duration, painter, useColor } from '../reports/style.ts'
import type { Paint } from '../reports/style.ts'
import { verdictText } from '../reports/verdict.ts'
import { waitingText } from '../reports/waiting.ts'
import { toType } from '../to-type.ts'
import { checkScope, wishOf } from '../wish.ts'
import type { Wished } from '../wish.ts'

const HEARTBEAT_MS = 15_000

export async function runCommand(command: Command, buildDir: string): Promise<number> {
  const known = await openPipeline(command, buildDir)
  const smoke = command.flags['smoke'] === true
  const wished = wishOf(command, known.pipeline)
  const { scope, forced, onFailure } = wished
  const events = stringFlag(command, 'events')
  if (events !== null && events !== 'ndjson')
    throw new Usage(`--events knows one form: ndjson, not '${events}'`, true)
  const failpoint = process.env['SLUICE_FAILPOINT']
  const wrong = failpoint === undefined ? null : killAt(failpoint)
  if (wrong !== null) throw new Usage(`SLUICE_FAILPOINT: ${wrong}`, true)
  // A rehearsal makes nothing that others could use.
  const remote = smoke ? null : await remoteOf(known.root, known.environment.stateDir, process.env)
  const opened = hasHub(known.pipeline) ? await fetched(known, wished, remote, smoke) : known
  // What may not run here may still be pulled, as `plan` says; a whole run asks stage by stage.
  const planned =
    scope.mayRun === null
      ? planOf(opened, forced)
      : (await sharedPlan(opened, forced, remote, new AbortController().signal)).planned
  checkScope(wished, planned)
  if (!smoke) await sayPower(opened, planned, command, readBuild(buildDir).version)
  const reasons = new Map(
    planned.map((entry) => [entry.stage.name, entry.type === 'run' ? runReason(entry.reasons) : '']),
  )
  const locked = command.flags['locked'] === true ? lockedTo(opened) : null
  const yardsticks = await yardsticksOf(opened)
  const { stages } = opened.pipeline
  const machine = await machineFor(stages, opened.root, opened.environment.stateDir)
  if (stages.some(({ worker }) => worker !== null)) {
    const { checkCommands } = await import('../workers.ts')
    const mayRun = planned.filter(({ stage }) => wished.takesPart.has(stage.name))
    checkCommands(mayRun, opened.environment)
  }
  const report = reportFor(command, events !== null)
  const stop = new AbortController()
  const interrupt = (signal: StopSignal) => stopOrKill(stop, signal)
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    const outcome = await run({
      ...opened,
      targets: scope.targets,
      forced,
      onFailure,
      yardsticks,
      // Asks git, so only for who asks.
      facts: stages.some(({ when }) => when !== null) ? runFacts(opened.root, smoke, process.env) : {},
      ...machine,
      lastMs: (stage) => opened.past.lastMs(stage),
      reasonOf: (stage) => reasons.get(stage) ?? '',
      remote: useOf(remote),
      lockPath: opened.overridden || locked !== null ? null : opened.lockPath,
      listener: report.take,
      signal: stop.signal,
    })
    report.end()
    const program = command.flags['json'] === true || events !== null
    if (smoke && !program) return rehearsed(opened, outcome, command)
    sumUp(opened, outcome, command, events !== null)
    if (!program) {
      await sayMemory(opened, outcome.state, command, readBuild(buildDir).version)
      if (!smoke) sayUndecided(judgedIn(opened, outcome), command)
    }
    if (smoke) return codeOfRehearsal(outcome)
    if (locked !== null) tellDrift(outcome, locked)
    announce(judgedIn(opened, outcome), {
      root: opened.root,
      pipeline: opened.pipeline.name,
      environment: process.env,
    })
    await tellOthers(opened, outcome)
    return outcome.exitCode
  } finally {
    report.end()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

function hasHub({ sources }: Opened['pipeline']): boolean {
  return Object.values(sources).some(({ from }) => hubAddress(from) !== null)
}

async function fetched(
  known: Opened,
  wished: Wished,
  remote: Remote | null,
  smoke: boolean,
): Promise<Opened> {
  const { fetchModels } = await import('../hub.ts')
  return fetchModels(known, wished, remote, smoke)
}

/** What a gate or people think of a model that learned nothing says nothing; that they could be asked does. */
function codeOfRehearsal({ exitCode }: RunOutcome): number {
  return [3, 4, 5].includes(exitCode) ? 0 : exitCode
}

function rehearsed(opened: Opened, outcome: RunOutcome, command: Command): number {
  const code = codeOfRehearsal(outcome)
  sayFailures(opened, outcome, painter(useColor(process.stderr, command)))
  const stages = [...outcome.state.stages.values()]
  const worked = stages.filter(({ status }) =>
    ['done', 'cached', 'chosen', 'exported', 'judged', 'paused'].includes(status),
  ).length
  const took = duration(outcome.state.durationMs ?? 0)
  process.stdout.write(
    code === 0
      ? `rehearsal: ${worked === 1 ? '1 stage works' : `${String(worked)} stages work`}, ${took}; verdicts do not count, as the model learned nothing\n`
      : `rehearsal: ${String(worked)} of ${String(stages.length)} stages work, ${took}, exit ${String(code)}\n`,
  )
  return code
}

async function tellOthers(opened: Opened, outcome: RunOutcome): Promise<void> {
  const { pipeline } = opened
  if (pipeline.notify.length === 0) return
  const gates = Object.fromEntries([...outcome.verdicts].map(([name, { verdict }]) => [name, verdict]))
  const words = Object.entries(gates).map(([name, verdict]) => `${name} ${verdict}`)
  const paused = pausedIn(outcome)
  const waits = paused.map(({ stage, waitsFor }) => `${stage} waits for people: ${waitsFor}`)
  const text = `${pipeline.name}: ${[`exit code ${String(outcome.exitCode)}`, ...words, ...waits].join(', ')}`
  const message = { text, pipeline: pipeline.name, run: outcome.state.run, exitCode: outcome.exitCode, gates }
  const problems = await notify(pipeline.notify, eventsOf(outcome), message, process.env)
  for (const problem of problems) process.stderr.write(`warning: ${problem}\n`)
}

/** Changes of its own say most; that an input is made anew is worth a word only without them. */
function runReason(reasons: readonly Reason[]): string {
  const upstream = reasons.flatMap((reason) => (reason.type === 'upstream' ? [reason.stage] : []))
  const own = reasons.filter((reason) => reason.type !== 'upstream').map(reasonText)
  return own.length > 0 ? own.join('; ') : `made anew before it: ${[...new Set(upstream)].join(', ')}`
}

/** The first Ctrl-C asks the stages to stop; a second one does not wait. */
function stopOrKill(stop: AbortController, signal: StopSignal): void {
  const stopped = new Stopped(signal)
  if (stop.signal.aborted) process.exit(stopped.exitCode)
  process.stderr.write('\nstopping; finished stages stay cached (Ctrl-C again: at once)\n')
  stop.abort(stopped)
}

/** The lock that the run has to follow. Refuses, before anything runs, if it does not say what the file says. */
function lockedTo(opened: Opened): Lock {
  const shown = relative(opened.root, opened.lockPath)
  const { lock } = opened
  if (lock === null)
    throw new Usage(
      `--locked: there is no ${shown}\n  help: ${toType('run', opened)}, and commit the file that it writes`,
      true,
    )
  // A verdict is reached anew by every run, so a lock without one is no other recipe.
  const stale = staleness(opened, lock).filter(({ type }) => type !== 'not-judged')
  if (stale.length > 0)
    throw new Usage(
      `--locked: ${shown} does not say what ${opened.file} says\n\n${staleText(stale)}\n\n  help: ${toType('run', opened)} without --locked, and commit the lock`,
      true,
    )
  return lock
}

/** The recipe was the locked one; where its result is not, the machine made the difference. */
function tellDrift({ results }: RunOutcome, lock: Lock): void {
  for (const [name, { outputs }] of results)
    for (const [port, { tree }] of Object.entries(outputs)) {
      const before = lockedOutput(lock['stages']?.[name], port)
      if (before !== null && before !== tree)
        process.stderr.write(
          `note: ${name}.${port} came out as ${tree.slice(7, 19)}, the lock has ${before.slice(7, 19)}: same recipe, other bytes, as on other hardware; what reads it was made from the new one\n`,
        )
    }
}

function pausedIn({ state }: RunOutcome): readonly { readonly stage: string; readonly waitsFor: string }[] {
  return [...state.stages.values()].flatMap(({ name, waitsFor }) =>
    waitsFor === null ? [] : [{ stage: name, waitsFor }],
  )
}

function judgedIn(opened: Opened, { verdicts }: RunOutcome): readonly Verdicts[] {
  return opened.pipeline.stages.flatMap((stage) => {
    const verdict = verdicts.get(stage.name)
    return verdict === undefined ? [] : [{ stage, verdict }]
  })
}

/** Live on a terminal, a line an event elsewhere. */
export function reportFor(
  command: Command,
  events: boolean,
): { take: Parameters<typeof run>[0]['listener']; end: () => void } {
  if (events) {
    return {
      take: (_, event) => void process.stdout.write(`${JSON.stringify(event)}\n`),
      end: () => undefined,
    }
  }
  const live = process.stderr.isTTY && process.env['CI'] === undefined && process.env['TERM'] !== 'dumb'
  if (!live) {
    const plain = new PlainReport((text) => void process.stderr.write(text), HEARTBEAT_MS)
    return { take: (state, event) => plain.take(state, event), end: () => plain.end() }
  }
  const drawn = new LiveReport(process.stderr, useColor(process.stderr, command))
  let ended = false
  return {
    take: (state) => drawn.take(state),
    end: () => {
      if (!ended) drawn.end()
      ended = true
    },
  }
}

function sayFailures(opened: Opened, outcome: RunOutcome, paint: Paint): void {
  for (const { name, failure, checkpoint } of outcome.state.stages.values()) {
    if (failure === null) continue
    const kept =
      checkpoint === null
        ? ''
        : `its checkpoint of step ${String(checkpoint)} is kept; the next run goes on from there`
    if (failure.cause === 'cancelled') {
      if (kept !== '') process.stderr.write(`\n${name} was stopped: ${kept}\n`)
      continue
    }
    const log = failure.log === null ? '' : `\n  log: ${failure.log} (${toType(`logs ${name}`, opened)})`
    const help = failure.help === null ? '' : `\n  help: ${failure.help}`
    const goesOn = kept === '' ? '' : `\n  ${kept}`
    process.stderr.write(`\n${paint('red', `${name} failed`)}: ${failure.message}${help}${goesOn}${log}\n`)
  }
}

function sumUp(opened: Opened, outcome: RunOutcome, command: Command, quiet: boolean): void {
  if (command.flags['json'] === true) {
    process.stdout.write(`${JSON.stringify(outcomeJson(opened, outcome), null, 2)}\n`)
    return
  }
  if (quiet) return
  const paint = painter(useColor(process.stdout, command))
  sayFailures(opened, outcome, painter(useColor(process.stderr, command)))
  const columns = metricsColumns(opened, outcome)
  const parts: string[] = []
  if (columns.length > 0) parts.push(metricsText(columns, paint))
  for (const { stage, verdict } of judgedIn(opened, outcome)) parts.push(verdictText(stage, verdict, paint))
  parts.push(...outputLines(opened, outcome, paint))
  const paused = pausedIn(outcome)
  if (paused.length > 0) parts.push(waitingText(opened, paused, paint))
  parts.push(closing(outcome))
  process.stdout.write(`\n${parts.join('\n\n')}\n`)
}

export function metricsColumns(
  opened: Opened,
  outcome: Pick<RunOutcome, 'results'>,
): readonly MetricsColumn[] {
  return opened.pipeline.stages.flatMap((stage) => {
    const port = metricsPort(stage)
    const artifact = port === null ? undefined : outcome.results.get(stage.name)?.outputs[port]
    const metrics = artifact === undefined ? null : readMetrics(artifact, opened.stores.blobs)
    return metrics === null || 'missing' in metrics ? [] : [{ stage: stage.name, metrics }]
  })
}

function outputLines(opened: Opened, outcome: RunOutcome, paint: Paint): readonly string[] {
  const lines = opened.pipeline.stages.flatMap((stage) =>
    Object.entries(stage.outputs)
      .filter(
        ([port, type]) =>
          (type === 'adapter' || type === 'samples') &&
          outcome.results.get(stage.name)?.outputs[port] !== undefined,
      )
      .map(
        ([port, type]) =>
          `  ${paint('dim', `${type} of ${stage.name}:`)} .sluice/out/${opened.pipeline.name}/${stage.name}/${port}`,
      ),
  )
  return lines.length === 0 ? [] : [lines.join('\n')]
}

function closing(outcome: RunOutcome): string {
  const stages = [...outcome.state.stages.values()]
  const count = (status: string) => stages.filter((stage) => stage.status === status).length
  const ran = count('done')
  const took = duration(outcome.state.durationMs ?? 0)
  const words =
    ran === 0 && count('cached') > 0 && count('failed') === 0 && count('paused') === 0
      ? 'everything cached'
      : `${String(ran)} ran, ${String(count('cached'))} cached`
  const shared = remoteText(outcome.state)
  const exit = outcome.exitCode === 0 ? '' : `, exit ${String(outcome.exitCode)}`
  return `${words}${shared}, ${took}${exit}`
}

function outcomeJson(opened: Opened, outcome: RunOutcome): unknown {
  return {
    pipeline: opened.pipeline.name,
    run: outcome.state.run,
    exitCode: outcome.exitCode,
    stages: [...outcome.state.stages.values()].map(
      ({ name, status, key, durationMs, reason, resumedFrom, failure, waitsFor }) => {
        const outputs = outcome.results.get(name)?.outputs ?? {}
        return { name, status, key, durationMs, reason, resumedFrom, failure, waitsFor, outputs }
      },
    ),
    metrics: Object.fromEntries(
      metricsColumns(opened, outcome).map(({ stage, metrics }) => [stage, metrics]),
    ),
    gates: Object.fromEntries(outcome.verdicts),
  }
}
