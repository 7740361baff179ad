/** Exports that a condition could let past a gate: what leaves must have been let pass, whatever the rest of the run says. */
import { GATE_STATES } from './conditions.ts'
import type { Diagnostic } from './diagnostic.ts'
import type { Expression } from './expression/syntax.ts'
import type { Stage } from './pipeline.ts'
import { pastTheGate } from './problems/exports.ts'

/** Kleene's third value: what branch, event or other stages decide, not this gate. */
type Known = boolean | null

export function checkUngated(
  stages: readonly Stage[],
  isExport: (stage: Stage) => boolean,
  out: Diagnostic[],
): void {
  const byName = new Map(stages.map((stage) => [stage.name, stage]))
  for (const stage of stages.filter(isExport)) {
    const queue = [stage]
    const seen = new Set(queue)
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
      const { when } = at
      const needs = [
        ...Object.values(at.inputs),
        ...at.after.map((name) => ({ type: 'stage' as const, stage: name })),
      ].flatMap((each) => (each.type === 'stage' ? (byName.get(each.stage) ?? []) : []))
      const gates = needs.filter(({ gate }) => gate !== null).map(({ name }) => name)
      const asked = gates.filter((name) => when?.asks.includes(name) === true)
      const hole = asked.find((gate) =>
        GATE_STATES.some(
          (state) => state !== 'passed' && when !== null && valueWith(when.expression, gate, state) !== false,
        ),
      )
      if (when !== null && hole !== undefined) out.push(pastTheGate(when.span, stage.name, hole))
      // What stands before a gate that has to pass was judged by it.
      if (gates.length > 0) continue
      for (const each of needs) {
        if (seen.has(each)) continue
        seen.add(each)
        queue.push(each)
      }
    }
  }
}

/** The condition if the gate ended so; null where more would have to be known. */
function valueWith(expression: Expression, gate: string, state: string): Known {
  const of = (each: Expression): Known => valueWith(each, gate, state)
  switch (expression.type) {
    case 'boolean':
      return expression.value
    case 'name':
      return expression.path[0] === gate ? expression.path[1] === state : null
    case 'not': {
      const value = of(expression.operand)
      return value === null ? null : !value
    }
    case 'logic': {
      const [left, right] = [of(expression.left), of(expression.right)]
      const decisive = expression.operator === 'or'
      if (left === decisive || right === decisive) return decisive
      return left === null || right === null ? null : !decisive
    }
    case 'compare': {
      const [left, right] = [of(expression.left), of(expression.right)]
      if (left === null || right === null) return null
      // Of truths there is no smaller one, so that only these two compare them.
      return expression.operator === '==' ? left === right : left !== right
    }
    case 'number':
    case 'string':
    case 'call':
    case 'negate':
    case 'arithmetic':
    case 'default':
    case 'between':
    case 'missing':
    case 'sliced':
    case 'directed':
    case 'significance':
      return null
  }
}
