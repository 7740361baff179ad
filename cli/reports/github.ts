/** Verdicts as GitHub shows them: annotations on the checks' own lines, and a table on the run's page. */
import { positionOf } from '../../dsl/source.ts'
import type { JudgedCheck, Verdict } from '../../dsl/judge.ts'
import type { Check, Stage } from '../../dsl/pipeline.ts'
import { MOST_PER_KIND, workflowCommand } from './annotations.ts'
import { inline, table } from './markdown.ts'
import { outcomeText } from './verdict.ts'

/** GitHub refuses a step's summary that is longer. */
export const MOST_SUMMARY_BYTES = 1024 * 1024

export interface Verdicts {
  readonly stage: Stage
  readonly verdict: Verdict
}

/**
 * Workflow commands: errors for required checks, warnings for the others. `place` turns a path of ours into one from
 * the root of the repository.
 */
export function checkAnnotations(
  gates: readonly Verdicts[],
  place: (path: string) => string,
): readonly string[] {
  const all = gates.flatMap(({ stage, verdict }) =>
    verdict.checks.flatMap((judged, index) => {
      const check = stage.gate?.checks[index]
      return judged.outcome === 'pass' || check === undefined ? [] : [{ stage, check, judged }]
    }),
  )
  return ['error', 'warning'].flatMap((kind) => {
    const these = all.filter(({ judged }) => (judged.level === 'warn' ? 'warning' : 'error') === kind)
    const shown = these.length > MOST_PER_KIND ? these.slice(0, MOST_PER_KIND - 1) : these
    const rest = these.length - shown.length
    return [
      ...shown.map(({ stage, check, judged }) => annotation(kind, stage.name, check, judged, place)),
      ...(rest === 0
        ? []
        : [
            workflowCommand(
              kind,
              { title: 'sluice' },
              `${String(rest)} more checks; the log of this step has them all`,
            ),
          ]),
    ]
  })
}

function annotation(
  kind: string,
  gate: string,
  check: Check,
  judged: JudgedCheck,
  place: (path: string) => string,
): string {
  const { span } = check
  const start = positionOf(span.source, span.start)
  const end = positionOf(span.source, span.end)
  const code = judged.code == null ? '' : `${judged.code} `
  const title = `${code}${gate} ${judged.outcome === 'unknown' ? 'undecided' : 'failed'}: ${judged.name ?? judged.text}`
  const properties = {
    file: place(span.source.path),
    line: start.line,
    endLine: end.line,
    ...(start.line === end.line ? { col: start.column, endColumn: end.column } : {}),
    title,
  }
  const why = judged.why === null ? '' : `\nwhy: ${judged.why}`
  return workflowCommand(kind, properties, `${judged.text}: ${outcomeText(check, judged)}${why}`)
}

/** Markdown for `$GITHUB_STEP_SUMMARY`, at most `mostBytes` long. */
export function summaryText(pipeline: string, gates: readonly Verdicts[], mostBytes: number): string {
  const parts = gates.map(({ stage, verdict }) => {
    const rows = verdict.checks.map((judged, index) => [
      markOf(judged),
      inline(judged.name === null ? judged.text : `${judged.name}: ${judged.text}`),
      inline(outcomeText(stage.gate?.checks[index], judged)),
    ])
    return `### ${inline(pipeline)} ${inline(stage.name)}: ${verdict.verdict.toUpperCase()}\n\n${table(['', 'check', 'outcome'], rows)}\n`
  })
  return cutBytes(`${parts.join('\n')}\n`, mostBytes)
}

export function markOf(judged: JudgedCheck): string {
  if (judged.outcome === 'pass') return '✅'
  if (judged.level === 'warn') return '⚠️'
  return judged.outcome === 'fail' ? '❌' : '❓'
}

const CUT_NOTE = '\n\n*Cut here: GitHub shows at most 1 MiB. The whole table is in the log of the step.*\n'

/** Whole lines up to a number of bytes; what is left out is said. */
export function cutBytes(text: string, mostBytes: number): string {
  if (Buffer.byteLength(text) <= mostBytes) return text
  const room = mostBytes - Buffer.byteLength(CUT_NOTE)
  if (room <= 0) return ''
  let kept = Buffer.from(text).subarray(0, room).toString()
  kept = kept.slice(0, Math.max(0, kept.lastIndexOf('\n')))
  return `${kept}${CUT_NOTE}`
}
