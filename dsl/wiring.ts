/** Connects every port: what the file says, else the nearest stage upstream of the right type, else the only source. */
import type { Label } from './diagnostic.ts'
import type { Diagnostic } from './diagnostic.ts'
import type { Flow } from './expression/parse.ts'
import type { Edge } from './graph.ts'
import { own } from './own.ts'
import type { PipelineSource, Reference } from './pipeline.ts'
import * as problems from './problems/graph.ts'
import { because } from './problems/graph.ts'
import { artifact } from './problems/nouns.ts'
import type { StageDeclaration, TextNode } from './read-file.ts'
import type { Matrix } from './read-matrix.ts'
import { isPortName } from './slug.ts'
import type { Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import type { ArtifactType, JsonObject, StageSignature } from './stage-signature.ts'

/** A stage whose kind and options are known, before its ports are. */
export interface Draft {
  readonly name: string
  readonly kind: StageSignature
  readonly declaration: StageDeclaration | null
  /** Of the first point, if a matrix reaches it. */
  readonly with: JsonObject
  readonly optionSpans: Readonly<Record<string, Span>>
  readonly outputs: Readonly<Record<string, ArtifactType>>
  readonly span: Span
  /** False if its options have a mistake, so what it makes and measures is not known for certain. */
  readonly sound: boolean
  readonly matrix: Matrix | null
  /** Whether an option is computed from the point of a matrix. */
  readonly followsMatrix: boolean
  /** Added by `baseline: untuned`; stands nowhere in the file. */
  readonly synthesised: boolean
}

export interface Arrow {
  readonly from: string
  readonly to: string
  /** The right end's place in the flow line. */
  readonly span: Span
  readonly fromSpan: Span
}

export interface Wire {
  readonly reference: Reference
  readonly span: Span
  readonly explicit: boolean
}

export interface Wiring {
  readonly inputs: ReadonlyMap<string, Readonly<Record<string, Wire>>>
  /** Data and order, for cycles and for sorting. */
  readonly edges: readonly Edge[]
  /** Stages that have to wait although no data flows. */
  readonly after: ReadonlyMap<string, readonly string[]>
}

export interface WiringScope {
  readonly drafts: ReadonlyMap<string, Draft>
  /** Every name that is a stage, those with mistakes included. */
  readonly stageNames: readonly string[]
  readonly sources: readonly PipelineSource[]
  readonly sourcesPoisoned: boolean
  readonly flow: Flow | null
  /** The flow line has a message of its own; wiring by type stays silent. */
  readonly flowBroken: boolean
  readonly kinds: Readonly<Record<string, StageSignature>>
}

export function isGate(kind: StageSignature): boolean {
  return kind.decides === 'gate'
}

/** The ports that the stage has with its options. */
function portsOf({ kind, with: options }: Draft): StageSignature['inputs'] {
  const ports = Object.entries(kind.inputs).filter(([, { only }]) => only === undefined || only(options))
  return Object.fromEntries(ports)
}

export function arrowsOf(flow: Flow | null): readonly Arrow[] {
  const arrows = new Map<string, Arrow>()
  for (const chain of flow ?? [])
    chain.forEach((group, i) => {
      for (const left of chain[i - 1] ?? [])
        for (const right of group) {
          const key = `${left.name} ${right.name}`
          if (!arrows.has(key))
            arrows.set(key, { from: left.name, to: right.name, span: right.span, fromSpan: left.span })
        }
    })
  return [...arrows.values()]
}

export function wire(scope: WiringScope, out: Diagnostic[]): Wiring {
  return new Wirer(scope, out).run()
}

class Wirer {
  private readonly scope: WiringScope
  private readonly out: Diagnostic[]
  private readonly arrows: readonly Arrow[]
  private readonly inFlow: ReadonlyMap<string, Span>
  /** Arrows along which a port was found. */
  private readonly carrying = new Set<Arrow>()
  private readonly wires = new Map<string, Record<string, Wire>>()
  private readonly unsure = new Set<string>()

  constructor(scope: WiringScope, out: Diagnostic[]) {
    this.scope = scope
    this.out = out
    this.arrows = arrowsOf(scope.flow)
    const places = new Map<string, Span>()
    for (const { name, span } of (scope.flow ?? []).flat(2)) if (!places.has(name)) places.set(name, span)
    this.inFlow = places
  }

  /** A name in the flow line is nobody's; it may have been meant as that of a stage outside. */
  private get flowMisspelt(): boolean {
    return [...this.inFlow.keys()].some((name) => !this.scope.drafts.has(name))
  }

  run(): Wiring {
    for (const draft of this.scope.drafts.values()) this.wires.set(draft.name, this.explicit(draft))
    for (const draft of this.scope.drafts.values()) this.byType(draft)
    this.dropForeignAdapters()
    const after = this.orderOnly()
    const edges = this.edges(after)
    this.idleArrows(after)
    return { inputs: this.wires, edges, after }
  }

  private explicit(draft: Draft): Record<string, Wire> {
    const wires: [string, Wire][] = []
    const { declaration, kind } = draft
    const closed = new Set<string>()
    for (const { port, keySpan, value } of declaration?.inputs ?? []) {
      const input = own(portsOf(draft), port)
      if (input === undefined && kind.freeInputs !== undefined) {
        if (!isPortName(port)) this.out.push(problems.portName(keySpan, draft.name, port))
        const reference = value.value === 'none' ? null : this.resolve(draft, value, null)
        if (reference !== null) wires.push([port, { reference, span: value.span, explicit: true }])
        continue
      }
      if (input === undefined) {
        const ports = Object.keys(portsOf(draft))
        this.out.push(problems.unknownInput(keySpan, draft.name, port, didYouMean(port, ports), ports))
        this.unsure.add(draft.name)
        continue
      }
      closed.add(port)
      if (value.value === 'none') {
        if (input.optional !== true) this.out.push(problems.noneForRequired(value.span, draft.name, port))
        continue
      }
      const reference = this.resolve(draft, value, input.type)
      if (reference !== null) wires.push([port, { reference, span: value.span, explicit: true }])
    }
    this.closed.set(draft.name, closed)
    const gate = isGate(kind) ? declaration : null
    if (gate?.metrics != null && !closed.has('metrics')) {
      closed.add('metrics')
      const reference = this.resolve(draft, gate.metrics, 'metrics')
      if (reference !== null) wires.push(['metrics', { reference, span: gate.metrics.span, explicit: true }])
    }
    return Object.fromEntries(wires)
  }

  /** Ports that the file decides on, rightly or not. */
  private readonly closed = new Map<string, ReadonlySet<string>>()

  /** `stage.port`, `stage` or `sources.x` of a type, or of any; null after a mistake. */
  private resolve(draft: Draft, value: TextNode, type: ArtifactType | null): Reference | null {
    const fits = (each: ArtifactType): boolean => type === null || each === type
    const text = value.value.trim()
    const dot = text.indexOf('.')
    const first = dot < 0 ? text : text.slice(0, dot)
    const rest = dot < 0 ? null : text.slice(dot + 1)
    const firstSpan: Span = { ...value.span, end: value.span.start + first.length + (value.plain ? 0 : 1) }
    if (first === 'sources' && rest !== null) return this.resolveSource(draft, value, rest, type)
    const from = this.scope.drafts.get(first)
    if (from === undefined) {
      if (this.scope.stageNames.includes(first)) return null
      const source = this.scope.sources.find((each) => each.name === first)
      const near = source === undefined ? didYouMean(first, this.scope.stageNames) : `sources.${first}`
      this.out.push(
        problems.unknownStage(firstSpan, first, near, this.scope.stageNames, Object.keys(this.scope.kinds)),
      )
      return null
    }
    const makes = Object.entries(from.outputs)
    if (rest === null) {
      const fitting = makes.filter(([, each]) => fits(each))
      const [only] = fitting
      if (only !== undefined && fitting.length === 1) return { type: 'stage', stage: first, port: only[0] }
      if (!from.sound) return null
      if (fitting.length > 1)
        this.out.push(
          problems.severalOutputs(
            value.span,
            first,
            fitting.map(([port]) => `${first}.${port}`),
          ),
        )
      else
        this.out.push(
          problems.wrongArtifact(
            value.span,
            draft.name,
            type ?? 'files',
            problems.everythingMade(makes.map(([, each]) => each)),
            from.span,
            null,
          ),
        )
      return null
    }
    const made = own(from.outputs, rest)
    if (made === undefined) {
      if (!from.sound) return null
      const ports = makes.map(([port]) => port)
      const sameType = makes.filter(([, each]) => fits(each)).map(([port]) => port)
      const near = didYouMean(rest, ports) ?? (sameType.length === 1 ? (sameType[0] ?? null) : null)
      const span: Span = { ...value.span, start: Math.min(firstSpan.end + 1, value.span.end) }
      this.out.push(problems.unknownOutput(span, first, rest, near, from.kind.name, makes))
      return null
    }
    if (type !== null && made !== type) {
      const better = this.maker(type)
      this.out.push(problems.wrongArtifact(value.span, draft.name, type, artifact(made), from.span, better))
      return null
    }
    return { type: 'stage', stage: first, port: rest }
  }

  private resolveSource(
    draft: Draft,
    value: TextNode,
    name: string,
    type: ArtifactType | null,
  ): Reference | null {
    const source = this.scope.sources.find((each) => each.name === name)
    if (source === undefined) {
      if (this.scope.sourcesPoisoned) return null
      const names = this.scope.sources.map((each) => each.name)
      this.out.push(problems.unknownSource(value.span, name, didYouMean(name, names), names))
      return null
    }
    if (type !== null && source.type !== type) {
      this.out.push(
        problems.wrongArtifact(
          value.span,
          draft.name,
          type,
          artifact(source.type),
          source.span,
          this.maker(type),
        ),
      )
      return null
    }
    return { type: 'source', source: name }
  }

  /** A reference that would have fitted, for the help line. */
  private maker(type: ArtifactType): string | null {
    for (const draft of this.scope.drafts.values())
      for (const [port, made] of Object.entries(draft.outputs))
        if (made === type) return `${draft.name}.${port}`
    return null
  }

  private byType(draft: Draft): void {
    if (this.unsure.has(draft.name) || this.scope.flowBroken) return
    const wires = this.wires.get(draft.name) ?? {}
    const closed = this.closed.get(draft.name) ?? new Set()
    const place = this.inFlow.get(draft.name)
    for (const [port, input] of Object.entries(portsOf(draft))) {
      if (closed.has(port) || input.named === true || (isGate(draft.kind) && port === 'baseline')) continue
      if (place === undefined) {
        if (input.optional !== true && !this.flowMisspelt)
          this.out.push(problems.unwiredOutsideFlow(draft.span, draft.name, port, input.type))
        continue
      }
      const found = this.nearest(draft, input.type, place)
      if (found === 'tie') continue
      if (found !== null) {
        wires[port] = { reference: found, span: place, explicit: false }
        continue
      }
      const sources = this.scope.sources.filter((each) => each.type === input.type)
      const [only] = sources
      if (only !== undefined && sources.length === 1)
        wires[port] = { reference: { type: 'source', source: only.name }, span: place, explicit: false }
      else if (input.optional !== true && !this.scope.sourcesPoisoned && !this.upstreamUnknown(draft.name))
        this.out.push(this.nothingMakes(draft, place, port, input.type, sources))
    }
  }

  private nothingMakes(
    draft: Draft,
    place: Span,
    port: string,
    type: ArtifactType,
    sources: readonly PipelineSource[],
  ): Diagnostic {
    const baseline = isGate(draft.kind) ? (draft.declaration?.baseline ?? null) : null
    const yardstick = baseline === null ? undefined : this.scope.drafts.get(baseline.value)
    if (baseline !== null && yardstick !== undefined && Object.values(yardstick.outputs).includes(type))
      return problems.baselineIsJudged(baseline.span, baseline.value)
    const later = [...this.scope.drafts.values()].find(
      (each) =>
        each.name !== draft.name && Object.values(each.outputs).includes(type) && this.inFlow.has(each.name),
    )
    const label: Label | null =
      later === undefined
        ? null
        : { span: this.inFlow.get(later.name) ?? later.span, text: problems.makesLater(type) }
    if (sources.length > 1)
      return problems.severalSources(
        place,
        draft.name,
        port,
        type,
        sources.map((each) => each.name),
      )
    return problems.nothingMakes(place, draft.name, port, type, label, later?.name ?? null)
  }

  /** Whether a stage upstream has a mistake, so that nobody can say what it would have made. */
  private upstreamUnknown(name: string): boolean {
    const seen = new Set([name])
    const queue = [name]
    for (let at = queue.shift(); at !== undefined; at = queue.shift())
      for (const arrow of this.arrows) {
        if (arrow.to !== at || seen.has(arrow.from)) continue
        const draft = this.scope.drafts.get(arrow.from)
        if (draft === undefined || !draft.sound) return true
        seen.add(arrow.from)
        queue.push(arrow.from)
      }
    return false
  }

  /** Breadth first against the arrows; the first step back that has an output of the type decides. */
  private nearest(draft: Draft, type: ArtifactType, place: Span): Reference | 'tie' | null {
    const baseline =
      isGate(draft.kind) && type === 'metrics' ? (draft.declaration?.baseline?.value ?? null) : null
    const seen = new Set([draft.name])
    let level: readonly (readonly [string, readonly Arrow[]])[] = [[draft.name, []]]
    while (level.length > 0) {
      const next: (readonly [string, readonly Arrow[]])[] = []
      for (const [at, trail] of level)
        for (const arrow of this.arrows)
          if (arrow.to === at && !seen.has(arrow.from)) {
            seen.add(arrow.from)
            next.push([arrow.from, [...trail, arrow]])
          }
      const fitting = next.flatMap(([name, trail]) =>
        name === baseline
          ? []
          : Object.entries(this.scope.drafts.get(name)?.outputs ?? {})
              .filter(([, made]) => made === type)
              .map(([port]) => ({ stage: name, port, trail })),
      )
      const [first, second] = fitting
      if (first !== undefined && second !== undefined) {
        const names = [...new Set(fitting.map((each) => each.stage))]
        const places = names.flatMap((name) => this.inFlow.get(name) ?? [])
        const ports = fitting.map((each) => `${each.stage}.${each.port}`)
        this.out.push(
          problems.tie(place, draft.name, type, names.length > 1 ? names : ports, places, isGate(draft.kind)),
        )
        for (const each of fitting) for (const arrow of each.trail) this.carrying.add(arrow)
        return 'tie'
      }
      if (first !== undefined) {
        for (const arrow of first.trail) this.carrying.add(arrow)
        return { type: 'stage', stage: first.stage, port: first.port }
      }
      level = next
    }
    return null
  }

  /** Tokens, adapter and model of one stage must belong together; what was only guessed is left out instead. */
  private dropForeignAdapters(): void {
    for (const draft of this.scope.drafts.values()) {
      const wires = this.wires.get(draft.name) ?? {}
      const find = (type: ArtifactType): [string, Wire] | undefined =>
        Object.entries(wires).find(([port]) => own(draft.kind.inputs, port)?.type === type)
      const model = find('model')
      if (model === undefined) continue
      const weights = this.origin(model[1].reference, 'weights')
      const adapter = find('adapter')
      // A stage that makes a model of the two (merge) wants exactly this pair, too.
      if (adapter !== undefined) {
        const trainedOn = this.origin(adapter[1].reference, 'weights')
        if (weights !== null && trainedOn !== null && weights !== trainedOn) {
          const optional = own(draft.kind.inputs, adapter[0])?.optional === true
          if (!adapter[1].explicit && optional) Reflect.deleteProperty(wires, adapter[0])
          else this.out.push(this.differ('adapter', draft, adapter[1], model[1], trainedOn, weights))
        }
      }
      const tokens = find('tokens')
      if (tokens === undefined) continue
      const cutFor = this.origin(tokens[1].reference, 'tokenizer')
      const speaks = this.origin(model[1].reference, 'tokenizer')
      if (cutFor !== null && speaks !== null && cutFor !== speaks)
        this.out.push(this.differ('tokens', draft, tokens[1], model[1], cutFor, speaks))
    }
  }

  private differ(
    what: 'adapter' | 'tokens',
    draft: Draft,
    thing: Wire,
    model: Wire,
    thingOrigin: string,
    modelOrigin: string,
  ): Diagnostic {
    const primary = model.explicit || !thing.explicit ? model.span : thing.span
    return problems.differentOrigin(primary, what, draft.name, thingOrigin, modelOrigin, thing.span)
  }

  /**
   * Where a model's weights or its tokenizer come from, followed through the stages symbolically.
   * A stage that makes a model out of a model (merge, full fine-tuning) has new weights and the old tokenizer.
   */
  private origin(reference: Reference, what: 'weights' | 'tokenizer', depth = 0): string | null {
    if (reference.type === 'source') {
      const source = this.scope.sources.find((each) => each.name === reference.source)
      return source?.type === 'model' ? `sources.${reference.source}` : null
    }
    const draft = this.scope.drafts.get(reference.stage)
    if (draft === undefined || depth > this.scope.drafts.size) return null
    const wires = this.wires.get(draft.name) ?? {}
    // A choice hands on what it was given.
    const chosen = draft.kind.decides === 'select' ? own(wires, reference.port) : undefined
    if (chosen !== undefined) return this.origin(chosen.reference, what, depth + 1)
    const model = Object.entries(wires).find(([port]) => own(draft.kind.inputs, port)?.type === 'model')
    const made = own(draft.outputs, reference.port)
    if (made === 'model' && (what === 'weights' || model === undefined))
      return `${draft.name}.${reference.port}`
    return model === undefined ? null : this.origin(model[1].reference, what, depth + 1)
  }

  private orderOnly(): ReadonlyMap<string, readonly string[]> {
    const after = new Map<string, readonly string[]>()
    for (const draft of this.scope.drafts.values()) {
      const first = new Set<string>()
      for (const need of draft.declaration?.needs ?? []) {
        if (this.scope.drafts.has(need.value)) first.add(need.value)
        else if (!this.scope.stageNames.includes(need.value)) {
          const near = didYouMean(need.value, this.scope.stageNames)
          const kinds = Object.keys(this.scope.kinds)
          this.out.push(problems.unknownStage(need.span, need.value, near, this.scope.stageNames, kinds))
        }
      }
      for (const arrow of this.arrows) {
        const from = this.scope.drafts.get(arrow.from)
        if (arrow.to === draft.name && from !== undefined && isGate(from.kind)) first.add(arrow.from)
      }
      after.set(draft.name, [...first])
    }
    return after
  }

  private edges(after: ReadonlyMap<string, readonly string[]>): readonly Edge[] {
    const edges: Edge[] = []
    for (const draft of this.scope.drafts.values()) {
      for (const each of Object.values(this.wires.get(draft.name) ?? {}))
        if (each.reference.type === 'stage') {
          const from = each.reference.stage
          edges.push({
            from,
            to: draft.name,
            label: { span: each.span, text: because.reads(draft.name, from) },
          })
        }
      for (const need of draft.declaration?.needs ?? []) {
        const label = { span: need.span, text: because.needs(draft.name, need.value) }
        edges.push({ from: need.value, to: draft.name, label })
      }
      for (const from of after.get(draft.name) ?? [])
        edges.push({
          from,
          to: draft.name,
          label: { span: draft.span, text: because.waits(draft.name, from) },
        })
    }
    for (const arrow of this.arrows) {
      const label = { span: arrow.span, text: because.follows(arrow.to, arrow.from) }
      edges.push({ from: arrow.from, to: arrow.to, label })
    }
    return edges
  }

  private idleArrows(after: ReadonlyMap<string, readonly string[]>): void {
    for (const arrow of this.arrows) {
      const from = this.scope.drafts.get(arrow.from)
      const to = this.scope.drafts.get(arrow.to)
      if (from === undefined || to === undefined || this.carrying.has(arrow)) continue
      if (!from.sound || !to.sound || this.unsure.has(arrow.to)) continue
      if (to.declaration?.poisoned === true || from.declaration?.poisoned === true) continue
      const wires = Object.values(this.wires.get(arrow.to) ?? {})
      const reads = wires.some(
        (each) => each.reference.type === 'stage' && each.reference.stage === arrow.from,
      )
      const yardstick = to.declaration?.baseline?.value === arrow.from
      // `inputs: { adapter: none }` answers the arrow in the open: the branch is there to go without.
      const declined = (to.declaration?.inputs ?? []).some(
        ({ port, value }) =>
          value.value === 'none' &&
          Object.values(from.outputs).some((type) => type === own(to.kind.inputs, port)?.type),
      )
      if (reads || yardstick || declined || (after.get(arrow.to) ?? []).includes(arrow.from)) continue
      this.out.push(problems.idleArrow(arrow.span, arrow.from, arrow.to, arrow.fromSpan))
    }
  }
}
