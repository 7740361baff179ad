/** Finds texts that are nearly the same: the Jaccard similarity of their trigrams of characters, exact, without all pairs. */
import { groupKey } from '../protocol/group-key.ts'

export interface Candidate {
  readonly text: string
  /** Where it stands in line: a text is never dropped for one of a later rank. */
  readonly rank: number
}

const GRAM = 3
/** 31 bits: what V8 keeps in a Map without a box. */
const HASHES = 2 ** 31
/** Rarity needs to be known roughly only, so grams are counted in so many buckets, whatever the data. */
const BUCKETS = 2 ** 20
/** Counts beyond are all "frequent"; with the hash below them a gram stays an exact double. */
const MOST_COUNTED = 2 ** 20 - 1
/** 55% of 100 is a little more than 55 to a computer. */
const ROUNDING = 1e-9

/**
 * Index of a text -> index of the text that it nearly repeats, which itself stays. Among texts of one rank the longer
 * one stays, of equally long ones the one that sorts first: the order in which they come does not matter.
 *
 * If two sets share `ratio` of their union, then their prefixes, all but the `ratio` most frequent grams of each and k
 * grams more, share at least k. So only texts that meet k times in their rarest grams are compared, gram by gram.
 * Nothing is drawn by chance and nothing is estimated.
 */
export function nearDuplicates(texts: readonly Candidate[], ratio: number): ReadonlyMap<number, number> {
  const keys = texts.map(({ text }) => groupKey(text))
  const hashes = keys.map(gramsOf)
  const counts = new Uint32Array(BUCKETS)
  for (const grams of hashes) for (const gram of grams) counts[gram % BUCKETS]!++
  const sets = hashes.map((grams) => rarestFirst(grams, counts))

  const repeats = new Map<number, number>()
  /** Gram -> texts that stay and have it in their prefix. */
  const postings = new Map<number, number[]>()
  /** Text -> grams of the prefix at hand that its own prefix has. */
  const met = new Uint32Array(texts.length)
  for (const index of inOrder(texts, keys)) {
    const set = sets[index]!
    const prefix = set.subarray(0, set.length - Math.ceil(ratio * set.length - ROUNDING) + meetings(set))
    const others: number[] = []
    for (const gram of prefix)
      for (const other of postings.get(gram % HASHES) ?? []) if (met[other]!++ === 0) others.push(other)
    const found = others.find((other) => {
      const theirs = sets[other]!
      return met[other]! >= Math.min(meetings(set), meetings(theirs)) && isNear(set, theirs, ratio)
    })
    for (const other of others) met[other] = 0
    if (found !== undefined) {
      repeats.set(index, found)
      continue
    }
    for (const gram of prefix) {
      const posting = postings.get(gram % HASHES)
      if (posting === undefined) postings.set(gram % HASHES, [index])
      else posting.push(index)
    }
  }
  return repeats
}

/** How often two texts have to meet: long ones meet by chance. */
function meetings(set: Float64Array): number {
  return 1 + Math.floor(set.length / 32)
}

function inOrder(texts: readonly Candidate[], keys: readonly string[]): readonly number[] {
  const before = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
  return texts
    .map((_, index) => index)
    .sort(
      (a, b) =>
        texts[a]!.rank - texts[b]!.rank ||
        keys[b]!.length - keys[a]!.length ||
        before(keys[a]!, keys[b]!) ||
        before(texts[a]!.text, texts[b]!.text),
    )
}

/** Hashes of a text's trigrams, each once; a text that is shorter is a gram itself. */
function gramsOf(key: string): Uint32Array {
  const characters = Array.from(key, (character) => character.codePointAt(0)!)
  const grams = new Uint32Array(Math.max(1, characters.length - GRAM + 1))
  for (let start = 0; start < grams.length; start++) {
    // FNV-1a over code points, and a last mix so that its low bits are as good as any.
    let hash = 0x811c9dc5
    for (let at = start; at < Math.min(start + GRAM, characters.length); at++)
      hash = Math.imul(hash ^ characters[at]!, 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
    grams[start] = ((hash ^ (hash >>> 13)) >>> 0) % HASHES
  }
  // Sorted and not in a Set: ten times as fast.
  grams.sort()
  let kept = 0
  for (const gram of grams) if (kept === 0 || gram !== grams[kept - 1]) grams[kept++] = gram
  return grams.slice(0, kept)
}

/** Each gram with its frequency in front, sorted: every set is in the same order, and the rare grams come first. */
function rarestFirst(grams: Uint32Array, counts: Uint32Array): Float64Array {
  return Float64Array.from(
    grams,
    (gram) => Math.min(counts[gram % BUCKETS]!, MOST_COUNTED) * HASHES + gram,
  ).sort()
}

/** Both in the same order, so most pairs that are not near show it within their first few grams. */
function isNear(a: Float64Array, b: Float64Array, ratio: number): boolean {
  const both = a.length + b.length
  const needed = Math.ceil((ratio / (1 + ratio)) * both - ROUNDING)
  let unshared = both - 2 * needed
  for (let i = 0, j = 0; unshared >= 0;) {
    if (i === a.length || j === b.length) return unshared - (a.length - i) - (b.length - j) >= 0
    const difference = a[i]! - b[j]!
    if (difference !== 0) unshared--
    if (difference <= 0) i++
    if (difference >= 0) j++
  }
  return false
}
