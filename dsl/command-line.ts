/** A command line as its words, without a shell: quotes keep a word together, nothing else means anything. */

/** What only a shell would understand. */
const SHELL = /[|&;<>$`*?~#\\]/

/** Null if a quote is not closed, nothing is there, or a shell would be needed. */
export function wordsOf(text: string): readonly string[] | null {
  const words: string[] = []
  const pattern = /\s*((?:[^\s'"]|'[^']*'|"[^"]*")+)/y
  let at = 0
  while (at < text.trimEnd().length) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) return null
    at = pattern.lastIndex
    const raw = match[1] ?? ''
    if (SHELL.test(raw.replaceAll(/'[^']*'/g, ''))) return null
    words.push(raw.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
  }
  return words.length === 0 || words[0] === '' ? null : words
}
