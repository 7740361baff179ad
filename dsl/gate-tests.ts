/** `NAME.gate-tests.yaml`: made-up scores and what the gate must say to them; text -> tests -> outcomes. */
import type { Checked, Diagnostic } from './diagnostic.ts'
import { operandsOf } from './expression/names.ts'
import type { Verdict } from './judge.ts'
import type { Gate, Pipeline } from './pipeline.ts'
import * as problems from './problems/gate-tests.ts'
import { A, kindOf } from './problems/nouns.ts'
import { unknownKey } from './problems/text.ts'
import { notOneOf, wrongType } from './problems/values.ts'
import { readYaml } from './read-yaml.ts'
import type { Source, Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import { judgeSupposed } from './supposed.ts'
import type { Supposed } from './supposed.ts'
import { entryOf, isText, plainValue, spanAt } from './tree.ts'
import type { MapNode, Node } from './tree.ts'
import { readQuantity } from './units.ts'

export interface GateTest {
  readonly gate: string
  readonly given: Supposed
  readonly expect: Verdict['verdict']
  readonly because: string | null
  readonly span: Span
}

export interface GateTestOutcome {
  readonly test: GateTest
  readonly verdict: Verdict
  readonly holds: boolean
}

const KEYS: readonly string[] = ['given', 'expect', 'because', 'gate']
const VERDICTS: readonly Verdict['verdict'][] = ['pass', 'fail', 'undecided']

export function readGateTests(source: Source, pipeline: Pipeline): Checked<readonly GateTest[]> {
  const out: Diagnostic[] = []
  const tests = testsIn(source, pipeline, out)
  return out.some(({ severity }) => severity === 'error') || tests === null
    ? { diagnostics: out }
    : { value: tests, diagnostics: out }
}

export function runGateTests(tests: readonly GateTest[], pipeline: Pipeline): readonly GateTestOutcome[] {
  return tests.map((test) => {
    const gate = gatesOf(pipeline).get(test.gate)
    if (gate === undefined) throw new Error(`bug: there is no gate ${test.gate}`)
    const verdict = judgeSupposed(gate, test.given)
    return { test, verdict, holds: verdict.verdict === test.expect }
  })
}

/** The tests that do not hold, as problems of the file that they stand in. */
export function brokenTests(outcomes: readonly GateTestOutcome[]): readonly Diagnostic[] {
  return outcomes
    .filter(({ holds }) => !holds)
    .map(({ test: { gate, expect, because, span }, verdict }) => {
      const decisive = verdict.checks.filter(({ level, outcome }) =>
        level === 'require' && verdict.verdict === 'fail'
          ? outcome === 'fail'
          : level === 'require' && outcome === 'unknown',
      )
      const checks = verdict.verdict === 'pass' ? [] : decisive.map(({ text }) => text)
      return problems.gateTestFails(span, {
        gate,
        expected: expect,
        verdict: verdict.verdict,
        because,
        checks,
      })
    })
}

function gatesOf(pipeline: Pipeline): ReadonlyMap<string, Gate> {
  return new Map(pipeline.stages.flatMap(({ name, gate }) => (gate === null ? [] : [[name, gate] as const])))
}

function testsIn(source: Source, pipeline: Pipeline, out: Diagnostic[]): readonly GateTest[] | null {
  const whole = spanAt(source, 0, Math.max(0, source.text.indexOf('\n')))
  const wrong = () => out.push(problems.notGateTests(whole))
  if (source.text.trim() === '') {
    wrong()
    return null
  }
  const root = readYaml(source, out)
  if (root === null || root.type === 'poison') return null
  if (root.type !== 'list' || root.items.length === 0) {
    wrong()
    return null
  }
  return root.items.flatMap((item) => readTest(item, pipeline, out) ?? [])
}

function readTest(item: Node, pipeline: Pipeline, out: Diagnostic[]): GateTest | null {
  if (item.type === 'poison') return null
  if (item.type !== 'map') {
    out.push(problems.notAGateTest(item.span))
    return null
  }
  const before = out.length
  for (const { key, keySpan } of item.entries)
    if (!KEYS.includes(key)) out.push(unknownKey(keySpan, key, 'gate test', KEYS))
  const gate = gateIn(item, pipeline, out)
  const expect = verdictIn(item, out)
  const given = gate === null ? {} : givenIn(item, gate.gate, out)
  const because = entryOf(item, 'because')?.value
  if (because !== undefined && because.type !== 'poison' && !isText(because))
    out.push(wrongType(because.span, 'because', A.text, kindOf(plainValue(because))))
  if (gate === null || expect === null || out.length > before) return null
  return {
    gate: gate.name,
    given,
    expect,
    because: because !== undefined && isText(because) ? because.value : null,
    span: item.span,
  }
}

/** The only gate, unless the test names one. */
function gateIn(
  item: MapNode,
  pipeline: Pipeline,
  out: Diagnostic[],
): { readonly name: string; readonly gate: Gate } | null {
  const gates = gatesOf(pipeline)
  const names = [...gates.keys()]
  const written = entryOf(item, 'gate')
  if (written === undefined) {
    const [only, second] = gates
    if (only !== undefined && second === undefined) return { name: only[0], gate: only[1] }
    out.push(problems.missingInGateTest(item.span, 'gate', `gate: ${names[0] ?? 'gate'}`))
    return null
  }
  const name = isText(written.value) ? written.value.value : ''
  const gate = gates.get(name)
  if (gate !== undefined) return { name, gate }
  if (written.value.type !== 'poison')
    out.push(notOneOf(written.value.span, 'gate', name, didYouMean(name, names), names))
  return null
}

function verdictIn(item: MapNode, out: Diagnostic[]): Verdict['verdict'] | null {
  const written = entryOf(item, 'expect')
  if (written === undefined) {
    out.push(problems.missingInGateTest(item.span, 'expect', 'expect: fail'))
    return null
  }
  if (written.value.type === 'poison') return null
  const word = isText(written.value) ? written.value.value : ''
  const verdict = VERDICTS.find((each) => each === word)
  if (verdict !== undefined) return verdict
  const near = didYouMean(word, VERDICTS)
  out.push(notOneOf(written.value.span, 'expect', word, near, VERDICTS))
  return null
}

function givenIn(item: MapNode, gate: Gate, out: Diagnostic[]): Supposed {
  const written = entryOf(item, 'given')
  if (written === undefined) {
    out.push(problems.missingInGateTest(item.span, 'given', 'given: { bleu: 0.2 }'))
    return {}
  }
  if (written.value.type === 'poison') return {}
  if (written.value.type !== 'map') {
    out.push(wrongType(written.value.span, 'given', A.map, kindOf(plainValue(written.value))))
    return {}
  }
  const asked = gate.checks.flatMap(({ expression }) => operandsOf(expression))
  const known = [...new Set([...asked, ...Object.keys(gate.metrics)])].sort()
  const given: Record<string, number | null> = {}
  for (const { key, keySpan, value } of written.value.entries) {
    if (!known.includes(key)) out.push(unknownKey(keySpan, key, 'given', known))
    else if (value.type !== 'poison') {
      const score = scoreIn(value)
      if (score === undefined) out.push(problems.notAScore(value.span, key))
      else given[key] = score
    }
  }
  return given
}

/** Undefined if it is no score. */
function scoreIn(node: Node): number | null | undefined {
  if (node.type !== 'scalar') return undefined
  if (node.value === null || node.value === 'missing') return null
  if (typeof node.value === 'number') return node.value
  const quantity = typeof node.value === 'string' ? readQuantity(node.value) : null
  return quantity?.type === 'quantity' ? quantity.value : undefined
}
