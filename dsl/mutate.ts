/** Pushes every metric of a gate to its ends and to missing, and reports the checks that nothing can make block. */
import { numbersIn, operandsOf } from './expression/names.ts'
import type { JudgedCheck } from './judge.ts'
import type { Check, Gate } from './pipeline.ts'
import { judgeSupposed } from './supposed.ts'
import type { Supposed } from './supposed.ts'

export interface CheckStrength {
  readonly check: Check
  /** `fails`: some value makes it fail. `missing-only`: it blocks only when a value is missing. `never`: nothing does. */
  readonly strength: 'fails' | 'missing-only' | 'never'
  /** Scores that make it block, the first that were found; null if nothing does. */
  readonly blockedBy: Supposed | null
}

export interface GateStrength {
  /** The required checks. */
  readonly checks: readonly CheckStrength[]
  /** Judged metrics that no required check reads: they may fall as far as they like. */
  readonly unguarded: readonly string[]
}

/** Beyond any real score where the metric has no end of its own, and far from overflowing. */
const FAR = 1e12
/** A check with more combinations is tried with one metric off the common value at a time. */
const MOST_TRIALS = 20_000

export function strengthOf(gate: Gate): GateStrength {
  const required = gate.checks.filter(({ level }) => level === 'require')
  const read = new Set(required.flatMap(({ expression }) => operandsOf(expression)))
  return {
    checks: required.map((check) => strengthOfCheck(check, gate)),
    unguarded: Object.keys(gate.metrics)
      .filter((name) => !read.has(name))
      .sort(),
  }
}

function strengthOfCheck(check: Check, gate: Gate): CheckStrength {
  const names = operandsOf(check.expression)
  const values = names.map((name) => valuesFor(name, check, gate))
  let missing: Supposed | null = null
  for (const supposed of trials(names, values)) {
    const outcome = outcomeOf(check, gate, supposed)
    if (outcome === 'fail' && !Object.values(supposed).includes(null))
      return { check, strength: 'fails', blockedBy: supposed }
    if (outcome !== 'pass') missing ??= supposed
  }
  return { check, strength: missing === null ? 'never' : 'missing-only', blockedBy: missing }
}

function outcomeOf(check: Check, gate: Gate, supposed: Supposed): JudgedCheck['outcome'] {
  const [judged] = judgeSupposed({ ...gate, checks: [check] }, supposed).checks
  if (judged === undefined) throw new Error('bug: a check was not judged')
  return judged.outcome
}

/** The ends of its range, what the check compares with and just beside it, and missing. */
function valuesFor(name: string, check: Check, gate: Gate): readonly (number | null)[] {
  const metric = gate.metrics[name.split('.').at(-1) ?? '']
  const low = metric?.min ?? -FAR
  const high = metric?.max ?? FAR
  const near = numbersIn(check.expression).flatMap((limit) => [
    limit - step(limit),
    limit,
    limit + step(limit),
  ])
  const within = near.filter((value) => value >= low && value <= high)
  return [...new Set([low, high, ...within]), null]
}

const step = (limit: number) => Math.max(1e-6, Math.abs(limit) * 1e-6)

/** All combinations if they are few enough; else every name alone at each of its values, the others at one of theirs. */
function* trials(
  names: readonly string[],
  values: readonly (readonly (number | null)[])[],
): Generator<Supposed> {
  const count = values.reduce((product, each) => product * each.length, 1)
  if (count <= MOST_TRIALS) {
    for (let index = 0; index < count; index++) {
      let rest = index
      yield Object.fromEntries(
        names.map((name, i) => {
          const these = values[i] ?? [null]
          const value = these[rest % these.length] ?? null
          rest = Math.floor(rest / these.length)
          return [name, value]
        }),
      )
    }
    return
  }
  for (const common of [0, 1]) {
    const others = names.map((name, i) => [name, values[i]?.[common] ?? null] as const)
    for (const [i, name] of names.entries())
      for (const value of values[i] ?? []) yield { ...Object.fromEntries(others), [name]: value }
  }
}
