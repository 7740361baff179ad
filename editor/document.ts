/** A text as an editor holds it: positions to offsets and back, and the changes that arrive while somebody types. */
import type { Span } from '../dsl/source.ts'
import type { Position, Range } from './protocol.ts'

export class TextDocument {
  readonly uri: string
  readonly version: number
  readonly text: string
  /** Offset of the start of each line. */
  private readonly lines: readonly number[]

  constructor(uri: string, version: number, text: string) {
    this.uri = uri
    this.version = version
    this.text = text
    this.lines = lineStarts(text)
  }

  /** Clamped to the text: an editor may be ahead of us. */
  offsetAt({ line, character }: Position): number {
    if (line < 0) return 0
    const start = this.lines[line]
    if (start === undefined) return this.text.length
    const next = this.lines[line + 1] ?? this.text.length + 1
    const end = this.text[next - 2] === '\r' && this.text[next - 1] === '\n' ? next - 2 : next - 1
    return Math.min(start + Math.max(character, 0), end)
  }

  positionAt(offset: number): Position {
    const at = Math.min(Math.max(offset, 0), this.text.length)
    let low = 0
    let high = this.lines.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.lines[middle] ?? 0) <= at) low = middle
      else high = middle - 1
    }
    return { line: low, character: at - (this.lines[low] ?? 0) }
  }

  rangeOf({ start, end }: Pick<Span, 'start' | 'end'>): Range {
    return { start: this.positionAt(start), end: this.positionAt(end) }
  }
}

/** A change of a part, or of the whole where there is no range. */
export interface Change {
  readonly range?: Range
  readonly text: string
}

/** Changes apply one after another, each to the text that the one before has left. */
export function changed(document: TextDocument, changes: readonly Change[], version: number): TextDocument {
  let current = document
  for (const { range, text } of changes) {
    const start = range === undefined ? 0 : current.offsetAt(range.start)
    const end = range === undefined ? current.text.length : Math.max(start, current.offsetAt(range.end))
    current = new TextDocument(
      document.uri,
      version,
      current.text.slice(0, start) + text + current.text.slice(end),
    )
  }
  return current
}

/** The protocol's line ends: `\n`, `\r\n` and a lone `\r`. */
function lineStarts(text: string): readonly number[] {
  const starts = [0]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 10 || (code === 13 && text.charCodeAt(at + 1) !== 10)) starts.push(at + 1)
  }
  return starts
}
