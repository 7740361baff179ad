/** Draws the test rows again and again, the same rows for both sides, from the statistics that eval keeps per row. */
import type { Scores } from '../../dsl/judge.ts'
import { resample } from '../../metrics/bootstrap.ts'
import type { Series } from '../../metrics/bootstrap.ts'
import { isMetricName, METRICS } from '../../metrics/catalogue.ts'
import type { RowStatistics, Summed } from '../../metrics/catalogue.ts'
import { isRatingMetric, RATING_METRICS } from '../../metrics/ratings.ts'
import type { Artifact } from '../artifact.ts'
import type { BlobStore } from '../store/blobs.ts'

const DRAWS = 2000
const SEED = 20260101

interface RowsOfMetric {
  readonly ids: readonly string[]
  readonly statistics: readonly RowStatistics[]
}

/** `artifactOf` gives the metrics of a space, or of the judged stage for null; null where there are none. */
export function resampler(
  artifactOf: (space: string | null) => Artifact | null,
  blobs: BlobStore,
): NonNullable<Scores['resample']> {
  return (names) => {
    const sides: (Series & { readonly name: string })[] = []
    let ids: readonly string[] | null = null
    for (const name of names) {
      const [first = '', second] = name.split('.')
      const space = second === undefined ? null : first
      const metric = second ?? first
      const artifact = artifactOf(space)
      const summed = summedBy(metric)
      if (artifact === null || summed === null) continue
      const found = rowsOf(artifact, metric, blobs)
      if (found === null) return { missing: `the rows behind ${name} are not in this store` }
      ids ??= found.ids
      const rows = aligned(found, ids)
      if (rows === null)
        return { missing: `${name} was not measured on the same rows, so they cannot be paired` }
      sides.push({ name, metric: summed, rows })
    }
    if (ids === null || ids.length === 0) return { missing: 'there are no rows to draw' }
    const drawn = resample(sides, { seed: SEED, resamples: DRAWS })
    const values = sides.map(({ name }, index) => [name, drawn[index] ?? new Float64Array()] as const)
    return { rows: ids.length, values: Object.fromEntries(values) }
  }
}

/** Null for what is one number of a run, such as a size. */
function summedBy(metric: string): Summed | null {
  if (isMetricName(metric)) return METRICS[metric]
  return isRatingMetric(metric) ? RATING_METRICS[metric] : null
}

function rowsOf(artifact: Artifact, metric: string, blobs: BlobStore): RowsOfMetric | null {
  const tree = blobs.openTree(artifact.tree)
  const text = 'lost' in tree ? null : blobs.readFile(tree, 'rows.jsonl')
  if (text === null) return null
  const ids: string[] = []
  const statistics: RowStatistics[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    const row = JSON.parse(line) as { id: string; statistics: Readonly<Record<string, RowStatistics>> }
    const numbers = row.statistics[metric]
    if (numbers === undefined) return null
    ids.push(row.id)
    statistics.push(numbers)
  }
  return { ids, statistics }
}

/** The statistics in the order of `ids`; null unless both have exactly the same rows. */
function aligned(
  { ids: mine, statistics }: RowsOfMetric,
  ids: readonly string[],
): readonly RowStatistics[] | null {
  const at = new Map(mine.map((id, row) => [id, row]))
  if (at.size !== ids.length) return null
  const rows = ids.map((id) => statistics[at.get(id) ?? -1])
  return rows.every((row) => row !== undefined) ? rows : null
}
