/** Two prints of a source -> which files and rows differ. Pure. */
import type { PrintedFile, SourcePrint } from './source-print.ts'

export interface FileChange {
  readonly path: string
  readonly type: 'added' | 'removed' | 'changed'
  /** Null where a side's rows are not known. */
  readonly rows: readonly RowChange[] | null
}

/** Lines count from 1, `before` in the old file, `after` in the new one; a changed row has both. */
export interface RowChange {
  readonly before: number | null
  readonly after: number | null
}

export function sourceChanges(before: SourcePrint, after: SourcePrint): readonly FileChange[] {
  const [old, young] = [before, after].map(({ files }) => new Map(files.map((file) => [file.path, file])))
  const paths = [...new Set([...(old?.keys() ?? []), ...(young?.keys() ?? [])])].sort()
  return paths.flatMap((path) => fileChange(path, old?.get(path), young?.get(path)))
}

function fileChange(
  path: string,
  before: PrintedFile | undefined,
  after: PrintedFile | undefined,
): readonly FileChange[] {
  if (before === undefined) return [{ path, type: 'added', rows: null }]
  if (after === undefined) return [{ path, type: 'removed', rows: null }]
  if (before.digest === after.digest) return []
  const known = before.rows !== undefined && after.rows !== undefined
  return [{ path, type: 'changed', rows: known ? rowChanges(before.rows, after.rows) : null }]
}

/**
 * Rows that both sides have once, in the same order, are anchors; between two anchors what is left on both sides is
 * paired as changed rows, and the rest was added or removed. A moved row shows as removed here and added there.
 */
export function rowChanges(before: readonly string[], after: readonly string[]): readonly RowChange[] {
  const changes: RowChange[] = []
  let [i, j] = [0, 0]
  for (const [a, b] of [...anchors(before, after), [before.length, after.length] as const]) {
    // Equal rows at both ends of the gap are no change, however often they occur elsewhere.
    let [lastA, lastB] = [a, b]
    while (i < lastA && j < lastB && before[i] === after[j]) [i, j] = [i + 1, j + 1]
    while (i < lastA && j < lastB && before[lastA - 1] === after[lastB - 1])
      [lastA, lastB] = [lastA - 1, lastB - 1]
    for (; i < lastA || j < lastB; i++, j++)
      changes.push({ before: i < lastA ? i + 1 : null, after: j < lastB ? j + 1 : null })
    ;[i, j] = [a + 1, b + 1]
  }
  return changes
}

/** The longest rising sequence of rows that occur once on either side (patience diff). */
function anchors(
  before: readonly string[],
  after: readonly string[],
): readonly (readonly [number, number])[] {
  const [old, young] = [onlyOnce(before), onlyOnce(after)]
  const pairs = [...old].flatMap(([mark, a]): [number, number][] => {
    const b = young.get(mark)
    return b === undefined ? [] : [[a, b]]
  })
  const piles: { readonly pair: readonly [number, number]; readonly below: number }[] = []
  const tops: number[] = []
  for (const pair of pairs) {
    let [low, high] = [0, tops.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((piles[tops[middle] ?? 0]?.pair[1] ?? 0) < pair[1]) low = middle + 1
      else high = middle
    }
    piles.push({ pair, below: tops[low - 1] ?? -1 })
    tops[low] = piles.length - 1
  }
  const chain: (readonly [number, number])[] = []
  for (let at = tops.at(-1) ?? -1; at >= 0;) {
    const pile = piles[at]
    if (pile === undefined) break
    chain.push(pile.pair)
    at = pile.below
  }
  return chain.reverse()
}

/** Mark -> its place, of those that occur once; in their order. */
function onlyOnce(marks: readonly string[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>()
  const twice = new Set<string>()
  for (const [at, mark] of marks.entries()) {
    if (places.has(mark)) twice.add(mark)
    places.set(mark, at)
  }
  for (const mark of twice) places.delete(mark)
  return places
}
