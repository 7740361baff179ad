/** What the compiler says, as an editor shows it; and its fixes as code actions. */
import type { Diagnostic, Fix } from '../dsl/diagnostic.ts'
import type { Span } from '../dsl/source.ts'
import { inLanguage, type Language, type Words } from '../dsl/words.ts'
import type { TextDocument } from './document.ts'
import { SEVERITY, type CodeAction, type LspDiagnostic, type Range } from './protocol.ts'
import { tooLong } from './sentences.ts'
import { MOST_CHARACTERS, type View } from './view.ts'

/** Where the explanation of a code can be opened; null where there is none. */
export type Explained = (code: string) => string | null

export function problemsOf(view: View, language: Language, explained: Explained): readonly LspDiagnostic[] {
  if (view.tooLong) {
    const range = view.document.rangeOf({ start: 0, end: 0 })
    const message = inLanguage(tooLong(MOST_CHARACTERS), language)
    return [{ range, severity: SEVERITY.information, code: 'too-long', source: 'sluice', message }]
  }
  return view.diagnostics.map((each) => problemOf(each, view.document, language, explained))
}

function problemOf(
  { code, severity, message, primary, secondary, notes, help }: Diagnostic,
  document: TextDocument,
  language: Language,
  explained: Explained,
): LspDiagnostic {
  const say = (words: Words | string): string => inLanguage(words, language)
  const label = say(primary.text)
  const href = explained(code)
  const related = secondary
    .filter(({ span }) => span.source === primary.span.source)
    .map(({ span, text }) => ({
      location: { uri: document.uri, range: document.rangeOf(span) },
      // A label without words only shows a place, which an editor cannot draw a line under.
      message: say(text) === '' ? label : say(text),
    }))
  return {
    range: document.rangeOf(visible(primary.span, document.text)),
    severity: SEVERITY[severity],
    code,
    ...(href === null ? {} : { codeDescription: { href } }),
    source: 'sluice',
    message: [
      label === '' ? say(message) : `${say(message)}: ${label}`,
      ...notes.map(say),
      ...help.map(say),
    ].join('\n'),
    ...(related.length === 0 ? {} : { relatedInformation: related }),
  }
}

/** An empty range cannot be seen; one character is underlined instead. */
function visible({ start, end }: Span, text: string): { start: number; end: number } {
  if (end > start) return { start, end }
  if (start < text.length && text[start] !== '\n') return { start, end: start + 1 }
  return { start: Math.max(0, start - 1), end: start }
}

/** The fixes of what is wrong in a range. */
export function fixesIn(
  view: View,
  range: Range,
  language: Language,
  explained: Explained,
): readonly CodeAction[] {
  if (view.tooLong) return []
  const { document } = view
  const from = document.offsetAt(range.start)
  const to = document.offsetAt(range.end)
  return view.diagnostics.flatMap((diagnostic) => {
    const { start, end } = visible(diagnostic.primary.span, document.text)
    if (end < from || to < start) return []
    return diagnostic.fixes
      .filter(({ edits }) => edits.length > 0)
      .map((fix) => actionOf(fix, problemOf(diagnostic, document, language, explained), document, language))
  })
}

function actionOf(
  { title, edits, safe }: Fix,
  problem: LspDiagnostic,
  document: TextDocument,
  language: Language,
): CodeAction {
  const changes = edits.map(({ span, text }) => ({ range: document.rangeOf(span), newText: text }))
  return {
    title: inLanguage(title, language),
    kind: 'quickfix',
    diagnostics: [problem],
    isPreferred: safe,
    edit: { changes: { [document.uri]: changes } },
  }
}
