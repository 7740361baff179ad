/** Perplexity and bits per byte of a set of rows, from the summed loss of each row. */

export interface LossRow {
  /** Negative log-likelihood in nats, summed over the row's target tokens. */
  readonly nll: number
  /** Number of target tokens. */
  readonly tokens: number
  /** UTF-8 bytes of the text that the target tokens spell. */
  readonly bytes: number
}

export const PERPLEXITY_SIGNATURE = 'corpus|exp(sum nll / sum tokens)|response tokens + eos'
export const BITS_PER_BYTE_SIGNATURE = 'corpus|sum nll / (sum bytes * ln 2)|response text, UTF-8'

function total(rows: readonly LossRow[], field: keyof LossRow): number {
  return rows.reduce((sum, row) => sum + row[field], 0)
}

/**
 * Corpus perplexity: every token counts the same. The mean of per-row perplexities, which some tools report, is
 * never smaller on rows of equal length and is ruled by a few outliers. Comparable only under one tokenizer.
 * NaN without tokens or if any loss is NaN; Infinity if the loss is too large to exponentiate.
 */
export function perplexity(rows: readonly LossRow[]): number {
  return Math.exp(total(rows, 'nll') / total(rows, 'tokens'))
}

/** Bits needed per byte of text; comparable between tokenizers. NaN without bytes or if any loss is NaN. */
export function bitsPerByte(rows: readonly LossRow[]): number {
  const bytes = total(rows, 'bytes')
  return bytes === 0 ? NaN : total(rows, 'nll') / (bytes * Math.LN2)
}
