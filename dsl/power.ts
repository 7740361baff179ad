/** Which statistical checks of a gate ask for more than its rows can show, by what they could show last time. */
import type { Diagnostic } from './diagnostic.ts'
import type { Verdict } from './judge.ts'
import type { Gate } from './pipeline.ts'
import { testSetTooSmall } from './problems/world.ts'

/**
 * A difference that points the right way and is too small to be told from chance: twice as small takes four times the
 * rows. Of one that points the wrong way nothing can be said.
 */
export function smallTests(gate: Gate, { checks }: Verdict): readonly Diagnostic[] {
  return gate.checks.flatMap(({ span }, at) => {
    const { significance = null, margin = null } = checks[at] ?? {}
    if (significance === null || significance.detectable === null || margin === null) return []
    const { rows, detectable } = significance
    if (margin <= 0 || margin >= detectable) return []
    const needed = rounded(rows * (detectable / margin) ** 2)
    const [seen, measured] = [detectable, margin].map((value) => value.toPrecision(2))
    return [testSetTooSmall(span, { rows, detectable: seen ?? '', measured: measured ?? '', needed })]
  })
}

/** Two digits are more than an estimate knows. */
function rounded(rows: number): number {
  return Number(Math.ceil(rows).toPrecision(2))
}
