/** What the compiler says about a file: positions are data, words and carets come last (cli/reports). */
import type { Span } from './source.ts'

export type Severity = 'error' | 'warning'

export interface Label {
  readonly span: Span
  readonly text: string
}

export interface Diagnostic {
  /** `E` or `W` and three digits; stable, explained by `sluice explain`. */
  readonly code: string
  readonly severity: Severity
  /** One line, lower case, the user's own word first, no full stop. */
  readonly message: string
  readonly primary: Label
  readonly secondary: readonly Label[]
  /** Why, or facts that help to see it. */
  readonly notes: readonly string[]
  /** What to type; can be pasted. */
  readonly help: readonly string[]
}

/** A value if there is one, and everything there is to say about it. No value without at least one error. */
export interface Checked<T> {
  readonly value?: T
  readonly diagnostics: readonly Diagnostic[]
}
