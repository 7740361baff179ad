/** A source text and spans into it; the one conversion between offsets and line:column. */

export interface Source {
  /** Path as it is shown to people, relative to the project root. */
  readonly path: string
  readonly text: string
}

/** Stands for the path in places of a check that stands in no file (`sluice gate --what-if`). */
export const WHAT_IF = '--what-if'

/** A half-open range of UTF-16 offsets. */
export interface Span {
  readonly source: Source
  readonly start: number
  readonly end: number
}

/** 1-based line and 1-based UTF-16 column. */
export interface Position {
  readonly line: number
  readonly column: number
}

export function positionOf(source: Source, offset: number): Position {
  const before = source.text.slice(0, offset)
  const line = before.split('\n').length
  return { line, column: offset - (before.lastIndexOf('\n') + 1) + 1 }
}
