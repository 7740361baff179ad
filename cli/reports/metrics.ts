/** Measured values side by side: one row a metric, one column a stage, one table for each set of rows. */
import type { MetricsFile } from '../../engine/run/gate.ts'
import type { Paint } from './style.ts'
import { number, pad, width } from './style.ts'

export interface MetricsColumn {
  readonly stage: string
  readonly metrics: MetricsFile
}

/** Stages that measured on other rows stand in a table of their own, because their values are not to be compared. */
export function metricsText(columns: readonly MetricsColumn[], paint: Paint): string {
  const byRows = new Map<string, MetricsColumn[]>()
  for (const column of columns) {
    const { split, rows } = column.metrics
    const about = `${split}, ${String(rows)} rows`
    byRows.set(about, [...(byRows.get(about) ?? []), column])
  }
  return [...byRows].map(([about, group]) => tableText(about, group, paint)).join('\n\n')
}

function tableText(about: string, columns: readonly MetricsColumn[], paint: Paint): string {
  const names = [...new Set(columns.flatMap(({ metrics }) => Object.keys(metrics.metrics)))]
  const rows = names.map((name) => {
    const direction = columns
      .map(({ metrics }) => metrics.metrics[name]?.direction)
      .find((d) => d !== undefined)
    const label = `${name} ${direction === 'lower' ? '↓' : '↑'}`
    return [label, ...columns.map(({ metrics }) => number(metrics.metrics[name]?.value ?? null))]
  })
  const head = ['', ...columns.map(({ stage }) => stage)]
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => width(row[i] ?? ''))))
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? pad(cell, widths[i] ?? 0) : cell.padStart((widths[i] ?? 0) + 3))).join('')
  return [
    `  ${paint('bold', line(head))}  ${paint('dim', about)}`,
    ...rows.map((row) => `  ${line(row)}`),
  ].join('\n')
}
