/** Slips of typing that YAML takes for text: full-width signs of an input method, a colon without its space. */
import type { Diagnostic, Edit } from './diagnostic.ts'
import * as problems from './problems/text.ts'
import type { Source } from './source.ts'
import { keyNames } from './keys.ts'
import { spanAt, type ScalarNode } from './tree.ts'
import { wideSigns } from './wide-signs.ts'

/** Signs that an input method writes where the language wants ASCII. */
const FULL_WIDTH = /[\u3000\u00a0\uff01-\uff5e\u2212\u3001\u3002\u201c\u201d\u2018\u2019\u3010\u3011]/

const TWINS: Readonly<Record<string, string>> = {
  '\u3000': ' ',
  '\u00a0': ' ',
  '\u2212': '-',
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
/** A check whose key has a full-width colon, up to the colon. */
const WIDE_CHECK = new RegExp(`^[ ]*- +(?:${keyNames('check').join('|')}) *$`)

/** The slip behind a problem, if there is one: it explains more than what it led to. */
export function slipBehind(diagnostic: Diagnostic): Diagnostic {
  return slip(diagnostic) ?? diagnostic
}

function slip(diagnostic: Diagnostic): Diagnostic | null {
  const { code, primary } = diagnostic
  const { source, start, end } = primary.span
  const text = source.text.slice(start, end)
  if (code === 'E008') return slipInLines(source, start, 2)
  if (code === 'E002') return slipInLines(source, start, 1)
  if (code === 'E221' && text === '：' && WIDE_CHECK.test(lineUpTo(source.text, start)))
    return wideColons(source, [start])
  if (code === 'E220' && FULL_WIDTH.test(text)) return fullWidth(source, start, wordAt(source.text, start))
  if (/^["']/.test(text) || text.length > 200) return null
  if (OF_WORDS.includes(code)) {
    const found = fullWidth(source, start, end)
    if (found !== null) return found
  }
  if (OF_SHAPE.includes(code)) {
    if (/^[［｛【“‘]/.test(text)) return fullWidth(source, start, end)
    const colons = [...text.matchAll(WIDE_KEY)].map(({ index, 0: key }) => start + index + key.length - 1)
    if (text.search(WIDE_KEY) === 0) return wideColons(source, colons)
  }
  const wideSpace = new RegExp(`^${KEY}:(?=[\\u3000\\u00a0])`).exec(text)
  if (wideSpace !== null && OF_SHAPE.includes(code))
    return fullWidth(source, start + wideSpace[0].length, start + wideSpace[0].length + 1)
  const colon = new RegExp(`^${KEY}:(?=\\S)`).exec(text)
  const outOfPlace = OF_WORDS.includes(code) || OF_SHAPE.includes(code)
  if (colon === null || !outOfPlace || /^[a-z]+:\/\//.test(text)) return null
  const at = start + colon[0].length
  return problems.noSpaceAfterColon(spanAt(source, at - 1, at + 1), at)
}

/** YAML gave up on this line, or on the end of one of those before it. */
function slipInLines(source: Source, start: number, lines: number): Diagnostic | null {
  const { text } = source
  let from = text.lastIndexOf('\n', start - 1) + 1
  for (let tries = 0; tries < lines; tries++) {
    const end = endOfLine(text, from)
    const line = unquoted(text.slice(from, end))
    const blank = /^[ \t\u3000\u00a0]+/.exec(line)
    if (blank !== null && FULL_WIDTH.test(blank[0])) return fullWidth(source, from, from + blank[0].length)
    const signs = FULL_WIDTH.test(line) ? wideSigns(text) : []
    const here = signs.filter(({ at }) => at >= from && at < end)
    if (here[0] !== undefined)
      return problems.fullWidth(
        spanAt(source, here[0].at, here[0].at + 1),
        here.map(({ at, ours }) => ({ span: spanAt(source, at, at + 1), text: ours })),
      )
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

/** A path in full-width quotes, or with a full-width slash or colon; one that is quoted is meant like that. */
export function slipInPath({ plain, raw, span }: ScalarNode): Diagnostic | null {
  if (!plain || !/^[“‘]|／|^[a-z]+：/.test(raw)) return null
  const edits = [...raw.matchAll(/[“”‘’／]|(?<=^[a-z]+)：/g)].map(({ index, 0: sign }) => ({
    span: spanAt(span.source, span.start + index, span.start + index + 1),
    text: twinOf(sign),
  }))
  return edits[0] === undefined ? null : problems.fullWidth(edits[0].span, edits)
}

function lineUpTo(text: string, at: number): string {
  return text.slice(text.lastIndexOf('\n', at - 1) + 1, at)
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf('\n', from)
  return newline < 0 ? text.length : newline
}

function wordAt(text: string, from: number): number {
  return from + (/^\S+/.exec(text.slice(from, from + 1000))?.[0].length ?? 1)
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
  const line = source.text.lastIndexOf('\n', from - 1) + 1
  const run = /^\s*/.exec(source.text.slice(line, endOfLine(source.text, line)))?.[0] ?? ''
  const inked = line + run.length
  const blank = from < inked ? widthOfBlank(source.text, run, line) : ' '
  for (const match of bare.matchAll(new RegExp(FULL_WIDTH, 'g'))) {
    const at = from + match.index
    const next = source.text[at + 1] ?? '\n'
    const twin = match[0] === '\u3000' && at < inked ? blank : twinOf(match[0])
    // A comma before Chinese is one of a Chinese sentence.
    if (twin === ',' && !/[\s!-~“]/.test(next)) continue
    // YAML wants a space after these two, and an input method does not write one.
    const space = (twin === ':' || twin === ',') && !/\s/.test(next) ? ' ' : ''
    edits.push({ span: spanAt(source, at, at + 1), text: twin + space })
  }
  const [first] = edits
  return first === undefined ? null : problems.fullWidth(first.span, edits)
}

function twinOf(sign: string): string {
  return TWINS[sign] ?? String.fromCharCode(sign.charCodeAt(0) - 0xfee0)
}

/** More columns than this line up with nothing. */
const DEEPEST = 120

/** A full-width space is two columns wide, yet some count it as one: what it is in this line, by the lines above. */
function widthOfBlank(text: string, run: string, from: number): string {
  const above = text
    .slice(0, from)
    .split('\n')
    .filter((line) => /^ *[^\s#]/.test(line))
  const last = above.at(-1) ?? ''
  const fits = (width: number): boolean => {
    const columns = [...run].reduce((sum, each) => sum + (each === '\u3000' ? width : 1), 0)
    return columns > last.search(/\S/)
      ? /:\s*$/.test(last)
      : above.some((line) => line.search(/\S/) === columns)
  }
  return run.length <= DEEPEST && !fits(2) && fits(1) ? ' ' : '  '
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
