/** Reads a gate: whose metrics are judged, what the yardstick is, and every check parsed and typed. */
import type { Diagnostic } from './diagnostic.ts'
import { checkTypes, type CheckScope, type Space } from './expression/check-types.ts'
import { parseExpression } from './expression/parse.ts'
import { namesIn, type Expression } from './expression/syntax.ts'
import { keyNames } from './keys.ts'
import type { Check, Gate, Reference } from './pipeline.ts'
import * as checkProblems from './problems/checks.ts'
import * as graphProblems from './problems/graph.ts'
import * as valueProblems from './problems/values.ts'
import type { TextNode } from './read-file.ts'
import type { Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import type { MetricSchema } from './stage-signature.ts'
import { A, kindOf } from './problems/nouns.ts'
import { entryOf, isText, plainValue, type MapEntry, type MapNode, type Node } from './tree.ts'
import type { Draft } from './wiring.ts'

export interface GateScope {
  readonly drafts: ReadonlyMap<string, Draft>
  readonly stageNames: readonly string[]
  readonly kindNames: readonly string[]
  /** The stage whose metrics the gate reads; null if that is not known because of a mistake. */
  readonly judged: Draft | null
  /** What feeds the judged stage, to make its untuned twin. */
  readonly judgedInputs: Readonly<Record<string, Reference>>
  /** Stages that the judged one was made from, nearest first. */
  readonly upstream: readonly Draft[]
}

export interface ReadGate {
  readonly gate: Gate
  /** Stages named by the gate: they must have finished before it is judged. */
  readonly waitsFor: readonly string[]
  /** The twin without an adapter that `baseline: untuned` asks for. */
  readonly untuned: { readonly twinOf: string; readonly span: Span } | null
}

export const UNTUNED = 'untuned'

export function readGate(draft: Draft, scope: GateScope, out: Diagnostic[]): ReadGate | null {
  const { declaration } = draft
  const { judged } = scope
  const baseline = resolveBaseline(declaration?.baseline ?? null, draft, scope, out)
  if (declaration?.checks == null) {
    const written = declaration?.gateKeys.some((each) => each.key === 'checks') === true
    if (!written) out.push(checkProblems.noChecks(draft.span, draft.name))
    return null
  }
  if (declaration.checks.items.length === 0) {
    out.push(checkProblems.noChecks(declaration.checks.span, draft.name))
    return null
  }
  const before = out.length
  const types = judged === null ? null : checkScope(draft, judged, baseline?.name ?? null, scope)
  const items = declaration.checks.items
  const limits = declaration.budget?.items ?? []
  const spending = types === null ? null : { ...types, judged: TOTAL }
  const checks = [
    ...items.flatMap((item) => readCheck(item, types, baseline === undefined, out) ?? []),
    ...limits
      .flatMap((item) => readCheck(item, spending, false, out) ?? [])
      .map((check): Check => ({ ...check, budget: true })),
  ]
  const complete = checks.length === items.length + limits.length
  if (judged === null || types === null || baseline === undefined || !complete) return null
  if (!checks.some((check) => check.level === 'require'))
    out.push(checkProblems.onlyWarnings(declaration.checks.span, draft.name))
  if (out.slice(before).some((each) => each.severity === 'error')) return null
  const named = new Set(checks.flatMap((check) => spacesIn(check.expression)))
  const others = [...named].filter((name) => scope.drafts.has(name))
  const { data, train } = factsUpstream(scope)
  const yardstick = baseline?.name ?? null
  const waitsFor = [...new Set([...(yardstick === null ? [] : [yardstick]), ...others])]
  return {
    gate: {
      judged: judged.name,
      baseline: yardstick,
      metrics: types.judged.metrics,
      facts: { data: data.map((each) => each.name), train: train.map((each) => each.name) },
      checks,
    },
    waitsFor: waitsFor.filter((name) => name !== judged.name),
    untuned: baseline?.synthesise === true ? { twinOf: judged.name, span: baseline.span } : null,
  }
}

interface Baseline {
  readonly name: string
  readonly span: Span
  readonly synthesise: boolean
}

/** Null if none is named, undefined after a mistake. */
function resolveBaseline(
  node: TextNode | null,
  gate: Draft,
  scope: GateScope,
  out: Diagnostic[],
): Baseline | null | undefined {
  if (node === null) {
    const written = gate.declaration?.gateKeys.some((each) => each.key === 'baseline') === true
    return written ? undefined : null
  }
  const name = node.value
  const draft = scope.drafts.get(name)
  if (draft !== undefined) {
    if (!Object.values(draft.outputs).includes('metrics')) {
      if (draft.sound) out.push(graphProblems.measuresNothing(node.span, name))
      return undefined
    }
    if (draft.name === scope.judged?.name) {
      out.push(graphProblems.baselineIsJudged(node.span, name))
      return undefined
    }
    return { name, span: node.span, synthesise: false }
  }
  if (scope.stageNames.includes(name)) return undefined
  if (name !== UNTUNED) {
    const near = didYouMean(name, [...scope.stageNames, UNTUNED])
    out.push(graphProblems.unknownStage(node.span, name, near, scope.stageNames, scope.kindNames))
    return undefined
  }
  if (scope.judged === null) return undefined
  const adapted = Object.keys(scope.judgedInputs).some(
    (port) => scope.judged?.kind.inputs[port]?.type === 'adapter',
  )
  if (!adapted) {
    // An adapter that is written but unresolved has its message.
    if (
      scope.judged.declaration?.inputs.some(
        (each) => each.value.value !== 'none' && !Object.hasOwn(scope.judgedInputs, each.port),
      )
    )
      return undefined
    if (scope.judged.sound)
      out.push(graphProblems.untunedWithoutAdapter(node.span, scope.judged, modelBefore(scope)))
    return undefined
  }
  return { name: UNTUNED, span: node.span, synthesise: true }
}

/** Where the model comes from that was tuned on the way to the judged stage; null if none was. */
function modelBefore({ upstream }: GateScope): string | null {
  const makes = (draft: Draft, wanted: string) =>
    Object.entries(draft.outputs).find(([, type]) => type === wanted)?.[0]
  if (!upstream.some((each) => makes(each, 'adapter') !== undefined)) return null
  const maker = upstream.find(
    (each) =>
      makes(each, 'model') !== undefined &&
      !Object.values(each.kind.inputs).some(({ type }) => type === 'adapter'),
  )
  return maker === undefined ? 'sources.model' : `${maker.name}.${makes(maker, 'model') ?? ''}`
}

function spaceOf(draft: Draft): Space {
  return { metrics: draft.kind.measures?.(draft.with) ?? draft.kind.facts ?? {}, stage: draft.name }
}

const seconds = (en: string, zh: string): MetricSchema => ({
  direction: 'lower',
  min: 0,
  max: null,
  dim: 's',
  perExample: false,
  title: { en, zh },
})

/** What the whole pipeline took, cached stages included: the time in which each was made. */
export const TOTAL: Space = {
  stage: 'total',
  metrics: {
    duration: seconds('Time of all stages', '全部阶段的用时'),
    gpu_time: seconds('Time of all stages that held a GPU, times GPUs', '占用 GPU 的时间乘以 GPU 数'),
  },
}

/**
 * Facts of the data (`data.rows`) and of the training (`train.loss`) behind the judged stage. A stage that is called
 * `train` and says something is what `train.x` means.
 */
function factsUpstream(scope: GateScope): Record<'data' | 'train', readonly Draft[]> {
  const facts = scope.upstream.filter((each) => each.kind.facts !== undefined)
  const trains = (each: Draft) => Object.values(each.outputs).some((type) => type === 'adapter')
  const named = scope.drafts.get('train')
  const speaks = named !== undefined && (named.kind.measures ?? named.kind.facts) !== undefined
  return {
    data: facts.filter((each) => !trains(each)),
    train: speaks ? [] : facts.filter(trains).slice(0, 1),
  }
}

/** Of several stages that say `rows`, the nearest to the judged one counts. */
function mergedFacts(drafts: readonly Draft[]): Space['metrics'] {
  return Object.assign({}, ...[...drafts].reverse().map((each) => each.kind.facts)) as Space['metrics']
}

function checkScope(
  gate: Draft,
  judged: Draft,
  baseline: string | null,
  scope: GateScope,
): CheckScope | null {
  if (!judged.sound) return null
  const space = spaceOf(judged)
  const spaces: [string, Space][] = [
    ['main', space],
    ['last', space],
  ]
  for (const draft of scope.drafts.values())
    if ((draft.kind.measures ?? draft.kind.facts) !== undefined && draft.name !== gate.name)
      spaces.push([draft.name, spaceOf(draft)])
  const facts = factsUpstream(scope)
  for (const name of ['data', 'train'] as const)
    if (facts[name].length > 0) spaces.push([name, { stage: name, metrics: mergedFacts(facts[name]) }])
  spaces.push(['total', TOTAL])
  if (baseline !== null) {
    const draft = scope.drafts.get(baseline)
    const measured = draft === undefined ? { ...space, stage: baseline } : spaceOf(draft)
    spaces.push(['baseline', measured])
    if (draft === undefined) spaces.push([baseline, measured])
  }
  return {
    judged: space,
    spaces: Object.fromEntries(spaces),
    measurable: judged.kind.measurable ?? {},
    measuredAt: judged.optionSpans['metrics'] ?? null,
    slices: judged.kind.slices?.(judged.with) ?? [],
    ports: Object.keys(scope.judgedInputs),
  }
}

const CHECK_KEYS = keyNames('check')

function readCheck(
  item: Node,
  scope: CheckScope | null,
  baselinePoisoned: boolean,
  out: Diagnostic[],
): Check | null {
  if (item.type === 'poison') return null
  if (isText(item)) return typedCheck(item, 'require', null, null, scope, baselinePoisoned, out)
  if (item.type !== 'map') {
    out.push(checkProblems.oddCheck(item.span))
    return null
  }
  for (const entry of item.entries)
    if (!CHECK_KEYS.includes(entry.key)) {
      out.push(unknownKeyOf(entry))
      return null
    }
  return longCheck(item, scope, baselinePoisoned, out)
}

function unknownKeyOf({ key, keySpan, value }: MapEntry): Diagnostic {
  if (
    isText(value) &&
    value.plain &&
    /^(?:[<>]=?|==|!=|between |better than |no worse than |is )/.test(value.value)
  ) {
    const colon = { ...keySpan, start: keySpan.end, end: value.span.start }
    return checkProblems.colonInCheck(keySpan, colon, `${key} ${value.value}`)
  }
  return checkProblems.unknownCheckKey(keySpan, key, didYouMean(key, CHECK_KEYS))
}

function longCheck(
  item: MapNode,
  scope: CheckScope | null,
  baselinePoisoned: boolean,
  out: Diagnostic[],
): Check | null {
  const require = entryOf(item, 'require')
  const warn = entryOf(item, 'warn')
  const entry = require ?? warn
  if (entry === undefined || (require !== undefined && warn !== undefined)) {
    out.push(checkProblems.oddCheck(item.span))
    return null
  }
  if (!isText(entry.value)) {
    if (entry.value.type !== 'poison') out.push(checkProblems.oddCheck(entry.value.span))
    return null
  }
  const note = (key: string): string | null => {
    const value = entryOf(item, key)?.value
    if (value === undefined || value.type === 'poison') return null
    if (isText(value)) return value.value
    out.push(valueProblems.wrongType(value.span, key, A.text, kindOf(plainValue(value))))
    return null
  }
  const level = require === undefined ? 'warn' : 'require'
  return typedCheck(entry.value, level, note('name'), note('why'), scope, baselinePoisoned, out)
}

function typedCheck(
  node: TextNode,
  level: Check['level'],
  name: string | null,
  why: string | null,
  scope: CheckScope | null,
  baselinePoisoned: boolean,
  out: Diagnostic[],
): Check | null {
  if (node.value.trim() === '') {
    out.push(checkProblems.oddCheck(node.span))
    return null
  }
  const fragment = { source: node.span.source, text: node.value, offsets: node.offsets }
  const parsed = parseExpression(fragment, out)
  if (parsed === null || scope === null) return null
  // Against a baseline that has its own message nothing can be said.
  if (baselinePoisoned && spacesIn(parsed).includes('baseline')) return null
  const expression = checkTypes(parsed, scope, out)
  if (expression === null) return null
  return { level, text: node.value.trim(), name, why, expression, span: node.span, budget: false }
}

/** Namespaces and bare metrics that an expression mentions. */
function spacesIn(expression: Expression): readonly string[] {
  return namesIn(expression).flatMap((name) => name.path.slice(0, 1))
}
