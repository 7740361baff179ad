/** Corpus and sentence BLEU from per-row statistics, equal to sacreBLEU 2.6.0 with one reference and `exp` smoothing. */
import { bleuTokens, type BleuTokenizer } from './bleu-tokenizers.ts'

const ORDERS = 4

/**
 * Ten whole numbers of one row, or their sums: output length, reference length (tokens), clipped matches of
 * 1..4-grams, n-grams of the output for n = 1..4. Rows are summed before any division; that is what makes
 * corpus BLEU, and what lets a bootstrap resample rows without tokenising again.
 */
export type BleuStats = readonly number[]

export const BLEU_COLUMNS = 2 + 2 * ORDERS

function countNgrams(tokens: readonly string[], order: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (let start = 0; start + order <= tokens.length; start++) {
    // Tokens hold no blanks, so a blank between them keeps n-grams apart.
    const gram = order === 1 ? tokens[start]! : tokens.slice(start, start + order).join(' ')
    counts.set(gram, (counts.get(gram) ?? 0) + 1)
  }
  return counts
}

/** The statistics of one output against its only reference. */
export function bleuStats(output: string, reference: string, tokenizer: BleuTokenizer): BleuStats {
  const ours = bleuTokens(tokenizer, output)
  const theirs = bleuTokens(tokenizer, reference)
  const matches: number[] = []
  const totals: number[] = []
  for (let order = 1; order <= ORDERS; order++) {
    const wanted = countNgrams(theirs, order)
    let matched = 0
    for (const [gram, count] of countNgrams(ours, order)) matched += Math.min(count, wanted.get(gram) ?? 0)
    matches.push(matched)
    totals.push(Math.max(0, ours.length - order + 1))
  }
  return [ours.length, theirs.length, ...matches, ...totals]
}

/** Column sums of rows of statistics; no rows give zeros. */
export function sumBleuStats(rows: readonly BleuStats[]): BleuStats {
  const sums = new Array<number>(BLEU_COLUMNS).fill(0)
  for (const row of rows) for (let column = 0; column < BLEU_COLUMNS; column++) sums[column]! += row[column]!
  return sums
}

function score(sums: ArrayLike<number>, effectiveOrder: boolean): number {
  const outputLength = sums[0]!
  const referenceLength = sums[1]!
  let anyMatch = 0
  for (let order = 0; order < ORDERS; order++) anyMatch += sums[2 + order]!
  if (anyMatch === 0) return 0
  let smoothing = 1
  let logs = 0
  let orders = 0
  // Not `> 0`: a count that is not a number must show in the result.
  for (; orders < ORDERS && !(sums[2 + ORDERS + orders]! <= 0); orders++) {
    const matched = sums[2 + orders]!
    // Each further order without a match gets half the credit of the one before.
    if (matched === 0) smoothing *= 2
    logs += Math.log((matched === 0 ? 1 / smoothing : matched) / sums[2 + ORDERS + orders]!)
  }
  // An order that the outputs are too short for counts as a precision of zero, unless the caller lets it go.
  if (orders < ORDERS && !effectiveOrder) return 0
  const brevity = outputLength >= referenceLength ? 1 : Math.exp(1 - referenceLength / outputLength)
  return brevity * Math.exp(logs / orders)
}

/** Corpus BLEU of summed statistics, 0..1 (sacreBLEU's value divided by 100). No match at all gives 0. */
export function bleuOfSums(sums: ArrayLike<number>): number {
  return score(sums, false)
}

/** Corpus BLEU of rows; no rows give 0. */
export function corpusBleu(rows: readonly BleuStats[]): number {
  return bleuOfSums(sumBleuStats(rows))
}

/** BLEU of one row, 0..1, over the orders that the output is long enough for. For looking at rows, not for gates. */
export function sentenceBleu(row: BleuStats): number {
  return score(row, true)
}

/** What has to be the same for two corpus values to be comparable, in the notation that sacreBLEU made common. */
export function bleuSignature(tokenizer: BleuTokenizer): string {
  return `nrefs:1|case:mixed|eff:no|tok:${tokenizer}|smooth:exp|like:sacrebleu-2.6.0`
}
