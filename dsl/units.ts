/** Numbers with units: fractions, durations in seconds, sizes in bytes, and ranges. */
import type { Dimension } from './expression/syntax.ts'

interface Unit {
  readonly dim: Dimension
  readonly factor: number
}

export const UNITS: Readonly<Record<string, Unit>> = {
  '%': { dim: 'num', factor: 0.01 },
  ms: { dim: 's', factor: 0.001 },
  s: { dim: 's', factor: 1 },
  m: { dim: 's', factor: 60 },
  h: { dim: 's', factor: 3600 },
  d: { dim: 's', factor: 86400 },
  B: { dim: 'B', factor: 1 },
  KB: { dim: 'B', factor: 1e3 },
  MB: { dim: 'B', factor: 1e6 },
  GB: { dim: 'B', factor: 1e9 },
  TB: { dim: 'B', factor: 1e12 },
  KiB: { dim: 'B', factor: 2 ** 10 },
  MiB: { dim: 'B', factor: 2 ** 20 },
  GiB: { dim: 'B', factor: 2 ** 30 },
  TiB: { dim: 'B', factor: 2 ** 40 },
}

/** A number in base units: 0.3 for (30, '%'), without the dust of 30 * 0.01. */
export function inBaseUnits(amount: number, unit: Unit): number {
  if (unit.factor === 0.01) return amount / 100
  if (unit.factor === 0.001) return amount / 1000
  return amount * unit.factor
}

export type Quantity =
  | {
      readonly type: 'quantity'
      readonly value: number
      readonly dim: Dimension
      readonly unit: string | null
    }
  | { readonly type: 'unknown-unit'; readonly unit: string }
  | { readonly type: 'not-a-number' }

/** Reads `80%`, `6h`, `16GB`, `16 GB` or a bare number. */
export function readQuantity(text: string): Quantity {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z%]*)$/.exec(text.trim())
  if (match === null) return { type: 'not-a-number' }
  const amount = Number(match[1])
  const name = match[2] ?? ''
  if (name === '') return { type: 'quantity', value: amount, dim: 'num', unit: null }
  const unit = Object.hasOwn(UNITS, name) ? UNITS[name] : undefined
  if (unit === undefined) return { type: 'unknown-unit', unit: name }
  return { type: 'quantity', value: inBaseUnits(amount, unit), dim: unit.dim, unit: name }
}

/** `20 mb` with the unit as it is written here, `20 MB`; null if it is none in any case. */
export function inRightCase(text: string): string | null {
  const read = readQuantity(text)
  if (read.type !== 'unknown-unit') return null
  const { unit } = read
  const ours = Object.keys(UNITS).find((name) => name.toLowerCase() === unit.toLowerCase())
  return ours === undefined ? null : text.replace(unit, ours)
}

/** Reads `1e-6..1e-2`; null if the text is not a range or runs backwards. */
export function readRange(text: string): { readonly low: number; readonly high: number } | null {
  const [low, high, ...rest] = text.split('..')
  if (low === undefined || high === undefined || rest.length > 0) return null
  const a = readQuantity(low)
  const b = readQuantity(high)
  if (a.type !== 'quantity' || b.type !== 'quantity' || a.value > b.value) return null
  return { low: a.value, high: b.value }
}
