/** Diagnostics as workflow commands of GitHub Actions, which shows them beside the changed lines. */
import type { Diagnostic, Severity } from '../../dsl/diagnostic.ts'
import { inLanguage, type Language, type Words } from '../../dsl/words.ts'
import { rangeOf } from './diagnostics-json.ts'

/** What one step may annotate per kind; GitHub drops the rest without a word. A whole job has 50, five steps like this. */
export const MOST_PER_KIND = 10

/** `place` turns a path of ours into one from the root of the repository. */
export function annotations(
  diagnostics: readonly Diagnostic[],
  language: Language,
  place: (path: string) => string,
): string {
  return (['error', 'warning'] as const)
    .flatMap((severity) => {
      const all = diagnostics.filter((each) => each.severity === severity)
      const shown = all.length > MOST_PER_KIND ? all.slice(0, MOST_PER_KIND - 1) : all
      const lines = shown.map((each) => annotation(each, language, place))
      return shown.length === all.length
        ? lines
        : [...lines, rest(severity, all.length - shown.length, language)]
    })
    .map((line) => `${line}\n`)
    .join('')
}

function annotation(diagnostic: Diagnostic, language: Language, place: (path: string) => string): string {
  const say = (words: Words | string): string => inLanguage(words, language)
  const { code, severity, message, primary, notes, help } = diagnostic
  const { start, end } = rangeOf(primary.span)
  // Columns only count for GitHub when the range stays in one line.
  const columns = start.line === end.line ? { col: start.col, endColumn: Math.max(end.col, start.col) } : {}
  const properties = {
    file: place(primary.span.source.path),
    line: start.line,
    endLine: end.line,
    ...columns,
    title: code,
  }
  const text = [say(message), say(primary.text), ...notes.map(say), ...help.map(say)].filter(
    (each) => each !== '',
  )
  return workflowCommand(severity, properties, text.join('\n'))
}

function rest(severity: Severity, count: number, language: Language): string {
  const more: Words = {
    en: `${count} more; the log of this step has them all`,
    zh: `还有 ${count} 个，完整内容见本步骤的日志`,
  }
  return workflowCommand(severity, { title: 'sluice' }, inLanguage(more, language))
}

export function workflowCommand(
  name: string,
  properties: Readonly<Record<string, string | number>>,
  text: string,
): string {
  const list = Object.entries(properties).map(
    ([key, value]) => `${key}=${escaped(String(value)).replaceAll(':', '%3A').replaceAll(',', '%2C')}`,
  )
  return `::${name} ${list.join(',')}::${escaped(text)}`
}

/** The runner cuts at line ends and at its own escapes. */
function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}
