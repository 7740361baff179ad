/** `sluice export`: hands out by hand what an `export` stage would, if the newest run's gates let it pass. */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { didYouMean } from '../../dsl/spelling.ts'
import type { Verdict } from '../../dsl/judge.ts'
import type { Reference, Stage } from '../../dsl/pipeline.ts'
import { defaultFolder, handOut } from '../../engine/export/hand-out.ts'
import { storyOf } from '../../engine/export/story.ts'
import type { Format } from '../../engine/export/story.ts'
import { readLog, runIds } from '../../engine/run/log.ts'
import { folderOf } from '../../engine/run/export.ts'
import { Presence, VISITOR } from '../../engine/run/presence.ts'
import { Rights } from '../../engine/run/rights.ts'
import type { Result } from '../../engine/store/results.ts'
import { upToDate } from '../judging.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { oneStage, openPipeline, stringFlag } from '../project.ts'
import type { Opened } from '../project.ts'
import { exportText } from '../reports/progress.ts'

/** Exit code, as after a run that a gate failed. */
const NOT_PASSED = 3
const FORMATS: readonly Format[] = ['adapter', 'merged', 'card']

export async function exportCommand(command: Command, buildDir: string): Promise<number> {
  const [name, ...rest] = command.args
  if (rest.length > 0) throw new Usage('export takes one stage\n  help: sluice export --help', true)
  const opened = await openPipeline(command, buildDir)
  const wanted = wantedOf(opened, name ?? null, formatOf(command))
  const results = upToDate(opened)
  const keys = new Map<string, string>()
  for (const each of wanted.from)
    if (each.type === 'stage') keys.set(each.stage, resultAt(each.stage, results).key)
  const passing = lastVerdicts(opened)
  const against = reasonAgainst(opened, passing, keys)
  if (against !== null && command.flags['anyway'] !== true) {
    process.stderr.write(
      `nothing is exported: ${against}\n  help: sluice run; --anyway exports it and says so in the card\n`,
    )
    return NOT_PASSED
  }
  const gates = opened.pipeline.stages.filter(({ gate }) => gate !== null)
  const archive = {
    ...opened,
    blobs: opened.stores.blobs,
    resultOf: (stage: string) => results.get(stage) ?? null,
    verdictOf: (gate: string) => passing?.verdicts.get(gate) ?? null,
  }
  const story = storyOf({ ...wanted, gates }, archive, against)
  const to = folderFor(command, opened, wanted.stage)
  const placed = await underRight(opened, () => handOut(story, to, opened.stores.blobs))
  const shown = relative(process.cwd(), to) || '.'
  if (placed.type === 'refused')
    throw new Usage(`nothing was exported to ${shown}: ${placed.message}\n  help: ${placed.help}`, true)
  if (placed.note !== null) process.stderr.write(`warning: ${placed.note}\n`)
  const { files, bytes } = placed
  const told = exportText({ to: shown, files, bytes })
  process.stdout.write(`${placed.type === 'written' ? 'wrote' : 'nothing to do:'} ${told}\n`)
  if (against !== null) process.stderr.write(`warning: exported anyway, and the card says so: ${against}\n`)
  return 0
}

interface Wanted {
  readonly format: Format
  readonly from: readonly Reference[]
  /** The `export` stage of the file, if it was one. */
  readonly stage: Stage | null
}

function formatOf(command: Command): Format | null {
  const written = stringFlag(command, 'format')
  const format = FORMATS.find((each) => each === written)
  if (written !== null && format === undefined)
    throw new Usage(`--format is one of ${FORMATS.join(', ')}, not '${written}'`, true)
  return format ?? null
}

/** What is to be exported: as an `export` stage of the file says, or what the named stage makes. */
function wantedOf({ pipeline, environment }: Opened, name: string | null, format: Format | null): Wanted {
  const isExport = ({ uses }: Stage) => environment.kinds[uses]?.decides === 'export'
  const exports = pipeline.stages.filter(isExport)
  const stage =
    name !== null ? oneStage(name, pipeline, didYouMean) : exports.length === 1 ? exports[0] : null
  if (stage != null && isExport(stage)) {
    const written = stage.with['format'] as Format
    const from = Object.values(stage.inputs)
    if (format === null || format === written) {
      const port = { adapter: 'adapter', merged: 'model', card: null }[written]
      return {
        format: written,
        from: port === null ? from : [stage.inputs[port]].flatMap((each) => each ?? []),
        stage,
      }
    }
    if (format === 'card') return { format, from, stage }
  }
  const type = format === 'merged' ? 'model' : 'adapter'
  const makers = (stage == null || isExport(stage) ? pipeline.stages : [stage]).flatMap((each) =>
    Object.entries(each.outputs).flatMap(([port, made]): (Reference & { type: 'stage' })[] =>
      // A model of its own that no adapter belongs to is what `merge` makes, or training from nothing.
      made === type && (format !== 'merged' || stage?.name === each.name || each.uses === 'merge')
        ? [{ type: 'stage', stage: each.name, port }]
        : [],
    ),
  )
  const [only, second] = makers
  if (only === undefined)
    throw new Usage(
      format === 'merged'
        ? 'no stage merges the adapter into its model\n  help: put one into flow, and measure what it makes: lora-train -> merge -> eval'
        : `${stage?.name ?? 'this pipeline'} makes no adapter\n  help: sluice graph shows what each stage makes; --format merged for a model`,
      true,
    )
  if (second !== undefined)
    throw new Usage(
      `several stages make one: ${makers.map((each) => each.stage).join(', ')}\n  help: sluice export ${only.stage}`,
      true,
    )
  return { format: format ?? 'adapter', from: [only], stage: stage != null && isExport(stage) ? stage : null }
}

function resultAt(stage: string, results: ReadonlyMap<string, Result>): Result {
  const result = results.get(stage)
  if (result === undefined)
    throw new Usage(`${stage} is not up to date, so there is nothing to export\n  help: sluice run`, true)
  return result
}

interface LastRun {
  readonly run: string
  readonly verdicts: ReadonlyMap<string, Verdict>
  /** Stage -> the key of what it made, found or chose. */
  readonly keys: ReadonlyMap<string, string>
}

/** What the newest run of this pipeline says; null if there was none. */
function lastVerdicts({ environment, pipeline }: Opened): LastRun | null {
  for (const run of [...runIds(environment.stateDir)].reverse()) {
    const events = readLog(join(environment.stateDir, 'runs', run, 'run.jsonl'))
    if (!events.some((event) => event.type === 'run.start' && event.pipeline === pipeline.name)) continue
    const verdicts = new Map<string, Verdict>()
    const keys = new Map<string, string>()
    for (const event of events) {
      if (event.type === 'gate.verdict') verdicts.set(event.stage, event.verdict)
      if (event.type === 'stage.done' || event.type === 'stage.cached' || event.type === 'stage.chosen')
        keys.set(event.stage, event.key)
    }
    return { run, verdicts, keys }
  }
  return null
}

/** Why this should not be exported; null if every gate of the newest run let just this pass. */
function reasonAgainst(
  { pipeline }: Opened,
  last: LastRun | null,
  keys: ReadonlyMap<string, string>,
): string | null {
  if (last === null) return 'this pipeline has not run here yet'
  const run = `run ${last.run.split('-').at(-1) ?? last.run}`
  for (const { name, gate } of pipeline.stages) {
    if (gate === null) continue
    const verdict = last.verdicts.get(name)?.verdict
    if (verdict === undefined) return `the newest run (${run}) did not judge ${name}`
    if (verdict !== 'pass') return `${name} did not pass in the newest run (${run}): ${verdict}`
  }
  for (const [stage, key] of keys)
    if (last.keys.get(stage) !== key) return `the newest run (${run}) judged another result of ${stage}`
  return null
}

function folderFor(command: Command, { root, pipeline }: Opened, stage: Stage | null): string {
  const to = stringFlag(command, 'to')
  if (to !== null) return resolve(stringFlag(command, 'directory') ?? '.', to)
  return join(root, stage === null ? defaultFolder(pipeline.name) : folderOf(stage, pipeline.name))
}

/** A run may be writing to the same folder. */
async function underRight<T>({ environment, pipeline, command }: Opened, work: () => Promise<T>): Promise<T> {
  const visitor = VISITOR + randomUUID().slice(0, 8)
  await using presence = new Presence(environment.stateDir, visitor, command)
  const rights = new Rights(environment.stateDir, presence)
  const right = await rights.take(
    `export-${pipeline.name}`,
    'export',
    () => process.stderr.write('another export is being written; waiting for it\n'),
    new AbortController().signal,
  )
  try {
    return await work()
  } finally {
    right.release()
    rmSync(join(environment.stateDir, 'runs', visitor), { recursive: true, force: true })
  }
}
