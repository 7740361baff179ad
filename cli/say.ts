/** Shows diagnostics in the form that was asked for, and beside the lines of a pull request where GitHub runs us. */
import { relative, resolve } from 'node:path'
import type { Diagnostic } from '../dsl/diagnostic.ts'
import { inLanguage, type Language, type Words } from '../dsl/words.ts'
import { languageOf } from './language.ts'
import { Usage, type Command } from './options.ts'
import { renderDiagnostics } from './reports/diagnostics.ts'
import { useColor } from './reports/style.ts'

const FORMATS = ['text', 'json', 'github', 'sarif'] as const
export type Format = (typeof FORMATS)[number]

/** `--json` is the same as `--format json` where the document is the diagnostics. */
export function formatOf(command: Command): Format {
  const wish = command.flags['format']
  // There it says how the graph is drawn, or what is exported.
  if (wish === undefined || command.verb === 'graph' || command.verb === 'export') return 'text'
  const format = FORMATS.find((each) => each === wish)
  if (format === undefined)
    throw new Usage(`--format is one of ${FORMATS.join(', ')}; this is '${String(wish)}'`, true)
  return format
}

export interface Spoken {
  readonly diagnostics: readonly Diagnostic[]
  /** The project's root, where paths begin. */
  readonly root: string
  readonly version: string
}

/** Text goes to stderr, documents to stdout. */
export async function sayDiagnostics(spoken: Spoken, command: Command, format: Format): Promise<void> {
  const { diagnostics, root, version } = spoken
  const language = languageOf(process.env)
  const place = (path: string): string => fromRepository(root, path)
  switch (format) {
    case 'text':
      if (diagnostics.length > 0) process.stderr.write(textOf(diagnostics, command, language))
      if (process.env['GITHUB_ACTIONS'] === 'true') {
        const { annotations } = await import('./reports/annotations.ts')
        process.stderr.write(annotations(diagnostics, language, place))
      }
      return
    case 'github': {
      const { annotations } = await import('./reports/annotations.ts')
      process.stdout.write(annotations(diagnostics, language, place))
      return
    }
    case 'json': {
      const { diagnosticJson } = await import('./reports/diagnostics-json.ts')
      const document = diagnostics.map((each) => diagnosticJson(each, language))
      process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
      return
    }
    case 'sarif': {
      const { sarif } = await import('./reports/sarif.ts')
      process.stdout.write(`${JSON.stringify(sarif(diagnostics, version, language, place), null, 2)}\n`)
      return
    }
  }
}

/** More than this on one screen hides the first one, which often explains the others. */
const MOST_SHOWN = 20

function textOf(diagnostics: readonly Diagnostic[], command: Command, language: Language): string {
  const say = (words: Words): string => inLanguage(words, language)
  const color = useColor(process.stderr, command)
  const shown = diagnostics.slice(0, MOST_SHOWN)
  const rest = diagnostics.length - shown.length
  const lines = [renderDiagnostics(shown, { color, language })]
  if (rest > 0) lines.push(say({ en: `and ${rest} more\n`, zh: `还有 ${rest} 个\n` }))
  const fixable = diagnostics.filter((each) => each.fixes.some((fix) => fix.safe))
  const path = fixable[0]?.primary.span.source.path ?? ''
  if (fixable.length > 0)
    lines.push(
      say({
        en: `${fixable.length} of ${diagnostics.length} can be fixed by: sluice fmt --fix ${path}\n`,
        zh: `${diagnostics.length} 个问题中有 ${fixable.length} 个可以自动修复：sluice fmt --fix ${path}\n`,
      }),
    )
  return lines.join('\n')
}

/** GitHub wants paths from its checkout, ours begin at the project, which may be a folder in it. */
export function fromRepository(root: string, path: string): string {
  const workspace = process.env['GITHUB_WORKSPACE']
  if (workspace === undefined || workspace === '') return path
  const place = relative(resolve(workspace), resolve(root, path)).replaceAll('\\', '/')
  return place.startsWith('..') ? path : place
}
