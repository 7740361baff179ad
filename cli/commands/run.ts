/** `sluice run`: plan, run what changed, judge, sum up. */
import { didYouMean } from '../../dsl/spelling.ts'
import { run } from '../../engine/run/run.ts'
import type { RunOutcome } from '../../engine/run/run.ts'
import { metricsPort, readMetrics } from '../../engine/run/gate.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { checkStages, listFlag, openPipeline, planOf, stringFlag, yardsticksOf } from '../project.ts'
import type { Opened } from '../project.ts'
import type { Reason } from '../../engine/plan/plan.ts'
import { capacityOf, runFacts } from '../machine.ts'
import { eventsOf, notify } from '../notify.ts'
import { LiveReport } from '../reports/live.ts'
import { metricsText } from '../reports/metrics.ts'
import type { MetricsColumn } from '../reports/metrics.ts'
import { PlainReport } from '../reports/plain.ts'
import { reasonText } from '../reports/plan.ts'
import { duration, painter, useColor } from '../reports/style.ts'
import type { Paint } from '../reports/style.ts'
import { verdictText } from '../reports/verdict.ts'

const HEARTBEAT_MS = 15_000

export async function runCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const smoke = command.flags['smoke'] === true
  const forced = new Set(listFlag(command, 'force'))
  checkStages([...command.args, ...forced], opened.pipeline, didYouMean)
  const events = stringFlag(command, 'events')
  if (events !== null && events !== 'ndjson')
    throw new Usage(`--events knows one form: ndjson, not '${events}'`, true)
  const planned = planOf(opened, forced)
  const reasons = new Map(
    planned.map((entry) => [entry.stage.name, entry.type === 'run' ? runReason(entry.reasons) : '']),
  )
  if (command.flags['locked'] === true)
    checkLocked(
      opened,
      planned.flatMap((entry) => (entry.type === 'run' ? [entry.stage.name] : [])),
    )
  const capacity = capacityOf(opened.pipeline.stages, opened.environment.stateDir)
  const report = reportFor(command, events !== null)
  const stop = new AbortController()
  const interrupt = () => stopOrKill(stop)
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    const outcome = await run({
      ...opened,
      targets: command.args.length === 0 ? null : command.args,
      forced,
      yardsticks: yardsticksOf(opened),
      facts: runFacts(opened.root, smoke, process.env),
      capacity,
      reasonOf: (stage) => reasons.get(stage) ?? '',
      lockPath: opened.overridden ? null : opened.lockPath,
      listener: report.take,
      signal: stop.signal,
    })
    report.end()
    sumUp(opened, outcome, command, events !== null)
    await tellOthers(opened, outcome)
    return outcome.exitCode
  } finally {
    report.end()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

async function tellOthers(opened: Opened, outcome: RunOutcome): Promise<void> {
  const { pipeline } = opened
  if (pipeline.notify.length === 0) return
  const gates = Object.fromEntries([...outcome.verdicts].map(([name, { verdict }]) => [name, verdict]))
  const words = Object.entries(gates).map(([name, verdict]) => `${name} ${verdict}`)
  const text = `${pipeline.name}: ${[`exit code ${String(outcome.exitCode)}`, ...words].join(', ')}`
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
function stopOrKill(stop: AbortController): void {
  if (stop.signal.aborted) process.exit(130)
  process.stderr.write('\nstopping; finished stages stay cached (Ctrl-C again: at once)\n')
  stop.abort(new Error('stopped on request'))
}

function checkLocked(opened: Opened, running: readonly string[]): void {
  if (running.length === 0 && opened.lock !== null) return
  const what =
    opened.lock === null ? 'there is no lock file' : `these stages are not as locked: ${running.join(' ')}`
  throw new Usage(`--locked: ${what}\n  help: sluice plan`, true)
}

function reportFor(
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
    return { take: (state, event) => plain.take(state, event), end: () => undefined }
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

function sumUp(opened: Opened, outcome: RunOutcome, command: Command, quiet: boolean): void {
  if (command.flags['json'] === true) {
    process.stdout.write(`${JSON.stringify(outcomeJson(opened, outcome), null, 2)}\n`)
    return
  }
  if (quiet) return
  const paint = painter(useColor(process.stdout, command))
  const failures = [...outcome.state.stages.values()].filter(
    ({ failure }) => failure !== null && failure.cause !== 'cancelled',
  )
  for (const { name, failure } of failures) {
    const log = failure?.log == null ? '' : `\n  log: ${failure.log} (sluice logs ${name})`
    const help = failure?.help == null ? '' : `\n  help: ${failure.help}`
    process.stderr.write(
      `\n${painter(useColor(process.stderr, command))('red', `${name} failed`)}: ${failure?.message ?? ''}${help}${log}\n`,
    )
  }
  const columns = metricsColumns(opened, outcome)
  const parts: string[] = []
  if (columns.length > 0) parts.push(metricsText(columns, paint))
  for (const stage of opened.pipeline.stages) {
    const verdict = outcome.verdicts.get(stage.name)
    if (verdict !== undefined) parts.push(verdictText(stage, verdict, paint))
  }
  parts.push(...outputLines(opened, outcome, paint), closing(outcome))
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
    ran === 0 && count('cached') > 0 && count('failed') === 0
      ? 'everything cached'
      : `${String(ran)} ran, ${String(count('cached'))} cached`
  const exit = outcome.exitCode === 0 ? '' : `, exit ${String(outcome.exitCode)}`
  return `${words}, ${took}${exit}`
}

function outcomeJson(opened: Opened, outcome: RunOutcome): unknown {
  return {
    pipeline: opened.pipeline.name,
    run: outcome.state.run,
    exitCode: outcome.exitCode,
    stages: [...outcome.state.stages.values()].map(({ name, status, key, durationMs, reason, failure }) => {
      const outputs = outcome.results.get(name)?.outputs ?? {}
      return { name, status, key, durationMs, reason, failure, outputs }
    }),
    metrics: Object.fromEntries(
      metricsColumns(opened, outcome).map(({ stage, metrics }) => [stage, metrics]),
    ),
    gates: Object.fromEntries(outcome.verdicts),
  }
}
