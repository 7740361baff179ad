/** ROUGE-L: how much of output and reference is one common subsequence of tokens, as an F1 value. */

/** Part of the signature: one token per CJK character, one per run of ASCII letters and digits, lower case. */
export const ROUGE_L_SIGNATURE = 'tok:cjkchar|case:lower|stem:no|beta:1|agg:mean'

const TOKEN =
  /[a-z0-9]+|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}]/gu

/**
 * The tokens that ROUGE-L compares. On English text they are those of the `rouge_score` package without
 * stemming; that package drops all Chinese text, which would make every Chinese score 0.
 */
export function rougeTokens(text: string): readonly string[] {
  return text.toLowerCase().match(TOKEN) ?? []
}

/** Length of the longest common subsequence. Time a·b, memory b. */
export function commonSubsequence(a: readonly string[], b: readonly string[]): number {
  const best = new Uint32Array(b.length + 1)
  for (const token of a) {
    let diagonal = 0
    for (let column = 1; column <= b.length; column++) {
      const above = best[column]!
      best[column] = b[column - 1] === token ? diagonal + 1 : Math.max(above, best[column - 1]!)
      diagonal = above
    }
  }
  return best[b.length]!
}

/** ROUGE-L F1 of one row, 0..1. Without tokens on either side it is 0. */
export function rougeL(output: string, reference: string): number {
  const ours = rougeTokens(output)
  const theirs = rougeTokens(reference)
  if (ours.length === 0 || theirs.length === 0) return 0
  // 2PR/(P+R) with P = common/ours and R = common/theirs, without the division by zero.
  return (2 * commonSubsequence(ours, theirs)) / (ours.length + theirs.length)
}
