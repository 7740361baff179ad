/** Every metric by name: which way is better, what it needs, and its value from per-row statistics. */
import { bleuSignature, corpusBleu } from './bleu.ts'
import type { BleuTokenizer } from './bleu-tokenizers.ts'
import { EXACT_MATCH_SIGNATURE, meanExactMatch } from './exact-match.ts'
import { NEIGHBOUR_SIGNATURE } from './neighbour.ts'
import {
  BITS_PER_BYTE_SIGNATURE,
  bitsPerByte,
  type LossRow,
  perplexity,
  PERPLEXITY_SIGNATURE,
} from './perplexity.ts'
import { meanRougeL, ROUGE_L_SIGNATURE } from './rouge-l.ts'

export type MetricName =
  'perplexity' | 'bits_per_byte' | 'bleu' | 'rouge_l' | 'exact_match' | 'neighbour_bleu' | 'neighbour_exact'

/** The numbers of one row from which a metric is computed; what they are is `columns` of the metric. */
export type RowStatistics = readonly number[]

export interface Metric {
  readonly direction: 'higher' | 'lower'
  /** Where the statistics come from: the loss of the references, the model's outputs, or training rows alone. */
  readonly from: 'scores' | 'samples' | 'neighbour'
  readonly columns: readonly string[]
  readonly signature: (tokenizer: BleuTokenizer) => string
  /** The metric of these rows, which may be a resample. NaN or Infinity where it is not defined. */
  readonly value: (rows: readonly RowStatistics[]) => number
}

const BLEU_NAMES = ['output_length', 'reference_length']
  .concat([1, 2, 3, 4].map((order) => `matches_${order}`))
  .concat([1, 2, 3, 4].map((order) => `total_${order}`))

const first = (rows: readonly RowStatistics[]) => rows.map((row) => row[0] ?? NaN)
const losses = (rows: readonly RowStatistics[], field: 'tokens' | 'bytes'): readonly LossRow[] =>
  rows.map(([nll, size]) => ({ tokens: 0, bytes: 0, nll: nll ?? NaN, [field]: size ?? NaN }))

export const METRICS: Readonly<Record<MetricName, Metric>> = {
  perplexity: {
    direction: 'lower',
    from: 'scores',
    columns: ['nll', 'tokens'],
    signature: () => PERPLEXITY_SIGNATURE,
    value: (rows) => perplexity(losses(rows, 'tokens')),
  },
  bits_per_byte: {
    direction: 'lower',
    from: 'scores',
    columns: ['nll', 'bytes'],
    signature: () => BITS_PER_BYTE_SIGNATURE,
    value: (rows) => bitsPerByte(losses(rows, 'bytes')),
  },
  bleu: {
    direction: 'higher',
    from: 'samples',
    columns: BLEU_NAMES,
    signature: bleuSignature,
    value: corpusBleu,
  },
  rouge_l: {
    direction: 'higher',
    from: 'samples',
    columns: ['f1'],
    signature: () => ROUGE_L_SIGNATURE,
    value: (rows) => meanRougeL(first(rows)),
  },
  exact_match: {
    direction: 'higher',
    from: 'samples',
    columns: ['match'],
    signature: () => EXACT_MATCH_SIGNATURE,
    value: (rows) => meanExactMatch(first(rows)),
  },
  neighbour_bleu: {
    direction: 'higher',
    from: 'neighbour',
    columns: BLEU_NAMES,
    signature: (tokenizer) => `${bleuSignature(tokenizer)}|by:${NEIGHBOUR_SIGNATURE}`,
    value: corpusBleu,
  },
  neighbour_exact: {
    direction: 'higher',
    from: 'neighbour',
    columns: ['match'],
    signature: () => `${EXACT_MATCH_SIGNATURE}|by:${NEIGHBOUR_SIGNATURE}`,
    value: (rows) => meanExactMatch(first(rows)),
  },
}

export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[]

export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name)
}
