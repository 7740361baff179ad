/** `sluice baseline show | set | rescore`: where main's numbers come from, and how to change that in the open. */
import { join, relative } from 'node:path'
import type { Stage } from '../../dsl/pipeline.ts'
import type { Digest } from '../../engine/artifact.ts'
import type { FoundSource } from '../../engine/environment.ts'
import type { Facts, Lock } from '../../engine/lock-file.ts'
import { blessingText, identityOf, stands } from '../../engine/lock/blessing.ts'
import type { Blessing } from '../../engine/lock/blessing.ts'
import { scoreFacts, stageFacts } from '../../engine/lock/facts.ts'
import { pastRuns } from '../../engine/lock/of-run.ts'
import { rescoringOf } from '../../engine/lock/rescore.ts'
import type { Rescoring } from '../../engine/lock/rescore.ts'
import { seenRows } from '../../engine/lock/seen-rows.ts'
import { metricsPort, readMetrics } from '../../engine/run/gate.ts'
import { run } from '../../engine/run/run.ts'
import type { RunOutcome } from '../../engine/run/run.ts'
import { writeAtomic } from '../../engine/store/atomic.ts'
import { blessingPath, findMain, lockIn } from '../baseline.ts'
import type { Main } from '../baseline.ts'
import { fileAt } from '../git.ts'
import { rulersOf, upToDate } from '../judging.ts'
import { machineFor } from '../machine.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { openPipeline, stringFlag } from '../project.ts'
import type { Opened } from '../project.ts'
import { baselineText } from '../reports/baseline.ts'
import type { BaselineFacts, StoredArtifact } from '../reports/baseline.ts'
import { painter, useColor } from '../reports/style.ts'
import { runCalled } from '../snapshot.ts'
import { reportFor } from './run.ts'

export async function baselineCommand(command: Command, buildDir: string): Promise<number> {
  const [action = 'show', ...rest] = command.args
  if (!['show', 'set', 'rescore'].includes(action) || rest.length > 0)
    throw new Usage(
      `baseline knows show, set and rescore, not '${command.args.join(' ')}'\n  help: sluice baseline --help`,
      true,
    )
  const opened = await openPipeline(command, buildDir)
  const judged = judgedStages(opened)
  if (judged.length === 0)
    throw new Usage(`${opened.file} has no gate, so nothing is compared with main`, true)
  const main = await findMain(opened)
  if (action === 'set') return bless(command, opened, main, judged)
  if (action === 'rescore') return rescore(command, opened, main, judged)
  return show(command, opened, main, judged)
}

function judgedStages({ pipeline }: Opened): readonly Stage[] {
  const names = new Set(pipeline.stages.flatMap(({ gate }) => (gate === null ? [] : [gate.judged])))
  return pipeline.stages.filter(({ name }) => names.has(name))
}

function show(command: Command, opened: Opened, main: Main, judged: readonly Stage[]): number {
  const path = relative(opened.root, blessingPath(opened.lockPath))
  const rulers = rulersOf(opened, upToDate(opened))
  const passing = main.git.type === 'passing' ? main.git.passing : null
  const facts: BaselineFacts = {
    pipeline: opened.pipeline.name,
    main,
    blessingPath: path,
    blessingStands: main.blessing !== null && stands(main.blessing, passing?.lock ?? null),
    scores: judged.map(({ name }) => ({
      stage: name,
      facts: main.lock?.['scores']?.[name] ?? null,
      ruler: rulers[name] ?? null,
    })),
    artifacts: main.lock === null ? [] : artifactsOf(main.lock, opened, judged),
    now: new Date(),
  }
  if (command.flags['json'] === true) {
    const { git, blessing, lock, origin } = main
    const found = passing === null ? git : { type: 'passing', ...passing, lock: undefined }
    const json = {
      origin,
      git: found,
      blessing: blessing === null ? null : { ...blessing, lock: undefined, stands: facts.blessingStands },
      scores: lock?.['scores'] ?? null,
    }
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`)
  } else process.stdout.write(`${baselineText(facts, painter(useColor(process.stdout, command)))}\n`)
  return 0
}

/** What main's model consists of, and whether this machine has it. */
function artifactsOf(lock: Lock, opened: Opened, judged: readonly Stage[]): readonly StoredArtifact[] {
  const rescorings = judged.flatMap(({ name }) => {
    const found = rescoringOf({ ...inputsOf(opened), main: lock, judged: name })
    return 'problem' in found ? [] : found.standIns
  })
  return rescorings.map(({ made, tree }) => ({
    made,
    tree,
    here: !('lost' in opened.stores.blobs.openTree(tree)),
  }))
}

function inputsOf({ pipeline, environment, sources }: Opened) {
  return { pipeline, kinds: environment.kinds, sources }
}

/** Declares a run, or an earlier version of the lock, to be main until the default branch moves on. */
function bless(command: Command, opened: Opened, main: Main, judged: readonly Stage[]): number {
  const wanted = stringFlag(command, 'run')
  const revision = stringFlag(command, 'lock')
  if ((wanted === null) === (revision === null))
    throw new Usage('baseline set wants --run ID (or last), or --lock REVISION\n  help: sluice runs', true)
  const found = wanted === null ? lockAt(opened, revision ?? '') : lockOfRun(opened, wanted)
  for (const { name } of judged)
    if (found.lock['scores']?.[name] === undefined)
      throw new Usage(`${found.of} has no scores of ${name}, which the gate judges`, true)
  const blessing: Blessing = {
    how: 'set',
    insteadOf: main.git.type === 'passing' ? identityOf(main.git.passing.lock) : null,
    of: found.of,
    why: stringFlag(command, 'why'),
    lock: found.lock,
  }
  writeBlessing(opened, blessing)
  return 0
}

function lockAt(opened: Opened, revision: string): { readonly of: string; readonly lock: Lock } {
  const path = relative(opened.root, opened.lockPath)
  const version = fileAt(opened.root, revision, path)
  if (version === null)
    throw new Usage(`there is no ${path} in ${revision}\n  help: git log --oneline -- ${path}`, true)
  const lock = lockIn(version.text, path)
  if (lock === null) throw new Usage(`${path} cannot be read in ${revision}`, true)
  return { of: `lock@${version.commit}`, lock }
}

function lockOfRun(opened: Opened, wanted: string): { readonly of: string; readonly lock: Lock } {
  const { stateDir } = opened.environment
  const [newest] = wanted === 'last' ? pastRuns(stateDir, opened.pipeline.name, opened.stores, 1) : []
  const run = newest ?? runCalled(opened, wanted)
  if (run === null)
    throw new Usage(`no run of ${opened.pipeline.name} is called '${wanted}' here\n  help: sluice runs`, true)
  const { lock } = run
  // How it was wired is what the file says now; an earlier wiring is only in the lock of its day.
  return {
    of: `run ${run.run}`,
    lock: {
      ...lock,
      ...(opened.lock === null
        ? {}
        : { wiring: opened.lock['wiring'] ?? {}, sources: opened.lock['sources'] ?? {} }),
    },
  }
}

function writeBlessing(opened: Opened, blessing: Blessing): void {
  const path = blessingPath(opened.lockPath)
  writeAtomic(path, blessingText(blessing))
  const shown = relative(opened.root, path)
  const until =
    blessing.insteadOf === null
      ? 'a run passes on the default branch'
      : 'another run passes on the default branch'
  process.stdout.write(
    `${shown}: main is ${blessing.of}${blessing.how === 'rescored' ? ', measured again' : ''}, until ${until}\nnext: git add ${shown}   (so that the reviewers see it)\n`,
  )
}

/** Measures main's own model by the present eval and the present test rows. */
async function rescore(
  command: Command,
  opened: Opened,
  main: Main,
  judged: readonly Stage[],
): Promise<number> {
  const { lock, origin } = main
  if (lock === null) {
    const { why, help } =
      main.git.type === 'none' ? main.git : { why: 'main has no scores', help: 'sluice baseline show' }
    throw new Usage(`there is nothing to measure again: ${why}\n  help: ${help}`, true)
  }
  const present = rulersOf(opened, upToDate(opened))
  const stages: Record<string, Facts> = { ...lock['stages'] }
  const scores: Record<string, Facts> = {}
  let changed = false
  for (const stage of judged) {
    const { name } = stage
    const before = lock['scores']?.[name]
    if (before !== undefined && present[name] === before['ruler']) {
      process.stdout.write(
        `${name}: ${origin} was measured by the ruler of this file already (${String(before['ruler']).slice(0, 8)})\n`,
      )
      scores[name] = before
      continue
    }
    const rescoring = rescoringOf({ ...inputsOf(opened), main: lock, judged: name })
    if ('problem' in rescoring) throw new Usage(`${name}: ${rescoring.problem}`, true)
    const outcome = await measure(command, opened, main, rescoring, name)
    const result = outcome.results.get(name)
    if (outcome.exitCode !== 0 || result === undefined) return outcome.exitCode === 0 ? 1 : outcome.exitCode
    const port = metricsPort(stage)
    const artifact = port === null ? undefined : result.outputs[port]
    const metrics = artifact === undefined ? null : readMetrics(artifact, opened.stores.blobs)
    if (metrics === null || 'missing' in metrics)
      throw new Error(`bug: ${name} was measured and has no metrics`)
    stages[name] = stageFacts(result)
    scores[name] = scoreFacts(metrics)
    changed = true
    const from = typeof before?.['ruler'] === 'string' ? before['ruler'].slice(0, 8) : 'none'
    process.stdout.write(
      `${name}: ${origin} measured again on ${String(metrics.rows)} rows of ${metrics.split}; ruler ${from} → ${metrics.ruler.slice(0, 8)}\n`,
    )
    if (artifact !== undefined) warnOfSeenRows(opened, lock, rescoring, artifact.tree)
  }
  if (!changed) return 0
  writeBlessing(opened, {
    how: 'rescored',
    insteadOf: main.git.type === 'passing' ? identityOf(main.git.passing.lock) : null,
    of: main.blessing !== null && main.blessing.how === 'rescored' ? main.blessing.of : origin,
    why: null,
    lock: { ...lock, stages, scores },
  })
  return 0
}

/** A new split may put rows into the test that main was trained on; its new score is then too good, which is said. */
function warnOfSeenRows(opened: Opened, lock: Lock, { standIns }: Rescoring, metrics: Digest): void {
  for (const { type, made } of standIns) {
    if (type !== 'adapter') continue
    const trained = lock['stages']?.[made.slice(0, made.lastIndexOf('.'))]
    const rows = seenRows(trained, metrics, opened.stores.blobs)
    if (rows !== null && rows.seen > 0)
      process.stderr.write(
        `warning: main was trained on ${String(rows.seen)} of these ${String(rows.of)} test rows, so its new score flatters it\n  help: keep the test rows apart for good: a data source with splits of its own, or a fixed seed\n`,
      )
  }
}

async function measure(
  command: Command,
  opened: Opened,
  main: Main,
  rescoring: Rescoring,
  judged: string,
): Promise<RunOutcome> {
  const { pipeline } = rescoring
  const sources = { ...opened.sources, ...laidOut(opened, main, rescoring) }
  const report = reportFor(command, false)
  const stop = new AbortController()
  const interrupt = () => stop.abort(new Error('stopped on request'))
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    const outcome = await run({
      ...opened,
      pipeline,
      sources,
      targets: null,
      forced: new Set(),
      onFailure: 'stop',
      yardsticks: () => ({}),
      facts: {},
      ...(await machineFor(pipeline.stages, opened.root, opened.environment.stateDir)),
      lastMs: () => null,
      reasonOf: () => `to measure ${main.origin} by the ruler of this file`,
      remote: null,
      lockPath: null,
      listener: report.take,
      signal: stop.signal,
    })
    report.end()
    const failed =
      outcome.state.stages.get(judged)?.failure ??
      [...outcome.state.stages.values()].find(({ failure }) => failure !== null)?.failure
    if (failed != null)
      process.stderr.write(
        `\n${main.origin} could not be measured: ${failed.message}\n${failed.help === null ? '' : `  help: ${failed.help}\n`}`,
      )
    return outcome
  } finally {
    report.end()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

/** Main's artifacts as folders, which is what a stage reads as a source. */
function laidOut(opened: Opened, main: Main, { standIns }: Rescoring): Readonly<Record<string, FoundSource>> {
  const { blobs } = opened.stores
  const found = standIns.map(({ source, tree: digest, made }): [string, FoundSource] => {
    const tree = blobs.openTree(digest)
    if ('lost' in tree) throw missingArtifact(digest, made, main)
    const dir = join(opened.environment.stateDir, 'baseline', digest.slice('sha256:'.length))
    blobs.show(tree, dir)
    return [source, { digest, dir, files: tree.files.map(({ path }) => path) }]
  })
  return Object.fromEntries(found)
}

function missingArtifact(digest: Digest, made: string, { git, origin }: Main): Usage {
  const stage = made.slice(0, made.lastIndexOf('.'))
  const commit = git.type === 'passing' ? git.passing.commit : 'REVISION'
  return new Usage(
    `${origin} cannot be measured: its ${made} (${digest}) is not in the store of this machine\n` +
      `  help: make it again from its own file:  git switch --detach ${commit} && npx sluice run ${stage} --locked && git switch -\n` +
      `  help: or copy .sluice/cas from the machine that trained it; files are found by their content`,
    true,
  )
}
