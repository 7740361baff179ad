/** Two snapshots side by side, and the answers that became better or worse. */
import type { Json } from '../../dsl/stage-signature.ts'
import type { RowChange, RowsCompared } from '../../engine/run/rows.ts'
import type { Comparison, MetricChange } from '../comparison.ts'
import type { Paint } from './style.ts'
import { number, pad, width } from './style.ts'
import { distinctTexts } from './verdict.ts'

export interface Diff {
  readonly before: string
  readonly after: string
  readonly comparison: Comparison
  /** Metric as `stage.metric` -> how often chance alone would show the change. */
  readonly chances: Readonly<Record<string, { readonly p: number; readonly rows: number }>>
  /** The rows of the judged stage, or why there are none. */
  readonly rows: RowsCompared | { readonly missing: string }
}

/** A change that chance shows this often is not called one. */
export const BY_CHANCE = 0.05

export function diffText(diff: Diff, paint: Paint): string {
  const { comparison } = diff
  const lines: (readonly [string, string, string, string])[] = [
    ...comparison.settings.map(
      ({ name, before, after }) => [name, valueText(before), valueText(after), ''] as const,
    ),
    ...comparison.sources.map((name) => [`sources.${name}`, '', 'other content', ''] as const),
    ...comparison.rows.map(
      ({ name, before, after }) =>
        [`${name} rows`, countText(before), countText(after), deltaText(before, after)] as const,
    ),
    ...comparison.code.map((stage) => [`${stage} code`, '', 'differs', ''] as const),
    ...comparison.metrics.map((change) => metricLine(change, diff, paint)),
  ]
  const head = ['', diff.before, diff.after, ''] as const
  const widths = [0, 1, 2].map((i) => Math.max(...[head, ...lines].map((line) => width(line[i] ?? ''))))
  const text = (line: readonly string[]) =>
    `  ${line.map((cell, i) => (i < 3 ? pad(cell, (widths[i] ?? 0) + 3) : cell)).join('')}`.trimEnd()
  const same = lines.length === 0 ? ['  no difference in settings, sources or scores'] : []
  return [paint('bold', text(head)), ...lines.map(text), ...same, '', rowsLine(diff)].join('\n')
}

function metricLine(
  change: MetricChange,
  diff: Diff,
  paint: Paint,
): readonly [string, string, string, string] {
  const { stage, metric, direction, before, after } = change
  const [old, young] =
    before === null || after === null ? [number(before), number(after)] : distinctTexts(before, after)
  const arrow = direction === 'lower' ? '↓' : '↑'
  return [`${stage} ${metric} ${arrow}`, old, young, changeText(change, diff, paint)]
}

/** `worse 4.5 %   p = 0.21 (not distinguishable on 118 rows)`. */
export function changeText(change: MetricChange, { chances }: Pick<Diff, 'chances'>, paint: Paint): string {
  const { before, after, comparable } = change
  if (before === null || after === null) return ''
  if (!comparable) return 'measured by different rulers, not comparable'
  if (change.change === 'same' || change.change === null) return change.change ?? ''
  const share = before === 0 ? '' : ` ${shareText(Math.abs((after - before) / before))}`
  const words = `${paint(change.change === 'better' ? 'green' : 'red', change.change)}${share}`
  const chance = chances[`${change.stage}.${change.metric}`]
  if (chance === undefined) return words
  const doubt = chance.p < BY_CHANCE ? '' : ` (not distinguishable on ${String(chance.rows)} rows)`
  return `${words}   p = ${number(chance.p)}${doubt}`
}

function shareText(share: number): string {
  return `${share >= 0.1 ? (100 * share).toFixed(0) : (100 * share).toPrecision(2)} %`
}

function rowsLine({ rows, before, after }: Diff): string {
  if ('missing' in rows) return `  rows: ${rows.missing}`
  const { worse, better, same } = sorted(rows)
  const left = rows.unpaired === 0 ? '' : ` · ${String(rows.unpaired)} only on one side`
  const counts = `${String(same.length)} same · ${String(better.length)} better · ${String(worse.length)} worse`
  const words = ['sluice diff', wordOf(before), wordOf(after), '--rows worse'].filter((word) => word !== '')
  return `  rows by ${rows.metric}: ${counts}${left}${worse.length > 0 ? `   ${words.join(' ')}` : ''}`
}

/** What the user would type for a column's head. */
function wordOf(name: string): string {
  if (name.startsWith('main')) return 'main'
  return name === 'this file'
    ? ''
    : (/^run (?<id>\S+)$/.exec(name)?.groups?.['id'] ?? name.split(' ')[0] ?? name)
}

export interface Sorted {
  /** The largest loss first. */
  readonly worse: readonly RowChange[]
  /** The largest gain first. */
  readonly better: readonly RowChange[]
  readonly same: readonly RowChange[]
}

/** Differences smaller than this are the dust of floating point. */
const DUST = 1e-9

export function sorted({ rows }: RowsCompared): Sorted {
  const byGain = (a: RowChange, b: RowChange) => b.gain - a.gain || a.row - b.row
  return {
    worse: rows.filter(({ gain }) => gain < -DUST).sort((a, b) => byGain(b, a) || a.row - b.row),
    better: rows.filter(({ gain }) => gain > DUST).sort(byGain),
    same: rows.filter(({ gain }) => Math.abs(gain) <= DUST),
  }
}

/** Each row with its prompt, what was wanted, and both answers one above the other. */
export function answersText(
  rows: readonly RowChange[],
  metric: string,
  names: { readonly before: string; readonly after: string },
  paint: Paint,
): string {
  const wide = Math.max(9, width(names.before), width(names.after)) + 2
  return rows
    .map(({ id, row, before, after, prompt, reference, answers, gain }) => {
      const color = gain > DUST ? 'green' : gain < -DUST ? 'red' : 'dim'
      const [old, young] = distinctTexts(before, after)
      const line = (label: string, text: string | null) =>
        `  ${paint('dim', pad(label, wide))}${oneLine(text ?? 'not in the store of this machine')}`
      return [
        `row ${String(row)}   ${metric} ${paint(color, `${old} → ${young}`)}   ${paint('dim', id.slice(0, 12))}`,
        line('prompt', prompt),
        line('wanted', reference),
        line(names.before, answers.before),
        line(names.after, answers.after),
      ].join('\n')
    })
    .join('\n\n')
}

/** A model may say anything, codes that move the cursor included. */
function oneLine(text: string): string {
  return text === ''
    ? '(nothing)'
    : text.replaceAll('\n', ' ⏎ ').replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '·')
}

export function valueText(value: Json | null): string {
  if (value === null) return '–'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}

function countText(count: number | null): string {
  return count === null ? '–' : String(count)
}

function deltaText(before: number | null, after: number | null): string {
  if (before === null || after === null) return ''
  return after >= before ? `+${String(after - before)}` : `−${String(before - after)}`
}
