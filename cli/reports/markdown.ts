/** Pieces of GitHub's Markdown: cells, tables, and a cut that says that it is one. */

const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;' }

/** Text in a table cell or a sentence: nothing in it is taken for markup or a mention, no line break ends the row. */
export function inline(text: string): string {
  return (
    text
      .replaceAll(/[\\`*_{}[\]<>#|~&]/g, (sign) => ENTITIES[sign] ?? `\\${sign}`)
      // A backslash would not keep GitHub from calling somebody; a space of no width does.
      .replaceAll(/(?<![\p{L}\p{N}_])@(?=[\p{L}\p{N}])/gu, '@\u200b')
      .replaceAll(/\s*\n\s*/g, ' ')
  )
}

/** A text that people wrote or a model made, as code; the fence is longer than any run of backticks inside. */
export function code(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  const plain = text
    .replaceAll(/\s*\n\s*/g, ' ⏎ ')
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '·')
    .replaceAll('|', '\\|')
  if (plain === '') return '*empty*'
  return plain.startsWith('`') || plain.endsWith('`')
    ? `${fence} ${plain} ${fence}`
    : `${fence}${plain}${fence}`
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** The first characters of a text, with `…` where something was left out. */
export function shortened(text: string, characters: number): string {
  const all = [...text]
  return all.length <= characters ? text : `${all.slice(0, characters - 1).join('')}…`
}
