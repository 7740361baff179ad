/** The ruler of an evaluation: one digest of everything that has to be equal before two scores may be compared. */
import { createHash } from 'node:crypto'
import type { Json, JsonObject } from '../protocol/json.ts'

export interface Ruler {
  readonly split: string
  /** In the order of the split. */
  readonly rows: readonly { readonly id: string; readonly prompt: string; readonly reference: string }[]
  /** Metric -> what it depends on besides the rows. */
  readonly metrics: JsonObject
  readonly decoding: JsonObject
  /** Absent where nothing is sliced, so that rulers from before there were slices stay what they are. */
  readonly slices?: JsonObject
}

/** JSON with sorted keys and no blanks, so that the digest does not depend on the order of writing. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const entries = Object.entries(value as JsonObject).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(',')}}`
}

/**
 * SHA-256 in hex. The model, the adapter and the training rows are not in it: those are what a comparison is
 * about, while another test row, metric setting or decoding length makes it a comparison of different things.
 */
export function rulerDigest(ruler: Ruler): string {
  const rows = ruler.rows.map(({ id, prompt, reference }) => [id, prompt, reference])
  const { split, metrics, decoding, slices } = ruler
  const text = canonical({ split, rows, metrics, decoding, ...(slices === undefined ? {} : { slices }) })
  return createHash('sha256').update(text).digest('hex')
}
