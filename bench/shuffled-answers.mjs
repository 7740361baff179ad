// Gives every question the answer to another one, so that a model can learn the answers' language and nothing else.

/**
 * The same answers in another order, drawn from `seed`; no row keeps an answer with the text that it had.
 *
 * @template {{ response: string }} Row
 * @param {readonly Row[]} rows
 * @param {number} seed
 * @returns {Row[]}
 */
export function shuffledAnswers(rows, seed) {
  const below = generator(seed)
  const answers = rows.map((row) => row.response)
  for (let i = answers.length - 1; i > 0; i--) swap(answers, i, below(i + 1))
  // A few rows get their own answer by chance (several questions share one): each swaps with a row where both then differ.
  for (let i = 0; i < rows.length; i++) {
    if (answers[i] !== rows[i].response) continue
    const start = below(rows.length)
    const fits = (j) => answers[j] !== rows[i].response && answers[i] !== rows[j].response
    const offset = rows.findIndex((_, step) => fits((start + step) % rows.length))
    if (offset < 0) throw new Error('one answer is so frequent that the answers cannot be shuffled')
    swap(answers, i, (start + offset) % rows.length)
  }
  return rows.map((row, i) => ({ ...row, response: answers[i] }))
}

function swap(items, i, j) {
  const item = items[i]
  items[i] = items[j]
  items[j] = item
}

/** Whole numbers below a bound, from a linear congruential generator with the constants of Numerical Recipes. */
function generator(seed) {
  let state = seed >>> 0
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}
