/** Slices of an evaluation: the rows of each value of a field, measured apart from the others. */
import type { NeighbourRow } from '../../metrics/neighbour.ts'
import { type MetricName, METRICS, type RowStatistics, valueOf } from '../../metrics/catalogue.ts'
import { JobError } from '../op.ts'
import type { JsonObject } from '../protocol/json.ts'

/** A row of the split, with its values of the sliced fields as text. */
export interface DataRow extends NeighbourRow {
  readonly fields: ReadonlyMap<string, string>
}

/** The values of these fields that a row has; numbers, true and false are sliced by what they look like. */
export function fieldTexts(row: JsonObject, fields: readonly string[]): ReadonlyMap<string, string> {
  const textOf = (value: JsonObject[string] | undefined): string =>
    typeof value === 'string' ? value : JSON.stringify(value)
  return new Map(
    fields.filter((field) => Object.hasOwn(row, field)).map((field) => [field, textOf(row[field])]),
  )
}

/** What rows without the field are counted under. */
const NO_VALUE = '(none)'
/** A field with more values than this is a name rather than a group, and each slice would hold a row or two. */
const MOST_VALUES = 50

/** Field -> value -> the places of its rows in the split, values sorted. */
export type Slices = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>

/** Throws `JobError('input')` for a field that no row has, and for one with too many values. */
export function sliceRows(rows: readonly DataRow[], fields: readonly string[], split: string): Slices {
  const byField = new Map<string, ReadonlyMap<string, readonly number[]>>()
  for (const field of fields) {
    const groups = new Map<string, number[]>()
    for (const [index, row] of rows.entries()) {
      const value = row.fields.get(field) ?? NO_VALUE
      const group = groups.get(value)
      if (group === undefined) groups.set(value, [index])
      else group.push(index)
    }
    const values = new Set(rows.flatMap((row) => row.fields.get(field) ?? [])).size
    if (values === 0) {
      throw new JobError(
        'input',
        `slices: no row of the split \`${split}\` has a field \`${field}\``,
        'Name a field of the data rows whose values are text, numbers, true or false.',
      )
    }
    if (values > MOST_VALUES) {
      throw new JobError(
        'input',
        `slices: \`${field}\` has ${values} values in the split \`${split}\`; at most ${MOST_VALUES} can be told apart`,
        'Slice by a field that puts many rows in one group, such as a topic.',
      )
    }
    byField.set(field, new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1))))
  }
  return byField
}

/** `{section: {sport: {rows, metrics: {bleu: {value, n}}}}}`; a value that is not a finite number is null. */
export function slicesJson(
  slices: Slices,
  byMetric: ReadonlyMap<MetricName, readonly RowStatistics[]>,
): JsonObject {
  const measured = (places: readonly number[]): JsonObject =>
    Object.fromEntries(
      [...byMetric].map(([name, statistics]) => {
        const those = statistics.length === 0 ? [] : places.map((place) => statistics[place]!)
        const value = those.length === 0 ? NaN : valueOf(METRICS[name], those)
        return [name, { value: Number.isFinite(value) ? value : null, n: those.length }]
      }),
    )
  return Object.fromEntries(
    [...slices].map(([field, groups]) => [
      field,
      Object.fromEntries(
        [...groups].map(([value, places]) => [value, { rows: places.length, metrics: measured(places) }]),
      ),
    ]),
  )
}

/** Field -> each row's value, in the order of the split: a row in another slice is another comparison. */
export function sliceRuler(slices: Slices, rows: readonly DataRow[]): JsonObject {
  return Object.fromEntries(
    [...slices.keys()].map((field) => [field, rows.map((row) => row.fields.get(field) ?? null)]),
  )
}
