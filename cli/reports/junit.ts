/** Verdicts as JUnit XML: one test case a check, so that GitLab and Jenkins show gates without a plugin. */
import type { JudgedGate } from '../judging.ts'
import { positionOf } from '../../dsl/source.ts'
import type { Span } from '../../dsl/source.ts'
import { outcomeText } from './verdict.ts'

/** A failed check is a failure, an undecided one an error; a warning that does not hold is skipped, with its words. */
export function junitText(pipeline: string, gates: readonly JudgedGate[]): string {
  const suites = gates.map(({ stage, verdict }) => {
    const cases = verdict.checks.map((judged, index) => {
      const check = stage.gate?.checks[index]
      const words = outcomeText(check, judged)
      const message = attribute(judged.why === null ? words : `${words}; why: ${judged.why}`)
      const place = check === undefined ? '' : placeAttributes(check.span)
      const head = `    <testcase classname="${attribute(`${pipeline}.${stage.name}`)}" name="${attribute(judged.name ?? judged.text)}"${place}>`
      const kind =
        judged.outcome === 'pass'
          ? 'pass'
          : judged.level === 'warn'
            ? 'skipped'
            : judged.outcome === 'fail'
              ? 'failure'
              : 'error'
      const body =
        kind === 'pass'
          ? `<system-out>${escaped(words)}</system-out>`
          : kind === 'skipped'
            ? `<skipped message="${attribute('warning: ')}${message}"/>`
            : `<${kind} message="${message}" type="${kind === 'failure' ? 'gate.failed' : 'gate.undecided'}">${escaped(judged.text)}</${kind}>`
      return { kind, xml: `${head}\n      ${body}\n    </testcase>` }
    })
    const count = (kind: string) => String(cases.filter((each) => each.kind === kind).length)
    const counts = `tests="${String(cases.length)}" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}"`
    return `  <testsuite name="${attribute(`${pipeline} ${stage.name}`)}" ${counts}>\n${cases.map(({ xml }) => xml).join('\n')}\n  </testsuite>`
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="sluice">\n${suites.join('\n')}\n</testsuites>\n`
}

function placeAttributes(span: Span): string {
  const { line } = positionOf(span.source, span.start)
  return ` file="${attribute(span.source.path)}" line="${String(line)}"`
}

function escaped(text: string): string {
  return (
    text
      // Characters that XML 1.0 cannot hold at all.
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/gu, '\ufffd')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
  )
}

function attribute(text: string): string {
  return escaped(text)
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')
    .replaceAll('\t', '&#9;')
    .replaceAll('\r', '&#13;')
}
