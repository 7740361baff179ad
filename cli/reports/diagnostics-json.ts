/** Diagnostics as data: the document of `--format json`, for editors and scripts. */
import type { Diagnostic } from '../../dsl/diagnostic.ts'
import { positionOf, type Source, type Span } from '../../dsl/source.ts'
import { inLanguage, type Language, type Words } from '../../dsl/words.ts'

/** Lines and columns count from 1, columns and offsets in UTF-16 units; an end is the first place behind. */
export interface Place {
  readonly line: number
  readonly col: number
  readonly offset: number
}

export interface Range {
  readonly start: Place
  readonly end: Place
}

export interface DiagnosticJson {
  readonly code: string
  readonly severity: Diagnostic['severity']
  readonly message: string
  readonly file: string
  readonly range: Range
  /** What stands under the carets. */
  readonly label: string
  readonly labels: readonly { readonly range: Range; readonly text: string }[]
  readonly notes: readonly string[]
  readonly help: readonly string[]
  readonly fixes: readonly {
    readonly title: string
    readonly safe: boolean
    readonly edits: readonly { readonly range: Range; readonly text: string }[]
  }[]
}

export function diagnosticJson(diagnostic: Diagnostic, language: Language): DiagnosticJson {
  const say = (words: Words | string): string => inLanguage(words, language)
  const { code, severity, message, primary, secondary, notes, help, fixes } = diagnostic
  return {
    code,
    severity,
    message: say(message),
    file: primary.span.source.path,
    range: rangeOf(primary.span),
    label: say(primary.text),
    labels: secondary.map(({ span, text }) => ({ range: rangeOf(span), text: say(text) })),
    notes: notes.map(say),
    help: help.map(say),
    fixes: fixes.map(({ title, safe, edits }) => ({
      title: say(title),
      safe,
      edits: edits.map(({ span, text }) => ({ range: rangeOf(span), text })),
    })),
  }
}

export function rangeOf({ source, start, end }: Span): Range {
  return { start: placeOf(source, start), end: placeOf(source, end) }
}

function placeOf(source: Source, offset: number): Place {
  const { line, column } = positionOf(source, offset)
  return { line, col: column, offset }
}
