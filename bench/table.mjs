// Prints rows as aligned columns; numbers to the right, words to the left.

/** @param {readonly (readonly (string | number)[])[]} rows the first one is the head */
export function printTable(rows) {
  const cells = rows.map((row) => row.map(String))
  const [head, ...body] = cells
  const widths = head.map((_, i) => Math.max(...cells.map((row) => columns(row[i] ?? ''))))
  const numeric = head.map((_, i) => i > 0 && body.every((row) => /^$|^[-\d]/.test(row[i] ?? '')))
  for (const row of cells) {
    const line = row.map((cell, i) => {
      const gap = ' '.repeat(widths[i] - columns(cell))
      return numeric[i] ? gap + cell : cell + gap
    })
    console.log(line.join('   ').trimEnd())
  }
}

/** Digits for a number that may be absent. @param {number | null | undefined} value */
export function digits(value, places = 3) {
  return typeof value === 'number' ? value.toFixed(places) : '-'
}

/** A Chinese character takes two columns of a terminal. */
function columns(text) {
  return [...text].reduce((sum, character) => sum + (character >= '\u2e80' ? 2 : 1), 0)
}
