/** Progress on a terminal: a pure drawing of the state, and a thin writer that redraws it in place. */
import type { RunState, StageState } from '../../engine/run/state.ts'
import { baseOf, groupsOf } from './crowd.ts'
import { bar, exportText, sparkline, summaryText, timeLeft } from './progress.ts'
import { bytes, duration, number, pad, painter, width } from './style.ts'
import type { Paint } from './style.ts'

const REDRAW_MS = 120

/** The lines of the live block, none wider than `columns`. */
export function draw(state: RunState, columns: number, now: number, paint: Paint): readonly string[] {
  const elapsed = state.startedAt === null ? '' : duration(now - state.startedAt)
  const head = `${state.pipeline ?? ''}  run ${state.run ?? ''}  ${elapsed}`
  const waits = `waiting to show the outputs, for ${state.holder ?? ''}`
  const lines = [paint('dim', cut(state.holder === null ? head : waits, columns))]
  // A line that wraps would be counted as one and never be erased.
  const groups = groupsOf([...state.stages.values()], ({ name }) => baseOf(name))
  const nameOf = ([{ name }, ...others]: (typeof groups)[number]) => (others.length > 0 ? baseOf(name) : name)
  const widest = Math.max(0, ...groups.map((group) => width(nameOf(group))))
  const wide = Math.min(widest, Math.floor(columns / 2)) + 2
  for (const group of groups) {
    const [stage] = group
    const detail = group.length > 1 ? crowdText(group) : detailOf(stage, now)
    const mark = group.length > 1 ? crowdMark(group, paint) : markOf(stage, paint)
    lines.push(
      `  ${mark} ${pad(cut(nameOf(group), wide - 2), wide)}${cut(oneLine(detail), columns - wide - 5)}`,
    )
    if (group.length > 1)
      for (const busy of group.filter(({ status }) => status === 'running').slice(0, SHOWN_OF_CROWD))
        lines.push(`      ${cut(`${busy.name}  ${oneLine(detailOf(busy, now))}`, columns - 7)}`)
  }
  return lines
}

/** Running instances of a crowd that get a line of their own. */
const SHOWN_OF_CROWD = 4

/** `3 of 8 done, 2 cached, 1 running, 1 failed`. */
function crowdText(group: readonly StageState[]): string {
  const count = (status: StageState['status']) => group.filter((each) => each.status === status).length
  const pulling = group.filter((each) => each.status === 'waiting' && each.pulling !== null).length
  const counts = [
    ...(['done', 'cached', 'running', 'paused', 'failed', 'skipped'] as const).map(
      (status) => [status, count(status)] as const,
    ),
    ['pulling', pulling],
    ['waiting', count('waiting') - pulling],
  ] as const
  const parts = counts.flatMap(([word, many]) => (many === 0 ? [] : [`${String(many)} ${word}`]))
  return `${String(group.length)} instances: ${parts.join(', ')}`
}

function crowdMark(group: readonly StageState[], paint: Paint): string {
  const has = (status: StageState['status']) => group.some((each) => each.status === status)
  if (has('failed')) return paint('red', '✗')
  if (has('running')) return paint('cyan', '▶')
  if (has('paused')) return paint('yellow', '‖')
  return has('waiting') ? paint('dim', '○') : paint('green', '✓')
}

function markOf(stage: StageState, paint: Paint): string {
  switch (stage.status) {
    case 'waiting':
      return stage.pulling === null ? paint('dim', '○') : paint('cyan', '↓')
    case 'running':
      return paint('cyan', '▶')
    case 'cached':
    case 'done':
    case 'chosen':
    case 'exported':
      return paint('green', '✓')
    case 'paused':
      return paint('yellow', '‖')
    case 'failed':
      return paint('red', '✗')
    case 'skipped':
      return paint('dim', '–')
    case 'judged':
      return stage.verdict?.verdict === 'pass' ? paint('green', '✓') : paint('red', '✗')
  }
}

function detailOf(stage: StageState, now: number): string {
  switch (stage.status) {
    case 'waiting':
      if (stage.pulling !== null) return `pulls ${bytes(stage.pulling)} that others have made`
      return stage.holder === null ? '' : `waits: the same is being made by ${stage.holder}`
    case 'cached':
      return `cached${stage.from === null ? '' : `  ${stage.from}`}`
    case 'done':
      return `${duration(stage.durationMs ?? 0)}${resumedText(stage)}  ${summaryText(stage.summary)}`
    case 'chosen':
      return `chose ${typeof stage.summary['chosen'] === 'string' ? stage.summary['chosen'] : ''}`
    case 'exported':
      return exportText(stage.summary)
    case 'paused':
      return `waits for people: ${stage.waitsFor ?? ''}`
    case 'failed':
      return stage.failure?.message ?? 'failed'
    case 'skipped':
      return stage.skippedBecause ?? 'skipped'
    case 'judged':
      return (stage.verdict?.verdict ?? '').toUpperCase()
    case 'running':
      return runningText(stage, now)
  }
}

function runningText(stage: StageState, now: number): string {
  const progress = stage.progress
  if (progress === null) return stage.startedAt === null ? '' : duration(now - stage.startedAt)
  const { op, done, total, unit, values } = progress
  const share = total === 0 ? 0 : done / total
  const loss =
    values['loss'] === undefined ? '' : `  loss ${number(values['loss'])} ${sparkline(stage.losses, 8)}`
  const rate =
    values['tokensPerSecond'] === undefined
      ? ''
      : `  ${String(Math.round(values['tokensPerSecond'] ?? 0))} tok/s`
  const left = timeLeft(progress, now)
  const remaining = left === null ? '' : `  left ${duration(left)}`
  return `${op}  ${bar(share, 16)} ${String(done)}/${String(total)} ${unit}${resumedText(stage)}${loss}${rate}${remaining}`
}

function resumedText({ resumedFrom }: StageState): string {
  return resumedFrom === null ? '' : ` (resumed at ${String(resumedFrom)})`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ')
}

function cut(text: string, columns: number): string {
  if (width(text) <= columns) return text
  let kept = ''
  for (const character of text) {
    if (width(kept) + width(character) > columns - 1) break
    kept += character
  }
  return `${kept}…`
}

export class LiveReport {
  readonly #stream: NodeJS.WriteStream
  readonly #paint: Paint
  #state: RunState | null = null
  #drawn = 0
  #timer: NodeJS.Timeout | null = null

  constructor(stream: NodeJS.WriteStream, color: boolean) {
    this.#stream = stream
    this.#paint = painter(color)
  }

  take(state: RunState): void {
    this.#state = state
    this.#timer ??= setInterval(() => this.#redraw(), REDRAW_MS)
  }

  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#redraw()
  }

  #redraw(): void {
    if (this.#state === null) return
    const columns = Math.max(40, this.#stream.columns)
    const lines = draw(this.#state, columns, Date.now(), this.#paint)
    const up = this.#drawn === 0 ? '' : `\u001b[${String(this.#drawn)}A`
    this.#stream.write(`${up}${lines.map((line) => `\u001b[2K${line}`).join('\n')}\n\u001b[J`)
    this.#drawn = lines.length
  }
}
