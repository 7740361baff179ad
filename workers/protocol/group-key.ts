/** What makes two prompts one question: workers divide by it, and the engine looks for leaks with it. */

/**
 * What a prompt is grouped by when data is split: without case, width, punctuation or space. It is coarse on purpose:
 * two prompts wrongly in one group cost nothing, one prompt in two splits is a leak.
 */
export function groupKey(prompt: string): string {
  const folded = prompt.normalize('NFKC').toLowerCase()
  const key = folded.replace(/[\p{P}\s]/gu, '')
  return key === '' ? folded.trim() : key
}
