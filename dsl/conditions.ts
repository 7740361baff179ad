/** `when:`: a condition over parameters, the run and what became of other stages; checked before anything runs. */
import type { Diagnostic } from './diagnostic.ts'
import { evaluate, type ValueScope } from './expression/evaluate.ts'
import { parseExpression } from './expression/parse.ts'
import { namesIn, type Expression, type Name } from './expression/syntax.ts'
import type { Condition } from './pipeline.ts'
import { wrongOperand } from './problems/expression.ts'
import { A, kindOf } from './problems/nouns.ts'
import type { TextNode } from './read-file.ts'
import type { Json, JsonObject } from './stage-signature.ts'

/** What a run knows of itself, with an example of each type. */
export const RUN_NAMES: JsonObject = {
  'run.branch': 'main',
  'run.tag': 'v1',
  'run.event': 'push',
  'run.ci': false,
  'run.smoke': false,
}

/** What may have become of a stage or gate by the time it is asked for. */
export const STAGE_STATES = ['done', 'ran', 'cached', 'failed', 'skipped'] as const
export const GATE_STATES = ['passed', 'failed', 'undecided', 'skipped'] as const

/** Null after a mistake. `stages` maps every stage that may be asked for to whether it is a gate. */
export function readCondition(
  node: TextNode,
  scope: ValueScope,
  stages: ReadonlyMap<string, 'gate' | 'stage'>,
  out: Diagnostic[],
): Condition | null {
  const fragment = { source: node.span.source, text: node.value, offsets: node.offsets }
  const parsed = parseExpression(fragment, out)
  if (parsed === null) return null
  const states: [string, Json][] = [...stages].flatMap(([name, what]) =>
    (what === 'gate' ? GATE_STATES : STAGE_STATES).map((state): [string, Json] => [
      `${name}.${state}`,
      false,
    ]),
  )
  const names: JsonObject = { ...RUN_NAMES, ...Object.fromEntries(states) }
  const value = evaluate(parsed, { ...scope, names }, out)
  if (value === undefined) return null
  if (typeof value !== 'boolean') {
    out.push(wrongOperand(node.span, A.truth, kindOf(value)))
    return null
  }
  const expression = settle(parsed, { ...scope, names })
  const asks = namesIn(expression).flatMap(({ path: [first = ''] }) => (stages.has(first) ? [first] : []))
  return { text: node.value.trim(), expression, asks: [...new Set(asks)], span: node.span }
}

/** Puts in what is known already: parameters, the point of the matrix, the environment. */
function settle(expression: Expression, scope: ValueScope): Expression {
  switch (expression.type) {
    case 'name':
      return ['params', 'matrix', 'env', 'pipeline'].includes(expression.path[0] ?? '')
        ? literal(expression, scope)
        : expression
    case 'call':
      return expression.name === 'env'
        ? literal(expression, scope)
        : { ...expression, args: expression.args.map((each) => settle(each, scope)) }
    case 'not':
    case 'negate':
      return { ...expression, operand: settle(expression.operand, scope) }
    case 'logic':
    case 'compare':
    case 'arithmetic':
      return { ...expression, left: settle(expression.left, scope), right: settle(expression.right, scope) }
    case 'default':
      return {
        ...expression,
        value: settle(expression.value, scope),
        fallback: settle(expression.fallback, scope),
      }
    case 'between':
      return {
        ...expression,
        value: settle(expression.value, scope),
        low: settle(expression.low, scope),
        high: settle(expression.high, scope),
      }
    case 'number':
    case 'string':
    case 'boolean':
    case 'missing':
    case 'sliced':
    case 'directed':
    case 'significance':
      return expression
  }
}

function literal(expression: Expression, scope: ValueScope): Expression {
  const value = evaluate(expression, scope, [])
  const { span } = expression
  if (typeof value === 'number') return { type: 'number', value, unit: null, dim: 'num', span }
  if (typeof value === 'string') return { type: 'string', value, span }
  if (typeof value === 'boolean') return { type: 'boolean', value, span }
  return { type: 'name', path: ['none'], parts: [span], span } satisfies Name
}
