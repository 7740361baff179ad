/** Perplexity and bits per byte of a set of rows, from losses summed over all of them. */

export const PERPLEXITY_SIGNATURE = 'corpus|exp(sum nll / sum tokens)|response tokens + eos'
export const BITS_PER_BYTE_SIGNATURE = 'corpus|sum nll / (sum bytes * ln 2)|response text, UTF-8'

/**
 * Corpus perplexity: every token counts the same. `nll` is the negative log-likelihood in nats of all target tokens.
 * The mean of per-row perplexities, which some tools report, is never smaller on rows of equal length and is ruled by
 * a few outliers. Comparable only under one tokenizer.
 * NaN without tokens or if any loss is NaN; Infinity if the loss is too large to exponentiate.
 */
export function perplexity(nll: number, tokens: number): number {
  return Math.exp(nll / tokens)
}

/** Bits needed per UTF-8 byte of text; comparable between tokenizers. NaN without bytes or if any loss is NaN. */
export function bitsPerByte(nll: number, bytes: number): number {
  return bytes === 0 ? NaN : nll / (bytes * Math.LN2)
}
