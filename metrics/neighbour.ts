/** The yardstick without a model: answer each prompt with the response of the most similar training prompt. */

export interface NeighbourRow {
  readonly id: string
  readonly prompt: string
  readonly response: string
}

export interface Neighbour<Row extends NeighbourRow> {
  readonly row: Row
  /** Cosine of the two prompts, 0..1. */
  readonly similarity: number
}

export const NEIGHBOUR_SIGNATURE = 'char 1-3-gram tf-idf cosine|case:lower|tie:first'

const ORDERS = 3

function countGrams(text: string): Map<string, number> {
  const characters = Array.from(text.toLowerCase().trim())
  const counts = new Map<string, number>()
  for (let start = 0; start < characters.length; start++) {
    let gram = ''
    for (const character of characters.slice(start, start + ORDERS)) {
      gram += character
      counts.set(gram, (counts.get(gram) ?? 0) + 1)
    }
  }
  return counts
}

/**
 * Indexes training rows and returns the search. A search finds the row whose prompt is nearest, the first of
 * equals, or `null` if no row shares a single character with the prompt. A fine-tuned model that cannot beat this
 * on BLEU or exact match has not learned more than a look-up.
 *
 * Weights are count · (ln((1 + rows) / (1 + rows with the gram)) + 1); vectors have length 1.
 */
export function neighbourSearch<Row extends NeighbourRow>(
  rows: readonly Row[],
): (prompt: string) => Neighbour<Row> | null {
  const vectors = rows.map((row) => countGrams(row.prompt))
  const frequency = new Map<string, number>()
  for (const vector of vectors) {
    for (const gram of vector.keys()) frequency.set(gram, (frequency.get(gram) ?? 0) + 1)
  }
  const rarity = (gram: string) => Math.log((1 + rows.length) / (1 + (frequency.get(gram) ?? 0))) + 1
  const norm = (vector: ReadonlyMap<string, number>) => {
    let squares = 0
    for (const [gram, count] of vector) squares += (count * rarity(gram)) ** 2
    return Math.sqrt(squares)
  }

  const postings = new Map<string, { readonly rows: number[]; readonly weights: number[] }>()
  vectors.forEach((vector, index) => {
    const length = norm(vector)
    for (const [gram, count] of vector) {
      let posting = postings.get(gram)
      if (posting === undefined) postings.set(gram, (posting = { rows: [], weights: [] }))
      posting.rows.push(index)
      posting.weights.push((count * rarity(gram)) / length)
    }
  })

  return (prompt) => {
    const query = countGrams(prompt)
    const cosines = new Float64Array(rows.length)
    for (const [gram, count] of query) {
      const posting = postings.get(gram)
      if (posting === undefined) continue
      const weight = count * rarity(gram)
      posting.rows.forEach((index, at) => (cosines[index]! += weight * posting.weights[at]!))
    }
    let best = -1
    for (let index = 0; index < cosines.length; index++) {
      if (cosines[index]! > (best < 0 ? 0 : cosines[best]!)) best = index
    }
    const row = rows[best]
    return row === undefined ? null : { row, similarity: Math.min(1, cosines[best]! / norm(query)) }
  }
}
