/** The one door of the language: a text becomes a validated pipeline, or the list of everything wrong with it. */
import type { Checked, Diagnostic } from './diagnostic.ts'
import type { ValueScope } from './expression/evaluate.ts'
import { readGate, UNTUNED, type ReadGate } from './gates.ts'
import { cyclesOf, graphOf, runningOrder, type Edge } from './graph.ts'
import { propertiesOf, resolveOptions } from './options.ts'
import { own } from './own.ts'
import { readParams } from './params.ts'
import type { CompileOptions, Pipeline, Reference, Stage } from './pipeline.ts'
import * as graphProblems from './problems/graph.ts'
import * as textProblems from './problems/text.ts'
import { readFile, type Declarations, type StageDeclaration } from './read-file.ts'
import { readYaml } from './read-yaml.ts'
import { secretsIn } from './secrets.ts'
import { slipBehind } from './slips.ts'
import { isSlug } from './slug.ts'
import type { Source, Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import type { StageSignature } from './stage-signature.ts'
import { isGate, wire, type Draft, type Wiring } from './wiring.ts'

type Kinds = Readonly<Record<string, StageSignature>>

/**
 * Compiles a pipeline file. Pure: looks at nothing but its arguments, never throws for any text.
 * `kinds` is by name. Diagnostics are sorted by position; without an error there is a value.
 */
export function compile(source: Source, kinds: Kinds, options: CompileOptions = {}): Checked<Pipeline> {
  const out: Diagnostic[] = []
  const pipeline = build(source, kinds, options, out)
  const diagnostics = out
    .map((each, i) => ({ each: slipBehind(each), i }))
    .sort((a, b) => a.each.primary.span.start - b.each.primary.span.start || a.i - b.i)
    .map(({ each }) => each)
  const failed = diagnostics.some((each) => each.severity === 'error')
  return failed || pipeline === null ? { diagnostics } : { value: pipeline, diagnostics }
}

function build(source: Source, kinds: Kinds, options: CompileOptions, out: Diagnostic[]): Pipeline | null {
  const root = readYaml(source, out)
  if (root === null || root.type === 'poison') return null
  if (root.type !== 'map') {
    out.push(textProblems.notAPipeline(root.span))
    return null
  }
  const file = readFile(root, out)
  out.push(...secretsIn(root))
  const head: Span = { source, start: root.span.start, end: root.span.start + 1 }
  const params = readParams(file.params, options.params ?? {}, head, out)
  const values: ValueScope = { params: params.values, poisoned: params.poisoned, pipeline: file.name }
  const drafts = draftAll(file, kinds, values, out)
  const stageNames = [...new Set([...file.stages.map((each) => each.name), ...flowNames(file)])]
  const wiring = wire(
    {
      drafts,
      stageNames,
      sources: file.sources,
      sourcesPoisoned: file.poisoned,
      flow: file.flow?.chains ?? null,
      flowBroken: file.flowBroken,
      kinds,
    },
    out,
  )
  const gates = gatesOf(drafts, stageNames, wiring, kinds, file.poisoned, out)
  const stages = assemble(drafts, wiring, gates, file.defaults, out)
  if (stages === null) return null
  return {
    name: file.name,
    description: file.description,
    source,
    params: params.values,
    sources: Object.fromEntries(file.sources.map((each) => [each.name, each])),
    stages,
  }
}

function flowNames(file: Declarations): readonly string[] {
  return (file.flow?.chains ?? []).flat(2).map((each) => each.name)
}

/** Every stage whose kind is known, whether it has settings or stands only in the flow line. */
function draftAll(
  file: Declarations,
  kinds: Kinds,
  values: ValueScope,
  out: Diagnostic[],
): ReadonlyMap<string, Draft> {
  const drafts = new Map<string, Draft>()
  for (const declaration of file.stages) {
    const kind = kindOf(declaration, file, kinds, out)
    if (kind !== null)
      drafts.set(
        declaration.name,
        draftOf(declaration.name, kind, declaration, declaration.span, values, kinds, out),
      )
  }
  const known = file.stages.map((each) => each.name)
  const seen = new Set<string>(known)
  for (const { name, span } of (file.flow?.chains ?? []).flat(2)) {
    if (seen.has(name)) continue
    seen.add(name)
    const kind = own(kinds, name)
    if (kind !== undefined) drafts.set(name, draftOf(name, kind, null, span, values, kinds, out))
    else if (!file.poisoned || file.stages.length > 0) {
      const near = didYouMean(name, [...known, ...Object.keys(kinds)])
      out.push(graphProblems.unknownStage(span, name, near, known, Object.keys(kinds)))
    }
  }
  return drafts
}

function kindOf(
  declaration: StageDeclaration,
  file: Declarations,
  kinds: Kinds,
  out: Diagnostic[],
): StageSignature | null {
  const written = declaration.uses?.name ?? declaration.name
  const span = declaration.uses?.span ?? declaration.span
  const [name = '', major, ...rest] = written.split('@')
  const kind = own(kinds, name)
  if (kind === undefined) {
    // A `uses` that is not text has its message.
    if (declaration.uses === null && declaration.poisoned) return null
    const names = Object.keys(kinds)
    const near = didYouMean(name, names)
    const inFlow = flowNames(file).includes(declaration.name)
    out.push(
      graphProblems.unknownKind(
        span,
        name,
        declaration.uses === null && !inFlow && isSlug(name),
        near,
        names,
      ),
    )
    return null
  }
  if (major !== undefined && (rest.length > 0 || major !== kind.version.split('.')[0])) {
    out.push(graphProblems.otherVersion(span, written, kind.name, kind.version))
    return null
  }
  // Every kind but a gate is a function of its inputs.
  if (declaration.cacheOff !== null && !isGate(kind))
    out.push(graphProblems.cacheOff(declaration.cacheOff, declaration.name))
  if (isGate(kind)) out.push(...declaration.gateProblems)
  else
    for (const entry of declaration.gateKeys)
      out.push(graphProblems.gateKeyElsewhere(entry.keySpan, entry.key, declaration.name))
  return kind
}

function draftOf(
  name: string,
  kind: StageSignature,
  declaration: StageDeclaration | null,
  span: Span,
  values: ValueScope,
  kinds: Kinds,
  out: Diagnostic[],
): Draft {
  const elsewhere = (option: string): string | null =>
    Object.values(kinds).find(({ options }) => own(propertiesOf(options), option) !== undefined)?.name ?? null
  const resolved = resolveOptions(kind, declaration?.with ?? null, span, values, out, elsewhere)
  const sound = resolved.sound && declaration?.poisoned !== true
  return {
    name,
    kind,
    declaration,
    with: resolved.value,
    optionSpans: resolved.spans,
    outputs: kind.outputs(resolved.value),
    span,
    sound,
  }
}

function gatesOf(
  drafts: ReadonlyMap<string, Draft>,
  stageNames: readonly string[],
  wiring: Wiring,
  kinds: Kinds,
  filePoisoned: boolean,
  out: Diagnostic[],
): ReadonlyMap<string, ReadGate | null> {
  const gates = new Map<string, ReadGate | null>()
  for (const draft of drafts.values()) {
    if (!isGate(draft.kind)) continue
    const metrics = wiring.inputs.get(draft.name)?.['metrics']?.reference
    const judged = metrics?.type === 'stage' ? (drafts.get(metrics.stage) ?? null) : null
    const judgedInputs = judged === null ? {} : referencesOf(wiring, judged.name)
    const scope = { drafts, stageNames, kindNames: Object.keys(kinds), judged, judgedInputs }
    // Its settings may stand under a misspelt `stages:`.
    if (draft.declaration === null && filePoisoned) continue
    gates.set(draft.name, readGate(draft, scope, out))
  }
  const twins = [...gates.entries()].flatMap(([name, gate]) =>
    gate?.untuned ? [{ name, untuned: gate.untuned }] : [],
  )
  const [first] = twins
  for (const { untuned } of twins)
    if (first !== undefined && untuned.twinOf !== first.untuned.twinOf)
      out.push(graphProblems.severalUntuned(untuned.span, first.untuned.twinOf, untuned.twinOf))
  return gates
}

function referencesOf(wiring: Wiring, name: string): Readonly<Record<string, Reference>> {
  return Object.fromEntries(
    Object.entries(wiring.inputs.get(name) ?? {}).map(([port, each]) => [port, each.reference]),
  )
}

/** Stages in running order; null if they wait for each other, which is reported. */
function assemble(
  drafts: ReadonlyMap<string, Draft>,
  wiring: Wiring,
  gates: ReadonlyMap<string, ReadGate | null>,
  defaults: Declarations['defaults'],
  out: Diagnostic[],
): readonly Stage[] | null {
  const stages = new Map<string, Stage>()
  const edges: Edge[] = [...wiring.edges]
  for (const draft of drafts.values()) {
    const gate = gates.get(draft.name) ?? null
    const inputs = { ...referencesOf(wiring, draft.name) }
    const waitsFor = gate?.waitsFor ?? []
    for (const from of waitsFor) {
      const place = draft.declaration?.baseline?.value === from ? draft.declaration.baseline.span : draft.span
      edges.push({
        from,
        to: draft.name,
        label: { span: place, text: graphProblems.because.compares(draft.name, from) },
      })
    }
    const data = new Set(Object.values(inputs).map((each) => (each.type === 'stage' ? each.stage : '')))
    const after = [...new Set([...(wiring.after.get(draft.name) ?? []), ...waitsFor])].filter(
      (name) => !data.has(name),
    )
    stages.set(draft.name, {
      name: draft.name,
      uses: draft.kind.name,
      with: draft.with,
      optionSpans: draft.optionSpans,
      inputs,
      after: after.sort(),
      outputs: draft.outputs,
      cache: draft.declaration?.cache ?? defaults.cache,
      timeoutMs: draft.declaration === null ? defaults.timeoutMs : draft.declaration.timeoutMs,
      span: draft.span,
      synthesised: false,
      gate: gate?.gate ?? null,
    })
    if (gate?.untuned) addTwin(gate.untuned, drafts, wiring, defaults, stages, edges)
  }
  const graph = graphOf([...stages.keys()], edges)
  const cycles = cyclesOf(graph)
  for (const cycle of cycles) out.push(graphProblems.cycle(cycle.path, cycle.labels))
  if (cycles.length > 0) return null
  return runningOrder(graph).flatMap((name) => stages.get(name) ?? [])
}

/** The judged eval once more, without its adapter. */
function addTwin(
  untuned: { readonly twinOf: string; readonly span: Span },
  drafts: ReadonlyMap<string, Draft>,
  wiring: Wiring,
  defaults: Declarations['defaults'],
  stages: Map<string, Stage>,
  edges: Edge[],
): void {
  const judged = drafts.get(untuned.twinOf)
  if (judged === undefined || stages.has(UNTUNED)) return
  const inputs = Object.fromEntries(
    Object.entries(referencesOf(wiring, judged.name)).filter(
      ([port]) => own(judged.kind.inputs, port)?.type !== 'adapter',
    ),
  )
  for (const each of Object.values(inputs))
    if (each.type === 'stage') {
      const label = { span: untuned.span, text: graphProblems.because.reads(UNTUNED, each.stage) }
      edges.push({ from: each.stage, to: UNTUNED, label })
    }
  stages.set(UNTUNED, {
    name: UNTUNED,
    uses: judged.kind.name,
    with: judged.with,
    optionSpans: judged.optionSpans,
    inputs,
    after: [],
    outputs: judged.outputs,
    cache: judged.declaration?.cache ?? defaults.cache,
    timeoutMs: judged.declaration === null ? defaults.timeoutMs : judged.declaration.timeoutMs,
    span: untuned.span,
    synthesised: true,
    gate: null,
  })
}
