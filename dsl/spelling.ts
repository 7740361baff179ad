/** Did-you-mean by optimal string alignment, where a swap of two neighbours (`blue`, `rogue_l`) is one mistake. */

/** Number of insertions, deletions, substitutions and swaps of neighbours between two words. */
export function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0
  for (let i = 1; i <= a.length; i++) {
    rows.push([i])
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, at(i - 2, j - 2) + 1)
      rows[i]?.push(best)
    }
  }
  return at(a.length, b.length)
}

/** The closest candidate, if it is close enough that the user probably meant it. */
export function didYouMean(word: string, candidates: Iterable<string>): string | null {
  if (word.length > 60) return null
  let best: string | null = null
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  const plain = fold(word)
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least && fold(candidate) !== plain) continue
    const d = fold(candidate) === plain ? 0 : distance(word.toLowerCase(), candidate.toLowerCase())
    if (d < least) {
      least = d
      best = candidate
    }
  }
  return best
}

function fold(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '')
}
