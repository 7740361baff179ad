/** Tables as spreadsheet programs save them: any of their encodings, separators and line ends. */
import { JobError } from '../op.ts'

export interface Cells {
  readonly cells: readonly string[]
  /** Line of the file on which the row begins. */
  readonly line: number
}

const SEPARATORS = [',', ';', '\t']

/** The text of a file as UTF-8, UTF-16 with its mark, or GBK, which Excel writes in China. */
export function decodeTable(file: string, bytes: Uint8Array): string {
  const [first, second] = bytes
  if (first === 0x50 && second === 0x4b)
    throw new JobError(
      'input',
      `${file}: this is an Excel workbook, not CSV`,
      'Save it as "CSV UTF-8" from the spreadsheet program.',
    )
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes)
  for (const encoding of ['utf-8', 'gb18030']) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes)
    } catch {
      // The next one may fit.
    }
  }
  throw new JobError('input', `${file}: neither UTF-8 nor GBK text`, 'Save the sheet as "CSV UTF-8".')
}

/** The rows of a table, blank ones left out. The separator is the one that makes most of the first row. */
export function parseTable(file: string, text: string): readonly Cells[] {
  // Excel's own hint for the separator is no row of the table.
  const hint = /^sep=(.)\r?\n/.exec(text)
  const separators = hint?.[1] === undefined ? SEPARATORS : [hint[1]]
  const start = hint?.[0].length ?? 0
  const readings = separators.map((separator) => rowsOf(file, text, start, separator))
  const widest = readings.reduce((best, rows) =>
    (rows[0]?.cells.length ?? 0) > (best[0]?.cells.length ?? 0) ? rows : best,
  )
  return widest.filter(({ cells }) => cells.some((cell) => cell.trim() !== ''))
}

function rowsOf(file: string, text: string, start: number, separator: string): readonly Cells[] {
  const rows: Cells[] = []
  let line = start === 0 ? 1 : 2
  let begun = line
  let cells: string[] = []
  let at = start
  while (at <= text.length) {
    let cell = ''
    if (text[at] === '"') {
      const opened = line
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        if (at >= text.length)
          throw new JobError('input', `${file}:${String(opened)}: a quote is opened and never closed`)
        if (text[at] === '"') at++
        if (text[at] === '\n') line++
        cell += text[at] ?? ''
      }
      at++
    }
    while (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r')
      cell += text[at++] ?? ''
    cells.push(cell)
    if (text[at] === separator) {
      at++
      continue
    }
    rows.push({ cells, line: begun })
    if (text[at] === '\r' && text[at + 1] === '\n') at++
    at++
    begun = ++line
    cells = []
  }
  return rows
}

/** One line of a table. What a spreadsheet program would take for a formula gets an apostrophe before it. */
export function tableLine(cells: readonly string[]): string {
  const written = cells.map((cell) => {
    const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
    return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  })
  return `${written.join(',')}\r\n`
}
