/** Judges a gate by scores that somebody made up: for tests of gates and for trying what would block. */
import { overOperands } from './expression/names.ts'
import { judge } from './judge.ts'
import type { Scores, ScoreSet, Verdict } from './judge.ts'
import type { Gate } from './pipeline.ts'

/** `bleu`, `baseline.bleu`, `worst(bleu by section)` -> its value; null is missing, as is every name that is absent. */
export type Supposed = Readonly<Record<string, number | null>>

/** All of them count as measured by one ruler. */
export function judgeSupposed(gate: Gate, supposed: Supposed): Verdict {
  const checks = gate.checks.map((check) => ({ ...check, expression: overOperands(check.expression) }))
  return judge({ ...gate, checks }, scoresOf(supposed))
}

function scoresOf(supposed: Supposed): Scores {
  const spaces = new Map<string, Record<string, number | null>>()
  for (const [name, value] of Object.entries(supposed)) {
    const [first = '', second] = name.split('.')
    // A call is one name, dots and all.
    const [space, metric] = second === undefined || name.includes('(') ? ['', name] : [first, second]
    spaces.set(space, { ...spaces.get(space), [metric]: value })
  }
  const set = (space: string): ScoreSet => ({
    ruler: '',
    origin: space === '' ? 'given' : space,
    values: spaces.get(space) ?? {},
  })
  const named = [...spaces.keys()].filter((space) => space !== '')
  return { judged: set(''), spaces: Object.fromEntries(named.map((space) => [space, set(space)])) }
}
