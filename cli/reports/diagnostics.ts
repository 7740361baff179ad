/** Diagnostics as text: location, code frame with carets, notes and help. */
import type { Diagnostic, Label, Severity } from '../../dsl/diagnostic.ts'
import { positionOf } from '../../dsl/source.ts'
import { inLanguage, type Language, type Words } from '../../dsl/words.ts'

export interface RenderOptions {
  readonly color: boolean
  readonly language: Language
  /** Columns of the frame's code; longer lines are cut around the label. Default 110. */
  readonly width?: number
}

type Paint = (style: 'red' | 'yellow' | 'blue' | 'bold' | 'cyan', text: string) => string

const STYLES = { red: '31;1', yellow: '33;1', blue: '34;1', bold: '1', cyan: '36' } as const
const TAB = 4
const SEVERITIES: Readonly<Record<Severity, Words>> = {
  error: { en: 'error', zh: '错误' },
  warning: { en: 'warning', zh: '警告' },
}
const NOTE: Words = { en: 'note:', zh: '说明:' }
const HELP: Words = { en: 'help:', zh: '帮助:' }

/** All diagnostics in the given order, separated by blank lines; the empty string for none. */
export function renderDiagnostics(diagnostics: readonly Diagnostic[], options: RenderOptions): string {
  const paint: Paint = (style, text) =>
    options.color && text !== '' ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text
  const width = Math.max(20, options.width ?? 110)
  const say = (words: Words | string): string => inLanguage(words, options.language)
  return diagnostics.map((each) => renderOne(each, paint, say, width)).join('\n')
}

type Say = (words: Words | string) => string

function renderOne(diagnostic: Diagnostic, paint: Paint, say: Say, width: number): string {
  const { severity, code, message, primary, notes, help } = diagnostic
  const { source, start } = primary.span
  const { line, column } = positionOf(source, start)
  const style = severity === 'error' ? 'red' : 'yellow'
  const lines = [
    `${paint(style, `${say(SEVERITIES[severity])} ${code}`)}${paint('bold', `: ${say(message)}`)}`,
    `  ${paint('blue', '-->')} ${source.path}:${line}:${column}`,
    ...frame(diagnostic, paint, say, style, width),
    ...notes.map((note) => `  ${paint('bold', say(NOTE))} ${say(note)}`),
    ...help.map((each) => `  ${paint('cyan', say(HELP))} ${say(each)}`),
  ]
  return `${lines.join('\n')}\n`
}

interface Mark {
  readonly line: number
  /** Offsets within the line. */
  readonly from: number
  readonly to: number
  readonly text: string
  readonly primary: boolean
}

function frame(
  diagnostic: Diagnostic,
  paint: Paint,
  say: Say,
  style: 'red' | 'yellow',
  width: number,
): readonly string[] {
  const { source } = diagnostic.primary.span
  const texts = source.text.split('\n').map((line) => line.replace(/\r$/, ''))
  const marks = [markOf(diagnostic.primary, true, say, texts)]
  // A label in another file has no line in this frame.
  for (const label of diagnostic.secondary)
    if (label.span.source === source) marks.push(markOf(label, false, say, texts))
  const numbers = [...new Set(marks.map((mark) => mark.line))].sort((a, b) => a - b)
  const gutter = String(Math.max(...numbers)).length
  const pad = ' '.repeat(gutter)
  const bar = (sign: string): string => paint('blue', ` ${pad}${sign}`)
  const lines = [bar('╷')]
  let previous: number | null = null
  for (const number of numbers) {
    if (previous !== null && number > previous + 1) lines.push(bar('┆'))
    previous = number
    const text = texts[number - 1] ?? ''
    const here = marks.filter((mark) => mark.line === number)
    const view = viewOf(text, here, width)
    lines.push(`${paint('blue', ` ${String(number).padStart(gutter)}│`)} ${view.shown}`.trimEnd())
    // What stands further right comes first, so that no label hides another's carets; the primary leads.
    const order = here.sort((a, b) => Number(b.primary) - Number(a.primary) || b.from - a.from)
    for (const mark of order) {
      const left = view.column(mark.from)
      const length = Math.max(1, view.column(mark.to) - left)
      const sign = (mark.primary ? '^' : '─').repeat(length)
      const words = `${sign}${mark.text === '' ? '' : ` ${mark.text}`}`
      lines.push(`${bar('│')} ${' '.repeat(left)}${paint(mark.primary ? style : 'blue', words)}`)
    }
  }
  lines.push(bar('╵'))
  return lines
}

/** A label over several lines is shown on its first. */
function markOf(label: Label, primary: boolean, say: Say, texts: readonly string[]): Mark {
  const { line, column } = positionOf(label.span.source, label.span.start)
  const text = texts[line - 1] ?? ''
  const from = Math.min(column - 1, text.length)
  const to = Math.min(text.length, Math.max(from, from + label.span.end - label.span.start))
  return { line, from, to: Math.max(from, trimmedEnd(text, from, to)), text: say(label.text), primary }
}

function trimmedEnd(text: string, from: number, to: number): number {
  const piece = text.slice(from, to)
  return from + piece.replace(/[ \t]+$/, '').length
}

interface View {
  readonly shown: string
  /** Display column of an offset of the line, cut included. */
  readonly column: (offset: number) => number
}

/** The line as it is displayed: tabs as four spaces, and cut around the labels if it is too long. */
function viewOf(text: string, marks: readonly Mark[], width: number): View {
  const whole = columnsOf(text, 0)
  if (whole <= width) return { shown: expand(text), column: (offset) => columnsOf(text.slice(0, offset), 0) }
  const first = Math.min(...marks.map((mark) => mark.from))
  const last = Math.max(...marks.map((mark) => mark.to))
  let start = 0
  // Enough to the left to recognise the place, and the label's end in sight where it fits.
  while (start < first && columnsOf(text.slice(start, Math.min(last + 10, text.length)), 0) > width - 2)
    start++
  if (start > 0 && isLowSurrogate(text, start)) start++
  let end = text.length
  while (end > start && columnsOf(text.slice(start, end), 0) > width - 2) end--
  if (isLowSurrogate(text, end)) end--
  const head = start > 0 ? '…' : ''
  const tail = end < text.length ? '…' : ''
  return {
    shown: head + expand(text.slice(start, end)) + tail,
    column: (offset) => head.length + columnsOf(text.slice(start, Math.min(Math.max(offset, start), end)), 0),
  }
}

function isLowSurrogate(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code <= 0xdfff
}

function expand(text: string): string {
  return text.replaceAll('\t', ' '.repeat(TAB)).replace(/[\u0000-\u001f\u007f-\u009f]/g, '·')
}

/** Display width: tabs four, East-Asian wide characters two, combining marks none. */
function columnsOf(text: string, start: number): number {
  let columns = start
  for (const character of text) columns += columnsOfOne(character)
  return columns
}

const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe4f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
]

function columnsOfOne(character: string): number {
  if (character === '\t') return TAB
  const code = character.codePointAt(0) ?? 0
  if (/^\p{Mn}$/u.test(character) || code === 0x200b || code === 0x200d || code === 0xfe0f) return 0
  return WIDE.some(([low, high]) => code >= low && code <= high) ? 2 : 1
}
