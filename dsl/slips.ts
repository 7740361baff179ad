/** Slips of typing that YAML takes for text: full-width signs of an input method, a colon without its space. */
import type { Diagnostic, Edit } from './diagnostic.ts'
import * as problems from './problems/text.ts'
import type { Source } from './source.ts'
import { spanAt } from './tree.ts'

/** Signs that an input method writes where the language wants ASCII. */
const FULL_WIDTH = /[\u3000\u00a0\uff01-\uff5e\u3001\u3002\u201c\u201d\u2018\u2019\u3010\u3011]/

const TWINS: Readonly<Record<string, string>> = {
  '\u3000': '  ',
  '\u00a0': ' ',
  '、': ',',
  '。': '.',
  '“': '"',
  '”': '"',
  '‘': "'",
  '’': "'",
  '【': '[',
  '】': ']',
}

/** Problems whose place holds a name or a number, where such a sign is never meant. */
const OF_WORDS = [
  'E003',
  'E014',
  'E101',
  'E102',
  'E104',
  'E110',
  'E112',
  'E120',
  'E121',
  'E126',
  'E201',
  'E218',
]
/** Problems of a text where something with keys belongs. */
const OF_SHAPE = ['E109', 'E126', 'E218']

const KEY = String.raw`[A-Za-z_][\w-]*`
/** A key with a full-width colon, at the start of a line. */
const WIDE_KEY = new RegExp(`^[ ]*(?:- )?${KEY}[ ]*：`, 'gm')

/** The slip behind a problem, if there is one: it explains more than what it led to. */
export function slipBehind(diagnostic: Diagnostic): Diagnostic {
  return slip(diagnostic) ?? diagnostic
}

function slip(diagnostic: Diagnostic): Diagnostic | null {
  const { code, primary } = diagnostic
  const { source, start, end } = primary.span
  const text = source.text.slice(start, end)
  if (code === 'E008') return slipInLine(source, start)
  if (code === 'E220' && FULL_WIDTH.test(text)) return fullWidth(source, start, wordAt(source.text, start))
  if (/^["']/.test(text) || text.length > 200) return null
  if (OF_WORDS.includes(code)) {
    const found = fullWidth(source, start, end)
    if (found !== null) return found
  }
  if (OF_SHAPE.includes(code)) {
    if (/^[［｛【]/.test(text)) return fullWidth(source, start, end)
    const colons = [...text.matchAll(WIDE_KEY)].map(({ index, 0: key }) => start + index + key.length - 1)
    if (text.search(WIDE_KEY) === 0) return wideColons(source, colons)
  }
  const colon = new RegExp(`^${KEY}:(?=\\S)`).exec(text)
  const outOfPlace = OF_WORDS.includes(code) || OF_SHAPE.includes(code)
  if (colon === null || !outOfPlace || /^[a-z]+:\/\//.test(text)) return null
  const at = start + colon[0].length
  return problems.noSpaceAfterColon(spanAt(source, at - 1, at + 1), at)
}

/** YAML gave up on this line or on the end of the one before it. */
function slipInLine(source: Source, start: number): Diagnostic | null {
  const { text } = source
  let from = text.lastIndexOf('\n', start - 1) + 1
  for (let tries = 0; tries < 2; tries++) {
    const line = unquoted(text.slice(from, endOfLine(text, from)))
    const blank = /^[ \t\u3000\u00a0]+/.exec(line)
    if (blank !== null && FULL_WIDTH.test(blank[0])) return fullWidth(source, from, from + blank[0].length)
    const key = new RegExp(WIDE_KEY.source).exec(line)
    if (key !== null) return wideColons(source, [from + key[0].length - 1])
    // Only where a value begins: within a text such a sign is meant.
    const value = /(?:[:[{,]\s*|-\s+)[［｛【“]/.exec(line)
    if (value !== null) {
      const at = from + value.index + value[0].length - 1
      return fullWidth(source, at, endOfBrackets(text, at))
    }
    const colon = new RegExp(`^[ ]*(?:- )?${KEY}:(?=[^\\s:/])`).exec(line)
    if (colon !== null && !/:\s/.test(line)) {
      const at = from + colon[0].length
      return problems.noSpaceAfterColon(spanAt(source, at - 1, at + 1), at)
    }
    if (from === 0) break
    from = text.lastIndexOf('\n', from - 2) + 1
  }
  return null
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf('\n', from)
  return newline < 0 ? text.length : newline
}

function wordAt(text: string, from: number): number {
  return from + (/^\S+/.exec(text.slice(from, from + 1000))?.[0].length ?? 1)
}

/** Behind the sign that closes what opens at `from`, else the end of the line. */
function endOfBrackets(text: string, from: number): number {
  const end = endOfLine(text, from)
  const close = { '［': '］', '｛': '｝', '【': '】', '“': '”' }[text[from] ?? ''] ?? ''
  const at = text.indexOf(close, from + 1)
  return at < 0 || at >= end ? end : at + 1
}

/** The line with what stands in quotes or in a comment blanked out, offsets kept. */
function unquoted(line: string): string {
  return line.replace(/"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:^|(?<=\s))#.*$/g, (match) =>
    ' '.repeat(match.length),
  )
}

/** The first full-width sign between two offsets, the fix for all of them; null if they all belong to a text. */
function fullWidth(source: Source, from: number, to: number): Diagnostic | null {
  const bare = unquoted(source.text.slice(from, to))
  const edits: Edit[] = []
  for (const match of bare.matchAll(new RegExp(FULL_WIDTH, 'g'))) {
    const at = from + match.index
    const next = source.text[at + 1] ?? '\n'
    const twin = TWINS[match[0]] ?? String.fromCharCode(match[0].charCodeAt(0) - 0xfee0)
    // A comma before Chinese is one of a Chinese sentence.
    if (twin === ',' && !/[\s!-~“]/.test(next)) continue
    // YAML wants a space after these two, and an input method does not write one.
    const space = (twin === ':' || twin === ',') && !/\s/.test(next) ? ' ' : ''
    edits.push({ span: spanAt(source, at, at + 1), text: twin + space })
  }
  const [first] = edits
  return first === undefined ? null : problems.fullWidth(first.span, edits)
}

/** Colons behind keys; what follows them on their lines may be any text. */
function wideColons(source: Source, places: readonly number[]): Diagnostic {
  const [first = 0] = places
  const edits = places.map((at) => {
    const space = /\s/.test(source.text[at + 1] ?? '\n') ? '' : ' '
    return { span: spanAt(source, at, at + 1), text: `:${space}` }
  })
  return problems.fullWidth(spanAt(source, first, first + 1), edits)
}
