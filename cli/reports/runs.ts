/** Earlier runs as a table: when, what came of them, what was set differently, what was measured. */
import type { Json, MetricSchema } from '../../dsl/stage-signature.ts'
import type { PastRun } from '../../engine/lock/of-run.ts'
import { valueText } from './diff.ts'
import type { Paint } from './style.ts'
import { duration, number, width } from './style.ts'

export interface RunRow {
  readonly run: PastRun
  /** `main@4c2d1e0` for the run that is main now. */
  readonly main: string | null
}

/** `sluice runs`. */
export function runsText(rows: readonly RunRow[], now: Date, paint: Paint): string {
  if (rows.length === 0) return 'no run yet: sluice run'
  const body = rows.map(({ run, main }) => [
    run.run,
    whenText(run.startedAt, now),
    gateText(run, paint),
    run.exitCode === null ? 'not finished' : `exit ${String(run.exitCode)}`,
    `${String(run.ran)} ran, ${String(run.cached)} cached`,
    run.durationMs === null ? '' : duration(run.durationMs),
    main ?? '',
  ])
  return tableText(['run', 'when', 'gate', 'exit', 'stages', 'took', 'main?'], body, paint)
}

export interface MetricsTable {
  readonly rows: readonly RunRow[]
  /** Settings that are not the same in all runs: `lora-train.lr`. */
  readonly settings: readonly string[]
  /** Measured by the judged stage. */
  readonly metrics: readonly { readonly name: string; readonly direction: MetricSchema['direction'] }[]
  readonly judged: string
}

/** `sluice metrics --all`. */
export function metricsTableText(table: MetricsTable, now: Date, paint: Paint): string {
  if (table.rows.length === 0) return 'no run has measured anything yet: sluice run'
  const head = [
    'run',
    'when',
    'gate',
    ...table.settings.map((name) => shortName(name, table.settings)),
    ...table.metrics.map(({ name, direction }) => `${name}${direction === 'lower' ? '↓' : '↑'}`),
    'main?',
  ]
  const body = table.rows.map(({ run, main }) => [
    run.run.split('-').at(-1) ?? run.run,
    whenText(run.startedAt, now),
    gateText(run, paint),
    ...table.settings.map((name) => valueText(settingIn(run, name))),
    ...table.metrics.map(({ name }) => scoreText(run.lock['scores']?.[table.judged]?.[name])),
    main ?? '',
  ])
  return tableText(head, body, paint)
}

/** `lr` where no other column is called so. */
function shortName(name: string, all: readonly string[]): string {
  const last = name.split('.').at(-1) ?? name
  return all.filter((other) => other.endsWith(`.${last}`)).length > 1 ? name : last
}

export function settingIn({ lock }: PastRun, name: string): Json | null {
  const at = name.lastIndexOf('.')
  return lock['stages']?.[name.slice(0, at)]?.[`with.${name.slice(at + 1)}`] ?? null
}

function scoreText(value: Json | undefined): string {
  return number(typeof value === 'number' ? value : null)
}

function gateText({ lock }: PastRun, paint: Paint): string {
  const verdicts = Object.values(lock['gates'] ?? {}).map(({ verdict }) =>
    typeof verdict === 'string' ? verdict : '',
  )
  if (verdicts.includes('fail')) return paint('red', 'FAIL')
  if (verdicts.includes('undecided')) return paint('yellow', 'UNDECIDED')
  return verdicts.length === 0 ? '–' : paint('green', 'pass')
}

const MINUTE_MS = 60_000

/** `now`, `12 min ago`, `3 h ago`, `6 d ago`. */
export function whenText(startedAt: string, now: Date): string {
  const minutes = Math.floor((now.getTime() - Date.parse(startedAt)) / MINUTE_MS)
  if (minutes < 1) return 'now'
  if (minutes < 60) return `${String(minutes)} min ago`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${String(hours)} h ago` : `${String(Math.floor(hours / 24))} d ago`
}

function tableText(head: readonly string[], rows: readonly (readonly string[])[], paint: Paint): string {
  const bare = (text: string) => text.replaceAll(/\u001b\[\d+m/g, '')
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => width(bare(row[i] ?? '')))))
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, i) => cell + ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(bare(cell))))).join('   ')}`.trimEnd()
  return [paint('bold', line(head)), ...rows.map(line)].join('\n')
}
