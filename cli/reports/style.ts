/** Colour, width and numbers as people read them. */
import { styleText } from 'node:util'
import type { Command } from '../options.ts'

export type Paint = (style: Parameters<typeof styleText>[0], text: string) => string

export function useColor(stream: { isTTY?: boolean }, command: Command): boolean {
  const when = command.flags['color']
  if (when === 'always') return true
  if (when === 'never') return false
  const wish = process.env['NO_COLOR']
  return stream.isTTY === true && (wish === undefined || wish === '') && process.env['TERM'] !== 'dumb'
}

export function painter(color: boolean): Paint {
  // Whether to paint is decided already; styleText would look at stdout, whatever the text is for.
  return (style, text) => (color ? styleText(style, text, { validateStream: false }) : text)
}

/** 8.2 s, 3m05s, 1h04m. */
export function duration(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0')
  return minutes < 60
    ? `${String(minutes)}m${two(seconds % 60)}s`
    : `${String(Math.floor(minutes / 60))}h${two(minutes % 60)}m`
}

/** Four significant digits, no exponent for everyday sizes. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return 'missing'
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value)
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2)
  return size >= 100 ? value.toFixed(1) : size >= 10 ? value.toFixed(2) : value.toFixed(3)
}

export function bytes(count: number): string {
  const units = ['B', 'KB', 'MB', 'GB']
  let size = count
  let unit = 0
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit === 0 ? String(size) : size.toFixed(1)} ${units[unit] ?? ''}`
}

/** Columns on a terminal: East Asian wide characters take two. */
export function width(text: string): number {
  let columns = 0
  for (const character of text)
    columns +=
      /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u.test(
        character,
      )
        ? 2
        : 1
  return columns
}

export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - width(text)))
}
