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

/** The slip behind a problem, if there is one: it explains more than what it led to. */
export function slipBehind(diagnostic: Diagnostic): Diagnostic {
  const { code, primary } = diagnostic
  const { source, start, end } = primary.span
  const text = source.text.slice(start, end)
  if (code === 'E008') return slipInLine(diagnostic)
  if (code === 'E220' && FULL_WIDTH.test(text)) {
    // An expression has no colon, and a colon with its space would end the text.
    const edits = twinsIn(source, start, endOfLine(source.text, start)).filter(
      (each) => !each.text.startsWith(':'),
    )
    return problems.fullWidth(spanAt(source, start, start + 1), edits)
  }
  if (/^["']/.test(text) || text.length > 200) return diagnostic
  const shape = OF_SHAPE.includes(code)
  const words = OF_WORDS.includes(code)
  const wide = FULL_WIDTH.exec(text)
  if (wide !== null && (words || (shape && new RegExp(`^(?:${KEY}：|[［｛【])`).test(text))))
    return fullWidthAt(diagnostic, start + wide.index, start, end)
  const colon = new RegExp(`^${KEY}:(?=\\S)`).exec(text)
  if (colon !== null && (words || shape) && !/^[a-z]+:\/\//.test(text))
    return problems.noSpaceAfterColon(
      spanAt(source, start + colon[0].length - 1, start + colon[0].length + 1),
      start + colon[0].length,
    )
  return diagnostic
}

/** YAML gave up on this line or on the end of the one before it. */
function slipInLine(diagnostic: Diagnostic): Diagnostic {
  const { source, start } = diagnostic.primary.span
  const { text } = source
  let from = text.lastIndexOf('\n', start - 1) + 1
  for (let tries = 0; tries < 2; tries++) {
    const to = endOfLine(text, from)
    const line = text.slice(from, to)
    const bare = unquoted(line)
    const wide = new RegExp(`^[ \\t]*[\\u3000\\u00a0]|^[\\s-]*${KEY}[ ]*：|[｛［｝］“”]`).exec(bare)
    if (wide !== null) {
      const at = from + wide.index + wide[0].length - 1
      return fullWidthAt(diagnostic, at, from, to)
    }
    const colon = new RegExp(`^[ ]*(?:- )?${KEY}:(?=[^\\s:/])`).exec(bare)
    if (colon !== null && !/:\s/.test(bare)) {
      const at = from + colon[0].length
      return problems.noSpaceAfterColon(spanAt(source, at - 1, at + 1), at)
    }
    if (from === 0) break
    from = text.lastIndexOf('\n', from - 2) + 1
  }
  return diagnostic
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf('\n', from)
  return newline < 0 ? text.length : newline
}

/** The sign at `at`; the fix is for all of them between `from` and `to`. */
function fullWidthAt(diagnostic: Diagnostic, at: number, from: number, to: number): Diagnostic {
  const { source } = diagnostic.primary.span
  return problems.fullWidth(spanAt(source, at, at + 1), twinsIn(source, from, to))
}

/** The line with what stands in quotes or in a comment blanked out, offsets kept. */
export function unquoted(line: string): string {
  return line.replace(/"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:^|(?<=\s))#.*$/g, (match) =>
    ' '.repeat(match.length),
  )
}

/** One edit for each full-width sign between two offsets, quotes and comments left alone. */
function twinsIn(source: Source, from: number, to: number): readonly Edit[] {
  const bare = unquoted(source.text.slice(from, to))
  const edits: Edit[] = []
  for (const match of bare.matchAll(new RegExp(FULL_WIDTH, 'g'))) {
    const at = from + match.index
    const twin = TWINS[match[0]] ?? String.fromCharCode(match[0].charCodeAt(0) - 0xfee0)
    // YAML wants a space after these two, and an input method does not write one.
    const next = source.text[at + 1]
    const space = (twin === ':' || twin === ',') && next !== undefined && !/\s/.test(next) ? ' ' : ''
    edits.push({ span: spanAt(source, at, at + 1), text: twin + space })
  }
  return edits
}
