/** Decides a `when:` by what is known of the run at that moment; loads no parser, as it runs beside the engine. */
import { evaluate, type ValueScope } from './expression/evaluate.ts'
import { namesIn } from './expression/syntax.ts'
import type { Condition } from './pipeline.ts'
import type { JsonObject } from './stage-signature.ts'

/** Facts of a run in progress: dotted name (`run.branch`, `gate.passed`) -> value; null where it is not known. */
export type ConditionFacts = JsonObject

/** `when: run.branch == 'main' (run.branch is 'dev')`: a condition that does not hold, with what the run says of itself. */
export function conditionText({ text, expression }: Condition, facts: ConditionFacts): string {
  const names = new Set(namesIn(expression).map(({ path }) => path.join('.')))
  const known = [...names].flatMap((name) => {
    const value = name.startsWith('run.') ? (facts[name] ?? null) : null
    return value === null
      ? []
      : [`${name} is ${typeof value === 'string' ? `'${value}'` : JSON.stringify(value)}`]
  })
  return `when: ${text}${known.length === 0 ? '' : ` (${known.join(', ')})`}`
}

/** Whether the stage runs, or the fact that is missing for an answer. */
export function holdsNow(
  condition: Condition,
  facts: ConditionFacts,
): { readonly value: boolean } | { readonly missing: string } {
  for (const { path } of namesIn(condition.expression)) {
    const name = path.join('.')
    if (name !== 'none' && (facts[name] ?? null) === null) return { missing: name }
  }
  const scope: ValueScope = {
    params: {},
    poisoned: new Set(),
    pipeline: '',
    env: {},
    matrix: { point: {}, declared: null, poisoned: false },
    names: facts,
  }
  return { value: evaluate(condition.expression, scope, []) === true }
}
