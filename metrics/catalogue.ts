/** Every metric by name: which way is better, what it needs, and its value from per-row statistics. */
import { bleuOfSums, bleuSignature } from './bleu.ts'
import type { BleuTokenizer } from './bleu-tokenizers.ts'
import { EXACT_MATCH_SIGNATURE } from './exact-match.ts'
import { NEIGHBOUR_SIGNATURE } from './neighbour.ts'
import { BITS_PER_BYTE_SIGNATURE, bitsPerByte, perplexity, PERPLEXITY_SIGNATURE } from './perplexity.ts'
import { ROUGE_L_SIGNATURE } from './rouge-l.ts'

export type MetricName =
  'perplexity' | 'bits_per_byte' | 'bleu' | 'rouge_l' | 'exact_match' | 'neighbour_bleu' | 'neighbour_exact'

/** The numbers of one row from which a metric is computed; what they are is `columns` of the metric. */
export type RowStatistics = readonly number[]

/** What can be computed of any set of rows, and so of rows drawn again. */
export interface Summed {
  readonly columns: readonly string[]
  /**
   * The metric of a set of rows, from the sums of their columns and their number. Nothing else of the rows matters,
   * so that slices and resamples need no look at texts. NaN or Infinity where the metric is not defined.
   */
  readonly ofSums: (sums: ArrayLike<number>, rows: number) => number
}

export interface Metric extends Summed {
  readonly direction: 'higher' | 'lower'
  /** Where the statistics come from: the loss of the references, the model's outputs, or training rows alone. */
  readonly from: 'scores' | 'samples' | 'neighbour'
  readonly signature: (tokenizer: BleuTokenizer) => string
}

const BLEU_NAMES = ['output_length', 'reference_length']
  .concat([1, 2, 3, 4].map((order) => `matches_${order}`))
  .concat([1, 2, 3, 4].map((order) => `total_${order}`))

/** The plain mean of the only column. NaN without rows. */
const mean = (sums: ArrayLike<number>, rows: number): number => sums[0]! / rows

export const METRICS: Readonly<Record<MetricName, Metric>> = {
  perplexity: {
    direction: 'lower',
    from: 'scores',
    columns: ['nll', 'tokens'],
    signature: () => PERPLEXITY_SIGNATURE,
    ofSums: (sums) => perplexity(sums[0]!, sums[1]!),
  },
  bits_per_byte: {
    direction: 'lower',
    from: 'scores',
    columns: ['nll', 'bytes'],
    signature: () => BITS_PER_BYTE_SIGNATURE,
    ofSums: (sums) => bitsPerByte(sums[0]!, sums[1]!),
  },
  bleu: {
    direction: 'higher',
    from: 'samples',
    columns: BLEU_NAMES,
    signature: bleuSignature,
    ofSums: bleuOfSums,
  },
  rouge_l: {
    direction: 'higher',
    from: 'samples',
    columns: ['f1'],
    signature: () => ROUGE_L_SIGNATURE,
    ofSums: mean,
  },
  exact_match: {
    direction: 'higher',
    from: 'samples',
    columns: ['match'],
    signature: () => EXACT_MATCH_SIGNATURE,
    ofSums: mean,
  },
  neighbour_bleu: {
    direction: 'higher',
    from: 'neighbour',
    columns: BLEU_NAMES,
    signature: (tokenizer) => `${bleuSignature(tokenizer)}|by:${NEIGHBOUR_SIGNATURE}`,
    ofSums: bleuOfSums,
  },
  neighbour_exact: {
    direction: 'higher',
    from: 'neighbour',
    columns: ['match'],
    signature: () => `${EXACT_MATCH_SIGNATURE}|by:${NEIGHBOUR_SIGNATURE}`,
    ofSums: mean,
  },
}

export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[]

export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name)
}

/** The metric of these rows. A number that is not there, as JSON writes NaN, makes the metric NaN. */
export function valueOf(metric: Summed, rows: readonly RowStatistics[]): number {
  const sums = metric.columns.map((_, column) => rows.reduce((sum, row) => sum + numberAt(row, column), 0))
  return metric.ofSums(sums, rows.length)
}

/** Statistics as they come back from a file: `null` is what JSON makes of NaN, and must not count as zero. */
export function numberAt(row: RowStatistics, column: number): number {
  const value: unknown = row[column]
  return typeof value === 'number' ? value : NaN
}
