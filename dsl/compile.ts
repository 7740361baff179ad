/** The one door of the language: a text becomes a validated pipeline, or the list of everything wrong with it. */
import type { Checked, Diagnostic } from './diagnostic.ts'
import { expand, followedMatrices, type Decided } from './expand.ts'
import { checkExport } from './exports.ts'
import type { ValueScope } from './expression/evaluate.ts'
import { parseExpression } from './expression/parse.ts'
import { namesIn } from './expression/syntax.ts'
import { readGate, UNTUNED, type ReadGate } from './gates.ts'
import { cyclesOf, graphOf, runningOrder, type Edge } from './graph.ts'
import { propertiesOf, resolveOptions } from './options.ts'
import { own } from './own.ts'
import { readParams } from './params.ts'
import type { CompileOptions, Pipeline, Reference, Stage } from './pipeline.ts'
import * as expansion from './problems/expansion.ts'
import * as graphProblems from './problems/graph.ts'
import * as textProblems from './problems/text.ts'
import { readFile, type Declarations, type StageDeclaration } from './read-file.ts'
import { readMatrix } from './read-matrix.ts'
import type { RunSettings } from './read-settings.ts'
import type { Workers } from './read-workers.ts'
import { readYaml } from './read-yaml.ts'
import { readSelection } from './selections.ts'
import { rehearsal } from './rehearsal.ts'
import { secretsIn } from './secrets.ts'
import { slipBehind } from './slips.ts'
import { isSlug } from './slug.ts'
import type { Source, Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import { faultOf, silenced } from './kind-faults.ts'
import type { JsonObject, StageSignature } from './stage-signature.ts'
import { isText, type Node } from './tree.ts'
import { readWatches } from './watches.ts'
import { checkWorkers } from './workers.ts'
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
  const values: ValueScope = {
    params: params.values,
    poisoned: params.poisoned,
    pipeline: file.name,
    env: options.env ?? {},
    matrix: { point: {}, declared: null, poisoned: false },
    names: null,
  }
  const drafts = draftAll(file, kinds, values, out)
  checkWorkers(drafts.values(), file.defaults.worker, file.workers, out)
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
  const workers = file.workers ?? {}
  const stages = assemble({ drafts, wiring, gates, values, defaults: file.defaults, workers }, out)
  if (stages === null) return null
  return {
    // A rehearsal leaves the results, locks and logs of the real thing alone.
    name: options.smoke === true ? `${file.name}.smoke` : file.name,
    description: file.description,
    source,
    params: params.values,
    sources: Object.fromEntries(file.sources.map((each) => [each.name, each])),
    stages: options.smoke === true ? rehearsal(stages, file.sources, kinds) : stages,
    notify: file.notify,
    workers,
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
  // Which matrices reach a stage is known once it is wired; until then any point of any of them will do.
  const sample = { ...values, matrix: samplePoint(file, values) }
  for (const declaration of file.stages) {
    const kind = kindOf(declaration, file, kinds, out)
    if (kind !== null)
      drafts.set(
        declaration.name,
        draftOf(declaration.name, kind, declaration, declaration.span, sample, kinds, out),
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

/** A value for every axis of the file. */
function samplePoint(file: Declarations, values: ValueScope): ValueScope['matrix'] {
  const matrices = file.stages.flatMap(({ matrix }) =>
    matrix === null ? [] : [readMatrix(matrix, values, [])],
  )
  const points = matrices.map((matrix) => matrix?.points[0]?.values ?? {})
  return {
    point: Object.assign({}, ...points) as JsonObject,
    declared: null,
    poisoned: matrices.includes(null),
  }
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
  if (declaration.settings.cacheOff !== null && declaration.settings.cacheOff !== file.defaults.cacheOff)
    out.push(graphProblems.cacheOff(declaration.settings.cacheOff, declaration.name))
  if (kind.decides !== undefined) out.push(...declaration.gateProblems)
  if (!isGate(kind))
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
  const entry = declaration?.matrix ?? null
  const matrix = entry === null || kind.decides !== undefined ? null : readMatrix(entry, values, out)
  const followsMatrix = declaration?.with != null && mentionsMatrix(declaration.with)
  const point =
    matrix === null
      ? values.matrix
      : { point: matrix.points[0]?.values ?? {}, declared: matrix.span, poisoned: false }
  const sample = { ...values, matrix: point }
  const elsewhere = (option: string): string | null =>
    Object.values(kinds).find(({ options }) => own(propertiesOf(options), option) !== undefined)?.name ?? null
  const resolved = resolveOptions(kind, declaration?.with ?? null, span, sample, out, elsewhere)
  const fault = faultOf(kind, resolved.value)
  // Half an excuse: it was given options that have a message already.
  if (fault !== null && resolved.sound) out.push(graphProblems.kindFails(span, kind.name, fault))
  const sound =
    fault === null && resolved.sound && declaration?.poisoned !== true && (entry === null || matrix !== null)
  return {
    name,
    kind: fault === null ? kind : silenced(kind),
    declaration,
    with: resolved.value,
    optionSpans: resolved.spans,
    outputs: fault === null ? kind.outputs(resolved.value) : {},
    span,
    sound,
    matrix,
    followsMatrix,
    synthesised: false,
  }
}

function hasBrokenMatrix({ declaration, kind, matrix }: Draft): boolean {
  return declaration?.matrix != null && kind.decides === undefined && matrix === null
}

function mentionsMatrix(node: Node): boolean {
  if (node.type === 'map') return node.entries.some((entry) => mentionsMatrix(entry.value))
  if (node.type === 'list') return node.items.some(mentionsMatrix)
  return isText(node) && node.value.startsWith('=') && /\bmatrix\b/.test(node.value)
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
    const upstream = judged === null ? [] : upstreamOf(judged.name, drafts, wiring)
    const scope = { drafts, stageNames, kindNames: Object.keys(kinds), judged, judgedInputs, upstream }
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

/** What a stage was made from, nearest first. */
function upstreamOf(name: string, drafts: ReadonlyMap<string, Draft>, wiring: Wiring): readonly Draft[] {
  const found: Draft[] = []
  const queue = [name]
  for (let at = queue.shift(); at !== undefined; at = queue.shift())
    for (const { reference } of Object.values(wiring.inputs.get(at) ?? {})) {
      const draft = reference.type === 'stage' ? drafts.get(reference.stage) : undefined
      if (draft === undefined || found.includes(draft) || draft.name === name) continue
      found.push(draft)
      queue.push(draft.name)
    }
  return found
}

interface Parts {
  readonly drafts: ReadonlyMap<string, Draft>
  readonly wiring: Wiring
  readonly gates: ReadonlyMap<string, ReadGate | null>
  readonly values: ValueScope
  readonly defaults: RunSettings
  readonly workers: Workers
}

/** Stages in running order; null after a mistake that leaves them unknown, such as stages that wait for each other. */
function assemble(parts: Parts, out: Diagnostic[]): readonly Stage[] | null {
  const { wiring, gates } = parts
  const drafts = new Map(parts.drafts)
  const inputs = new Map(wiring.inputs)
  const edges: Edge[] = [...wiring.edges]
  for (const draft of parts.drafts.values()) {
    const gate = gates.get(draft.name) ?? null
    for (const from of gate?.waitsFor ?? []) {
      const place = draft.declaration?.baseline?.value === from ? draft.declaration.baseline.span : draft.span
      edges.push({
        from,
        to: draft.name,
        label: { span: place, text: graphProblems.because.compares(draft.name, from) },
      })
    }
    for (const { name, span } of askedIn(draft, drafts))
      edges.push({
        from: name,
        to: draft.name,
        label: { span, text: graphProblems.because.asks(draft.name, name) },
      })
    if (gate?.untuned) addTwin(gate.untuned, parts, drafts, inputs, edges)
  }
  const graph = graphOf([...drafts.keys()], edges)
  const cycles = cyclesOf(graph)
  for (const cycle of cycles) out.push(graphProblems.cycle(cycle.path, cycle.labels))
  if (cycles.length > 0) return null
  const order = runningOrder(graph)
  const wired = { ...wiring, inputs }
  const followed = followedMatrices({ drafts, wiring: wired, order })
  const decided = new Map<string, Decided>()
  for (const draft of drafts.values())
    decided.set(draft.name, decidedOf(draft, { ...parts, drafts, wiring: wired }, followed, out))
  // Nobody knows how many instances a mistaken matrix stands for.
  if ([...drafts.values()].some(hasBrokenMatrix)) return null
  return expand(
    {
      drafts,
      wiring: wired,
      decided,
      order,
      values: parts.values,
      defaults: parts.defaults,
      workers: parts.workers,
    },
    followed,
    out,
  )
}

/** Stages that a `when:` asks about; what is wrong with it is said later. */
function askedIn(
  draft: Draft,
  drafts: ReadonlyMap<string, Draft>,
): readonly { readonly name: string; readonly span: Span }[] {
  const node = draft.declaration?.when ?? null
  if (node === null) return []
  const fragment = { source: node.span.source, text: node.value, offsets: node.offsets }
  const expression = parseExpression(fragment, [])
  if (expression === null) return []
  const names = namesIn(expression).flatMap(({ path: [first = ''] }) => (drafts.has(first) ? [first] : []))
  return [...new Set(names)].filter((name) => name !== draft.name).map((name) => ({ name, span: node.span }))
}

/** Gate, choice, watches and order of one stage, now that it is known which matrices reach it. */
function decidedOf(
  draft: Draft,
  parts: Parts,
  followed: ReadonlyMap<string, readonly string[]>,
  out: Diagnostic[],
): Decided {
  const { drafts, wiring } = parts
  const read = parts.gates.get(draft.name) ?? null
  const gate = read?.gate ?? null
  const waitsFor = read?.waitsFor ?? []
  const count = (name: string): number =>
    (followed.get(name) ?? []).reduce(
      (product, matrix) => product * (drafts.get(matrix)?.matrix?.points.length ?? 1),
      1,
    )
  if (isGate(draft.kind)) {
    const judged = gate?.judged ?? judgedName(wiring, draft.name)
    for (const name of new Set([...(judged === null ? [] : [judged]), ...waitsFor]))
      if (count(name) > 1)
        out.push(
          expansion.manyForOne(draft.declaration?.metrics?.span ?? draft.span, draft.name, name, count(name)),
        )
    if (judged !== null) warnIfChosenThere(draft, judged, parts, count, out)
  }
  const metrics = wiring.inputs.get(draft.name)?.['metrics']?.reference
  const candidates = metrics?.type === 'stage' ? metrics.stage : null
  const selection =
    draft.kind.decides === 'select' && candidates !== null
      ? selectionOf(draft, candidates, count(candidates), parts, followed, out)
      : null
  if (draft.kind.decides === 'export') {
    const wires = wiring.inputs.get(draft.name) ?? {}
    const { pipeline } = parts.values
    checkExport(draft, { wires, count: count(draft.name), drafts: [...drafts.values()], pipeline }, out)
  }
  const watch = readWatches(draft, [...drafts.values()], out)
  return { gate, selection, watch, after: [...(wiring.after.get(draft.name) ?? []), ...waitsFor] }
}

function selectionOf(
  draft: Draft,
  candidates: string,
  count: number,
  parts: Parts,
  followed: ReadonlyMap<string, readonly string[]>,
  out: Diagnostic[],
): Decided['selection'] {
  const chosen = draft.with['choose'] === 'model' ? 'model' : 'adapter'
  if (parts.wiring.inputs.get(draft.name)?.[chosen] === undefined && draft.sound)
    out.push(expansion.nothingToChoose(draft.span, draft.name))
  const measured = parts.drafts.get(candidates) ?? null
  const axes = (followed.get(candidates) ?? []).flatMap((name) => parts.drafts.get(name)?.matrix?.axes ?? [])
  return readSelection(draft, { measured, count, axes }, out)
}

function judgedName(wiring: Wiring, gate: string): string | null {
  const reference = wiring.inputs.get(gate)?.['metrics']?.reference
  return reference?.type === 'stage' ? reference.stage : null
}

/** A winner looks better on the rows that chose it (W205). */
function warnIfChosenThere(
  gate: Draft,
  judged: string,
  parts: Parts,
  count: (name: string) => number,
  out: Diagnostic[],
): void {
  const { drafts, wiring } = parts
  const chooser = upstreamOf(judged, drafts, wiring).find((each) => each.kind.decides === 'select')
  const metrics = chooser === undefined ? undefined : wiring.inputs.get(chooser.name)?.['metrics']?.reference
  const compared = metrics?.type === 'stage' ? drafts.get(metrics.stage) : undefined
  const judge = judged === chooser?.name ? compared : drafts.get(judged)
  if (chooser === undefined || compared === undefined || judge === undefined) return
  const rowsOf = (draft: Draft): string =>
    JSON.stringify([
      draft.with['split'] ?? null,
      wiring.inputs.get(draft.name)?.['tokens']?.reference ?? null,
    ])
  if (rowsOf(compared) !== rowsOf(judge)) return
  const place = chooser.optionSpans['by'] ?? chooser.span
  const split = typeof judge.with['split'] === 'string' ? judge.with['split'] : 'its rows'
  out.push(
    expansion.judgedWhereChosen(gate.span, {
      gate: gate.name,
      select: chooser.name,
      count: count(compared.name),
      split,
      chosenBy: place,
      // The choice gives way where the gate looks at the test rows already.
      change:
        split === 'test'
          ? `stages.${compared.name}.with.split: validation`
          : `stages.${judged}.with.split: test`,
    }),
  )
}

/** The judged eval once more, without its adapter. */
function addTwin(
  untuned: { readonly twinOf: string; readonly span: Span },
  parts: Parts,
  drafts: Map<string, Draft>,
  inputs: Map<string, Wiring['inputs'] extends ReadonlyMap<string, infer Wires> ? Wires : never>,
  edges: Edge[],
): void {
  const judged = parts.drafts.get(untuned.twinOf)
  if (judged === undefined || drafts.has(UNTUNED)) return
  const wires = Object.fromEntries(
    Object.entries(parts.wiring.inputs.get(judged.name) ?? {}).filter(
      ([port]) => own(judged.kind.inputs, port)?.type !== 'adapter',
    ),
  )
  for (const { reference } of Object.values(wires))
    if (reference.type === 'stage') {
      const label = { span: untuned.span, text: graphProblems.because.reads(UNTUNED, reference.stage) }
      edges.push({ from: reference.stage, to: UNTUNED, label })
    }
  inputs.set(UNTUNED, wires)
  drafts.set(UNTUNED, { ...judged, name: UNTUNED, span: untuned.span, synthesised: true })
}
