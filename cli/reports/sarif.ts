/** Diagnostics as a SARIF 2.1.0 log, the form that code-scanning services read. */
import { catalogue } from '../../dsl/catalogue.ts'
import type { Diagnostic } from '../../dsl/diagnostic.ts'
import { own } from '../../dsl/own.ts'
import type { Span } from '../../dsl/source.ts'
import { inLanguage, type Language, type Words } from '../../dsl/words.ts'
import { rangeOf } from './diagnostics-json.ts'

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json'

export function sarif(
  diagnostics: readonly Diagnostic[],
  version: string,
  language: Language,
  place: (path: string) => string,
): unknown {
  const say = (words: Words | string): string => inLanguage(words, language)
  const codes = [...new Set(diagnostics.map((each) => each.code))].sort()
  const location = (span: Span): object => ({
    artifactLocation: artifact(place(span.source.path)),
    region: regionOf(span),
  })
  return {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'sluice', version, rules: codes.map((code) => ruleOf(code, say)) } },
        language: language === 'zh' ? 'zh-CN' : 'en-US',
        columnKind: 'utf16CodeUnits',
        results: diagnostics.map((each) => ({
          ruleId: each.code,
          ruleIndex: codes.indexOf(each.code),
          level: each.severity,
          message: { text: textOf(each, say) },
          locations: [{ physicalLocation: location(each.primary.span), ...labelled(say(each.primary.text)) }],
          relatedLocations: each.secondary.map(({ span, text }, id) => ({
            id,
            physicalLocation: location(span),
            ...labelled(say(text)),
          })),
          fixes: each.fixes.flatMap((fix) => fixOf(fix, place, say)),
        })),
      },
    ],
  }
}

type Say = (words: Words | string) => string

function ruleOf(code: string, say: Say): object {
  const entry = own(catalogue, code)
  return {
    id: code,
    defaultConfiguration: { level: code.startsWith('W') ? 'warning' : 'error' },
    ...(entry === undefined
      ? {}
      : {
          shortDescription: { text: say(entry.meaning) },
          fullDescription: { text: say(entry.why) },
          help: { text: `${say(entry.wrong)}\n->\n${say(entry.right)}` },
        }),
  }
}

function textOf({ message, notes, help }: Diagnostic, say: Say): string {
  return [message, ...notes, ...help].map(say).join('\n')
}

function labelled(text: string): object {
  return text === '' ? {} : { message: { text } }
}

/** A change without edits (another encoding) cannot be said in SARIF. */
function fixOf(
  fix: Diagnostic['fixes'][number],
  place: (path: string) => string,
  say: Say,
): readonly object[] {
  const [first] = fix.edits
  if (first === undefined) return []
  return [
    {
      description: { text: say(fix.title) },
      artifactChanges: [
        {
          artifactLocation: artifact(place(first.span.source.path)),
          replacements: fix.edits.map(({ span, text }) => ({
            deletedRegion: regionOf(span),
            insertedContent: { text },
          })),
        },
      ],
    },
  ]
}

function artifact(path: string): object {
  return { uri: path.split('/').map(encodeURIComponent).join('/'), uriBaseId: '%SRCROOT%' }
}

function regionOf(span: Span): object {
  const { start, end } = rangeOf(span)
  return { startLine: start.line, startColumn: start.col, endLine: end.line, endColumn: end.col }
}
