/** A plan in words: which stages will run, and why. */
import { exportFolder } from '../../dsl/export-folder.ts'
import type { Pipeline, Stage } from '../../dsl/pipeline.ts'
import { positionOf } from '../../dsl/source.ts'
import type { Dependence, Outlook } from '../../engine/plan/outlook.ts'
import type { Planned, Reason } from '../../engine/plan/plan.ts'
import { gateCalled } from '../../engine/run/fate.ts'
import type { Result } from '../../engine/store/results.ts'
import { groupsOf } from './crowd.ts'
import type { Paint } from './style.ts'
import { bytes, duration, pad } from './style.ts'

export interface PlanWords {
  /** What would become of a stage. */
  readonly outlookOf: (entry: Planned) => Outlook
  /** How long a stage took last time. */
  readonly lastMs: (stage: string) => number | null
  /** A reason in words. */
  readonly say: (reason: Reason) => string
  readonly paint: Paint
}

export function planText(
  { name: pipeline, description }: Pick<Pipeline, 'name' | 'description'>,
  planned: readonly Planned[],
  { outlookOf, lastMs, say, paint }: PlanWords,
): string {
  const groups = groupsOf(planned, ({ stage }) => stage.base)
  const nameOf = ([{ stage }, ...others]: (typeof groups)[number]) =>
    others.length > 0 ? stage.base : stage.name
  const wide = Math.max(...groups.map((group) => nameOf(group).length)) + 2
  const lines = groups.map((group) => {
    const [entry] = group
    const name = pad(nameOf(group), wide)
    if (group.length > 1) return crowdText(group, name, { outlookOf, say, paint })
    const outlook = outlookOf(entry)
    const open = paint('dim', '○')
    if (outlook.type === 'left-out') return `  ${open} ${name}${paint('dim', `left out: ${outlook.because}`)}`
    if (entry.type === 'cached' && entry.waitsFor !== null)
      return `  ${paint('yellow', '‖')} ${name}waits for people: ${entry.waitsFor}`
    if (entry.type === 'cached') return `  ${paint('green', '✓')} ${name}${paint('dim', 'cached')}`
    if (entry.type === 'pull') return `  ${paint('cyan', '↓')} ${name}${pulledText(entry.bytes)}`
    if (outlook.type === 'depends') {
      const then = entry.type === 'export' ? `: ${exportedText(entry.stage, pipeline)}` : ''
      return `  ${open} ${name}${conditionText(outlook.on)}${then}`
    }
    if (entry.type === 'judge')
      return `  ${paint('cyan', '◆')} ${name}${paint('dim', 'judged on every run')}${verdictText(outlook)}`
    if (entry.type === 'export')
      return `  ${paint('cyan', '○')} ${name}${paint('dim', `will be ${exportedText(entry.stage, pipeline)}`)}`
    if (entry.type === 'choose')
      return `  ${paint('cyan', '◆')} ${name}${paint('dim', chosenText(entry.result))}`
    const [first, ...others] = entry.reasons.map(say)
    const more = others.map((text) => `\n    ${' '.repeat(wide)}     ${text}`)
    return `  ${paint('yellow', '●')} ${name}${paint('bold', 'RUN')}  ${first ?? ''}${more.join('')}`
  })
  const about =
    description === null
      ? []
      : [paint('dim', description.replaceAll(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim())]
  return [`${pipeline}   ${headText(planned, outlookOf, lastMs)}`, ...about, '', ...lines].join('\n')
}

function headText(
  planned: readonly Planned[],
  outlookOf: PlanWords['outlookOf'],
  lastMs: PlanWords['lastMs'],
): string {
  const jobs = planned.filter(({ type }) => type === 'run' || type === 'cached' || type === 'pull')
  const runs = planned.filter(({ type }) => type === 'run')
  const withOutlook = (type: Outlook['type']) => runs.filter((entry) => outlookOf(entry).type === type)
  const [running, open] = [withOutlook('sure'), withOutlook('depends')]
  const may = open.length === 0 ? '' : `${String(open.length)} ${running.length === 0 ? '' : 'more '}may`
  if (running.length > 0) {
    const known = running.map(({ stage }) => lastMs(stage.name)).filter((ms) => ms !== null)
    const sum = known.reduce((total, ms) => total + ms, 0)
    const about = known.length > 0 ? `, about ${duration(sum)} (as last time)` : ''
    const more = may === '' ? '' : `, ${may}`
    return `${String(running.length)} of ${String(jobs.length)} stages will run${more}${about}`
  }
  const shared = planned.some(({ type }) => type === 'pull') ? ', here or in the remote cache' : ''
  const all = runs.length === 0 ? 'everything is cached' : 'everything that has to run is cached'
  const waiting = planned.flatMap((entry) =>
    entry.type === 'cached' && entry.waitsFor !== null ? [entry.stage.name] : [],
  )
  const then = waiting.length === 0 ? 'the gates will be judged' : waitingWords(waiting)
  return `${all}${shared}; ${may === '' ? '' : `${may} run; `}${then}`
}

function waitingWords(stages: readonly string[]): string {
  return `${stages.join(', ')} ${stages.length === 1 ? 'waits' : 'wait'} for people`
}

/** `if the gate passes and run.branch == "main"`. */
function conditionText(on: readonly Dependence[]): string {
  return `if ${on.map(dependenceText).join(' and ')}`
}

export function dependenceText(on: Dependence): string {
  switch (on.type) {
    case 'gate':
      return `${gateCalled(on.gate)} passes`
    case 'people':
      return `people have done their part of ${on.stage}`
    case 'when':
      return on.text
  }
}

const VERDICTS = { pass: 'passes', fail: 'fails', undecided: 'is undecided' } as const

function verdictText(outlook: Outlook): string {
  return outlook.type === 'sure' && outlook.verdict !== null
    ? `; as things stand it ${VERDICTS[outlook.verdict.verdict]}`
    : ''
}

function crowdText(
  group: readonly Planned[],
  name: string,
  { outlookOf, say, paint }: Pick<PlanWords, 'outlookOf' | 'say' | 'paint'>,
): string {
  const left = group.filter((entry) => outlookOf(entry).type === 'left-out')
  const there = group.filter((entry) => !left.includes(entry))
  const runs = there.flatMap((entry) => (entry.type === 'run' ? [entry] : []))
  const running = runs.filter((entry) => outlookOf(entry).type === 'sure')
  const open = runs.filter((entry) => !running.includes(entry))
  const pulled = there.filter(({ type }) => type === 'pull').length
  const cached = there.length - runs.length - pulled
  const conditions = new Set(
    open.flatMap((entry) => {
      const outlook = outlookOf(entry)
      return outlook.type === 'depends' ? [conditionText(outlook.on)] : []
    }),
  )
  const mark =
    running.length > 0 ? paint('yellow', '●') : cached + pulled > 0 ? paint('green', '✓') : paint('dim', '○')
  const counts = [
    ...(running.length > 0 ? [`${String(running.length)} of ${String(group.length)} instances RUN`] : []),
    ...(cached > 0 ? [`${String(cached)} cached`] : []),
    ...(pulled > 0 ? [`${String(pulled)} in the remote cache`] : []),
    ...(open.length > 0 ? [`${String(open.length)} ${[...conditions].join(' or ')}`] : []),
    ...(left.length > 0 ? [`${String(left.length)} left out`] : []),
  ].join(', ')
  const reasons = new Set(running.flatMap(({ reasons: [reason] }) => (reason ? [say(reason)] : [])))
  const [first, ...others] = reasons
  const many = `  for ${String(reasons.size)} reasons: sluice plan --json`
  const why = others.length > 0 ? many : first === undefined ? '' : `  ${first}`
  return `  ${mark} ${name}${counts}${why}`
}

/** `in the remote cache, 7.8 MB to pull`. */
export function pulledText(count: number): string {
  return `in the remote cache${count === 0 ? '' : `, ${bytes(count)} to pull`}`
}

/** Where an export goes. */
function exportedText(stage: Stage, pipeline: string): string {
  return `written to ${exportFolder(stage.with['to'], pipeline)}`
}

export function chosenText(result: Result | null): string {
  const chosen = result?.summary['chosen']
  return typeof chosen === 'string' ? `chooses ${chosen}` : 'chooses when every trial is measured'
}

/** A stage that was stopped on its way is not one that has never run. */
export function resumingText(reason: Reason, step: number): string {
  const why = reason.type === 'never-run' ? 'not finished here yet' : reasonText(reason)
  return `${why}; training goes on from its checkpoint of step ${String(step)}`
}

/** `with.lr  0.0002 → 0.0001   pipelines/x.pipeline.yaml:28`. */
export function reasonText(reason: Reason): string {
  switch (reason.type) {
    case 'never-run':
      return 'never run here'
    case 'forced':
      return `asked for by ${reason.by}`
    case 'lost':
      return `its result is lost: ${reason.what}`
    case 'upstream':
      return `${reason.port} will be made anew by ${reason.stage}; reused if it comes out the same`
    case 'unasked':
      return `${reason.port} is not fetched yet: ${reason.from}`
    case 'changed':
      return changedText(reason)
  }
}

function changedText(reason: Extract<Reason, { type: 'changed' }>): string {
  const { ingredient, before, after, span } = reason
  const [group = '', ...rest] = ingredient.split('.')
  const name = rest.join('.')
  const place =
    span === null ? '' : `   ${span.source.path}:${String(positionOf(span.source, span.start).line)}`
  if (group === 'worker')
    return before === after
      ? `worker ${String(after)} changed: its command, its version or a file that it names`
      : `worker: ${String(before)} → ${String(after)}`
  if (group === 'input') return `the content of ${name} changed (${short(before)} → ${short(after)})`
  if (group === 'op')
    return before === null || after === null ? `its steps changed (${name})` : `the code of ${name} changed`
  if (group === 'runtime') return `${name} changed: ${short(before)} → ${short(after)}`
  if (group === 'version') return `the stage kind's version changed: ${short(before)} → ${short(after)}`
  return `${ingredient}  ${short(before)} → ${short(after)}${place}`
}

function short(value: string | null): string {
  if (value === null) return 'nothing'
  const text = value.startsWith('"sha256:') ? value.slice(8, 16) : value
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
