/** Progress, rates and summaries as short texts. */
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { Progress } from '../../engine/run/state.ts'
import { bytes, number } from './style.ts'

/** Milliseconds left at the pace so far; null until there is a pace. */
export function timeLeft(progress: Progress | null, now: number): number | null {
  if (progress === null || progress.done <= progress.first || progress.done >= progress.total) return null
  return ((now - progress.since) / (progress.done - progress.first)) * (progress.total - progress.done)
}

const BLOCKS = '▁▂▃▄▅▆▇█'

/** The last values as a small curve, newest right. */
export function sparkline(values: readonly number[], columns: number): string {
  if (values.length === 0) return ''
  const step = Math.max(1, values.length / columns)
  const picked = Array.from(
    { length: Math.min(columns, values.length) },
    (_, i) => values[Math.floor(i * step)] ?? 0,
  )
  const low = Math.min(...picked)
  const span = Math.max(...picked) - low || 1
  return picked
    .map((value) => BLOCKS[Math.round(((value - low) / span) * (BLOCKS.length - 1))] ?? ' ')
    .join('')
}

export function bar(share: number, columns: number): string {
  const full = Math.round(Math.max(0, Math.min(1, share)) * columns)
  return '█'.repeat(full) + '░'.repeat(columns - full)
}

/** What an export wrote: `dist/support, 5 files, 7.8 MB`. */
export function exportText({ to, files, bytes: size }: JsonObject): string {
  const folder = typeof to === 'string' ? to : ''
  return `${folder}, ${String(Number(files))} files, ${bytes(Number(size))}`
}

/** The plain facts of a summary: numbers and short texts, as `rows 840, loss 0.12`. */
export function summaryText(summary: JsonObject): string {
  const facts = Object.entries(summary).flatMap(([name, value]) => {
    if (typeof value === 'number') return [`${name.replaceAll('_', ' ')} ${number(value)}`]
    return typeof value === 'string' && value.length <= 24 ? [`${name.replaceAll('_', ' ')} ${value}`] : []
  })
  return facts.slice(0, 8).join(', ')
}
