/** The required checks of a gate that nobody could decide, as messages about the lines that ask. */
import type { Diagnostic } from './diagnostic.ts'
import type { Verdict } from './judge.ts'
import type { Gate } from './pipeline.ts'
import { noNumber, undecided } from './problems/verdict.ts'

export function undecidedChecks(gate: Gate, { checks }: Verdict): readonly Diagnostic[] {
  return gate.checks.flatMap(({ span }, at) => {
    const judged = checks[at]
    if (judged === undefined || judged.level !== 'require' || judged.code == null) return []
    const reason = judged.reason ?? ''
    return [judged.code === 'E208' ? noNumber(span, reason) : undecided(span, reason)]
  })
}
