/** A plan in words: which stages will run, and why. */
import type { Stage } from '../../dsl/pipeline.ts'
import { positionOf } from '../../dsl/source.ts'
import type { Planned, Reason } from '../../engine/plan/plan.ts'
import { folderOf } from '../../engine/run/export.ts'
import type { Result } from '../../engine/store/results.ts'
import { groupsOf } from './crowd.ts'
import type { Paint } from './style.ts'
import { bytes, duration, pad } from './style.ts'

export interface PlanWords {
  /** How long a stage took last time. */
  readonly lastMs: (stage: string) => number | null
  /** A reason in words. */
  readonly say: (reason: Reason) => string
  readonly paint: Paint
}

export function planText(
  pipeline: string,
  planned: readonly Planned[],
  { lastMs, say, paint }: PlanWords,
): string {
  const running = planned.filter((entry) => entry.type === 'run')
  const jobs = planned.filter(({ type }) => type === 'run' || type === 'cached' || type === 'pull')
  const known = running.map(({ stage }) => lastMs(stage.name)).filter((ms) => ms !== null)
  const about =
    known.length > 0 ? `, about ${duration(known.reduce((sum, ms) => sum + ms, 0))} (as last time)` : ''
  const shared = planned.some(({ type }) => type === 'pull') ? ', here or in the remote cache' : ''
  const head =
    running.length === 0
      ? `${pipeline}   everything is cached${shared}; the gates will be judged`
      : `${pipeline}   ${String(running.length)} of ${String(jobs.length)} stages will run${about}`
  const groups = groupsOf(planned, ({ stage }) => stage.base)
  const nameOf = ([{ stage }, ...others]: (typeof groups)[number]) =>
    others.length > 0 ? stage.base : stage.name
  const wide = Math.max(...groups.map((group) => nameOf(group).length)) + 2
  const lines = groups.map((group) => {
    const [entry] = group
    const name = pad(nameOf(group), wide)
    if (group.length > 1) return crowdText(group, name, { say, paint })
    if (entry.type === 'cached' && entry.waitsFor !== null)
      return `  ${paint('yellow', '‖')} ${name}waits for people: ${entry.waitsFor}`
    if (entry.type === 'cached') return `  ${paint('green', '✓')} ${name}${paint('dim', 'cached')}`
    if (entry.type === 'pull') return `  ${paint('cyan', '↓')} ${name}${pulledText(entry.bytes)}`
    if (entry.type === 'judge') return `  ${paint('cyan', '◆')} ${name}${paint('dim', 'judged on every run')}`
    if (entry.type === 'export')
      return `  ${paint('cyan', '○')} ${name}${paint('dim', exportedText(entry.stage, pipeline, planned))}`
    if (entry.type === 'choose')
      return `  ${paint('cyan', '◆')} ${name}${paint('dim', chosenText(entry.result))}`
    const [first, ...others] = entry.reasons.map(say)
    const more = others.map((text) => `\n    ${' '.repeat(wide)}     ${text}`)
    return `  ${paint('yellow', '●')} ${name}${paint('bold', 'RUN')}  ${first ?? ''}${more.join('')}`
  })
  return [head, '', ...lines].join('\n')
}

function crowdText(
  group: readonly Planned[],
  name: string,
  { say, paint }: Pick<PlanWords, 'say' | 'paint'>,
): string {
  const running = group.flatMap((entry) => (entry.type === 'run' ? [entry] : []))
  const pulled = group.filter(({ type }) => type === 'pull').length
  const cached = group.length - running.length - pulled
  const mark = running.length === 0 ? paint('green', '✓') : paint('yellow', '●')
  const counts = [
    ...(running.length > 0 ? [`${String(running.length)} of ${String(group.length)} instances RUN`] : []),
    ...(cached > 0 ? [`${String(cached)} cached`] : []),
    ...(pulled > 0 ? [`${String(pulled)} in the remote cache`] : []),
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

/** Where an export goes, and on what that depends. */
function exportedText(stage: Stage, pipeline: string, planned: readonly Planned[]): string {
  const gated = planned.some((entry) => entry.type === 'judge' && stage.after.includes(entry.stage.name))
  return `${gated ? 'if the gate passes: ' : ''}written to ${folderOf(stage, pipeline)}`
}

export function chosenText(result: Result | null): string {
  const chosen = result?.summary['chosen']
  return typeof chosen === 'string' ? `chooses ${chosen}` : 'chooses when every trial is measured'
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
