/** What the compiler says about a file: positions are data, words and carets come last (cli/reports). */
import type { Span } from './source.ts'
import type { Words } from './words.ts'

export type Severity = 'error' | 'warning'

export interface Label {
  readonly span: Span
  readonly text: Words
}

/** A change that would settle the problem. */
export interface Fix {
  readonly title: Words
  readonly edits: readonly Edit[]
  /** Surely what was meant, or at least nothing is lost by it: `sluice fmt --fix` applies it unasked. */
  readonly safe: boolean
}

export interface Edit {
  readonly span: Span
  readonly text: string
}

export interface Diagnostic {
  /** `E` or `W` and three digits; stable, explained by `sluice explain`. */
  readonly code: string
  readonly severity: Severity
  /** One line, lower case, the user's own word first, no full stop. */
  readonly message: Words
  readonly primary: Label
  readonly secondary: readonly Label[]
  /** Why, or facts that help to see it. */
  readonly notes: readonly Words[]
  /** What to type; a plain string can be pasted and is the same in every language. */
  readonly help: readonly (Words | string)[]
  readonly fixes: readonly Fix[]
}

/** A value if there is one, and everything there is to say about it. No value without at least one error. */
export interface Checked<T> {
  readonly value?: T
  readonly diagnostics: readonly Diagnostic[]
}
