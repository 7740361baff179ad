/** Exact match: the share of outputs that equal their reference but for blanks at either end. */

export const EXACT_MATCH_SIGNATURE = 'trim|case:mixed|unicode:as-is'

/** 1 if the trimmed texts are equal, else 0. Nothing else is forgiven: width, case and punctuation count. */
export function exactMatch(output: string, reference: string): 0 | 1 {
  return output.trim() === reference.trim() ? 1 : 0
}
