/** `sluice export`: hands out by hand what an `export` stage would, if the gates let it pass. */
import { join, relative, resolve } from 'node:path'
import { didYouMean } from '../../dsl/spelling.ts'
import { exportFolder } from '../../dsl/export-folder.ts'
import type { Reference, Stage } from '../../dsl/pipeline.ts'
import { handOut } from '../../engine/export/hand-out.ts'
import { gatesBefore, storyOf } from '../../engine/export/story.ts'
import type { Format } from '../../engine/export/story.ts'
import { rightOf } from '../../engine/run/export.ts'
import { gateCalled } from '../../engine/run/fate.ts'
import { ownerWords } from '../../engine/run/owner.ts'
import { visit } from '../../engine/run/visit.ts'
import type { Result } from '../../engine/store/results.ts'
import { judgeNow, upToDate } from '../judging.ts'
import type { Judged, JudgedGate } from '../judging.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { oneStage, openPipeline, stringFlag } from '../project.ts'
import type { Opened } from '../project.ts'
import { exportText } from '../reports/progress.ts'
import { nextSteps } from './gate.ts'

/** Exit code, as after a run that a gate failed. */
const NOT_PASSED = 3
const FORMATS: readonly Format[] = ['adapter', 'merged', 'card']

export async function exportCommand(command: Command, buildDir: string): Promise<number> {
  const [name, ...rest] = command.args
  if (rest.length > 0) throw new Usage('export takes one stage\n  help: sluice export --help', true)
  const opened = await openPipeline(command, buildDir)
  const wanted = wantedOf(opened, name ?? null, formatOf(command))
  const { gates, results, help } = await judgedBefore(opened, wanted.stage)
  for (const each of wanted.from) if (each.type === 'stage') demandResult(each.stage, results)
  const against = reasonAgainst(gates)
  if (against !== null && command.flags['anyway'] !== true) {
    const ways = [...help, 'sluice gate shows all checks; --anyway exports it and says so in the card']
    process.stderr.write(`nothing is exported: ${against}\n${ways.map((way) => `  help: ${way}\n`).join('')}`)
    return NOT_PASSED
  }
  const archive = {
    ...opened,
    blobs: opened.stores.blobs,
    resultOf: (stage: string) => results.get(stage) ?? null,
    verdictOf: (gate: string) => gates.find(({ stage }) => stage.name === gate)?.verdict ?? null,
  }
  const story = storyOf({ ...wanted, gates: gates.map(({ stage }) => stage) }, archive, against)
  const to = folderFor(command, opened, wanted.stage)
  const placed = await underRight(opened, to, () => handOut(story, to, opened.stores.blobs))
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

function demandResult(stage: string, results: ReadonlyMap<string, Result>): void {
  if (!results.has(stage))
    throw new Usage(`${stage} is not up to date, so there is nothing to export\n  help: sluice run`, true)
}

/** What the gates say of the file and the data as they are now; without a gate, only what is up to date. */
async function judgedBefore(
  opened: Opened,
  stage: Stage | null,
): Promise<Pick<Judged, 'gates' | 'results'> & { readonly help: readonly string[] }> {
  const { pipeline } = opened
  const before =
    stage === null ? pipeline.stages.filter(({ gate }) => gate !== null) : gatesBefore(stage, pipeline)
  if (before.length === 0) return { gates: [], results: upToDate(opened), help: [] }
  const judged = await judgeNow(opened)
  const gates = judged.gates.filter((each) => before.includes(each.stage))
  return { gates, results: judged.results, help: nextSteps(judged) }
}

/** Why this should not be exported; null if every gate lets it pass. */
function reasonAgainst(gates: readonly JudgedGate[]): string | null {
  for (const { stage, verdict } of gates) {
    if (verdict.verdict === 'pass') continue
    const open = verdict.checks.filter(({ level, outcome }) => level === 'require' && outcome !== 'pass')
    const check = open.find(({ outcome }) => outcome === 'fail') ?? open[0]
    const because =
      check === undefined ? '' : `: ${[check.text, check.reason].filter((each) => each !== null).join(', ')}`
    return `${gateCalled(stage.name)} does not pass (${verdict.verdict})${because}`
  }
  return null
}

function folderFor(command: Command, { root, pipeline }: Opened, stage: Stage | null): string {
  const to = stringFlag(command, 'to')
  if (to !== null) return resolve(stringFlag(command, 'directory') ?? '.', to)
  return join(root, exportFolder(stage?.with['to'], pipeline.name))
}

/** A run may be writing to the same folder. */
function underRight<T>(
  { environment, root, command }: Opened,
  to: string,
  work: () => Promise<T>,
): Promise<T> {
  return visit(environment.stateDir, command, async (rights) => {
    const right = await rights.take(
      rightOf(root, to),
      (holder) => void process.stderr.write(`${ownerWords(holder)} is writing there; waiting\n`),
      new AbortController().signal,
    )
    try {
      return await work()
    } finally {
      right.release()
    }
  })
}
