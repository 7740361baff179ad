/** Tests of gates and what mutations found, in words. */
import type { GateTestOutcome } from '../../dsl/gate-tests.ts'
import type { GateStrength } from '../../dsl/mutate.ts'
import type { Supposed } from '../../dsl/supposed.ts'
import type { Pipeline } from '../../dsl/pipeline.ts'
import { positionOf } from '../../dsl/source.ts'
import { checkLines } from './verdict.ts'
import type { Paint } from './style.ts'
import { number, pad } from './style.ts'

export function gateTestsText(
  file: string,
  outcomes: readonly GateTestOutcome[],
  pipeline: Pipeline,
  paint: Paint,
): string {
  const held = outcomes.filter(({ holds }) => holds).length
  const lines = outcomes.flatMap(({ test, verdict, holds }) => {
    const given = `given ${supposedText(test.given)}`
    if (holds) return [`  ${paint('green', '✓')} ${pad(test.expect, 9)}  ${given}`]
    const place = `${test.span.source.path}:${String(positionOf(test.span.source, test.span.start).line)}`
    const gate = pipeline.stages.find(({ name }) => name === test.gate)?.gate
    return [
      `  ${paint('red', '✗')} ${pad(test.expect, 9)}  ${given}   ${paint('dim', place)}`,
      `      the gate says ${verdict.verdict}${test.because === null ? '' : `; expected ${test.expect} because ${test.because}`}`,
      ...checkLines(gate?.checks ?? [], verdict.checks, paint).map((line) => `    ${line}`),
    ]
  })
  const head = `${file}   ${String(held)} of ${String(outcomes.length)} gate tests hold`
  return [head, '', ...lines].join('\n')
}

export function strengthText(gate: string, strength: GateStrength, paint: Paint): string {
  const wide = Math.max(0, ...strength.checks.map(({ check }) => check.text.length)) + 3
  const lines = strength.checks.map(({ check, strength: kind, blockedBy }) => {
    const text = pad(check.text, wide)
    if (kind === 'fails') return `  ${paint('green', '✓')} ${text}fails with ${supposedText(blockedBy ?? {})}`
    if (kind === 'missing-only')
      return `  ${paint('yellow', '!')} ${text}no value makes it fail; it blocks only when something is missing: ${supposedText(blockedBy ?? {})}`
    return `  ${paint('red', '✗')} ${text}can never block: it holds for every value, and when everything is missing`
  })
  const unguarded =
    strength.unguarded.length === 0
      ? []
      : ['', `  measured, but read by no required check: ${strength.unguarded.join(', ')}`]
  return [`${gate}   every metric pushed to its ends and to missing`, '', ...lines, ...unguarded].join('\n')
}

function supposedText(supposed: Supposed): string {
  const parts = Object.entries(supposed).map(([name, value]) => `${name} ${number(value)}`)
  return parts.length === 0 ? 'nothing' : parts.join(', ')
}
