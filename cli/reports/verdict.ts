/** A gate's verdict in words: every check with its operands. */
import type { Stage } from '../../dsl/pipeline.ts'
import { positionOf } from '../../dsl/source.ts'
import type { JudgedCheck, Verdict } from '../../dsl/judge.ts'
import type { Paint } from './style.ts'
import { number, pad, width } from './style.ts'

export function verdictText(stage: Stage, verdict: Verdict, paint: Paint): string {
  const color = verdict.verdict === 'pass' ? 'green' : verdict.verdict === 'fail' ? 'red' : 'yellow'
  const gate = stage.gate
  const judged =
    gate === null
      ? ''
      : `   judged: ${gate.judged}${gate.baseline === null ? '' : `, yardstick: ${gate.baseline}`}`
  const head = `${stage.name}   ${paint(['bold', color], verdict.verdict.toUpperCase())}${paint('dim', judged)}`
  const wide = Math.min(64, Math.max(0, ...verdict.checks.map((check) => width(check.text)))) + 3
  const lines = verdict.checks.flatMap((check, index) => {
    const mark = markOf(check, paint)
    const operands = check.operands.map(({ text, value }) => `${text} ${valueText(value)}`).join(', ')
    const margin =
      check.margin !== null && check.outcome === 'fail'
        ? paint('dim', `   short by ${number(Math.abs(check.margin))}`)
        : ''
    const span = gate?.checks[index]?.span
    const place =
      check.outcome === 'pass' || span === undefined
        ? ''
        : paint('dim', `   ${span.source.path}:${String(positionOf(span.source, span.start).line)}`)
    const line = `  ${mark} ${pad(check.text, wide)}${operands}${margin}${place}`
    const reason = check.reason === null ? [] : [`      ${paint('dim', check.reason)}`]
    const why =
      check.why === null || check.outcome === 'pass' ? [] : [`      ${paint('dim', `why: ${check.why}`)}`]
    return [line, ...reason, ...why]
  })
  return [head, '', ...lines].join('\n')
}

function markOf(check: JudgedCheck, paint: Paint): string {
  if (check.outcome === 'pass') return paint('green', '✓')
  if (check.outcome === 'unknown') return paint('yellow', '?')
  return check.level === 'warn' ? paint('yellow', '!') : paint('red', '✗')
}

function valueText(value: number | boolean | null): string {
  return typeof value === 'boolean' ? String(value) : number(value)
}
