/** A pipeline that measures an earlier model by the present eval: main's artifacts stand in as sources. */
import type { Pipeline, PipelineSource, Reference, Stage } from '../../dsl/pipeline.ts'
import type { ArtifactType } from '../../dsl/stage-signature.ts'
import type { Digest } from '../artifact.ts'
import type { FoundSource } from '../environment.ts'
import type { Lock } from '../lock-file.ts'
import { wantedStages } from '../run/scope.ts'
import type { StageKind } from '../stage-kind.ts'
import { lockedOutput } from './facts.ts'

/** An artifact of main that takes the place of what the present file would make. */
export interface StandIn {
  /** Name of the source in the derived pipeline. */
  readonly source: string
  readonly type: ArtifactType
  readonly tree: Digest
  /** `lora-train.adapter`, as main's lock names it. */
  readonly made: string
}

export interface Rescoring {
  readonly pipeline: Pipeline
  readonly standIns: readonly StandIn[]
}

export interface RescoringInputs {
  readonly pipeline: Pipeline
  readonly kinds: Readonly<Record<string, StageKind>>
  readonly sources: Readonly<Record<string, FoundSource>>
  /** What main's model was made from. */
  readonly main: Lock
  /** The stage that the gate judges. */
  readonly judged: string
}

/** What a model learnt; everything else, test rows and settings above all, is taken from the present file. */
const LEARNT: readonly ArtifactType[] = ['adapter', 'model']

/**
 * The stages that the judged one needs, with every learnt input replaced by main's. Because a stand-in has the digest
 * of the artifact, the eval has the key that it would have in main's own pipeline with the present test rows.
 */
export function rescoringOf(inputs: RescoringInputs): Rescoring | { readonly problem: string } {
  const { pipeline, judged } = inputs
  const standIns = new Map<string, StandIn>()
  const changed: Stage[] = []
  for (const stage of wantedStages(pipeline, [judged])) {
    const replaced = { ...stage.inputs }
    for (const port of learntPorts(stage, inputs)) {
      const from = mainReference(stage, port, inputs)
      const found = from === null ? null : replacementOf(from, stage, port, inputs)
      if (found !== null && 'problem' in found) return found
      if (found === null) Reflect.deleteProperty(replaced, port)
      else {
        replaced[port] = found.reference
        if (found.standIn !== null) standIns.set(found.standIn.source, found.standIn)
      }
    }
    changed.push({ ...stage, inputs: replaced, after: [], when: null, sweep: null })
  }
  const derived = { ...pipeline, name: `${pipeline.name}@main`, stages: changed, notify: [] }
  const stages = wantedStages(derived, [judged])
  const used = new Set(
    stages.flatMap(({ inputs: ports }) =>
      Object.values(ports).flatMap((from) => (from.type === 'source' ? [from.source] : [])),
    ),
  )
  const own = Object.entries(pipeline.sources).filter(([name]) => used.has(name))
  const kept = [...standIns.values()].filter(({ source }) => used.has(source))
  const stood = kept.map((each): [string, PipelineSource] => [each.source, asSource(each, pipeline)])
  const sources = Object.fromEntries([...own, ...stood])
  return { pipeline: { ...derived, stages, sources }, standIns: kept }
}

/** Ports of a stage that read something learnt, now or in main. */
function learntPorts(stage: Stage, { kinds, main }: RescoringInputs): readonly string[] {
  const ports = kinds[stage.uses]?.inputs ?? {}
  const known = new Set([...Object.keys(stage.inputs), ...Object.keys(main['wiring']?.[stage.name] ?? {})])
  return [...known].filter((port) => LEARNT.includes(ports[port]?.type ?? 'files'))
}

/** Where main read this port from; a stage that main did not have reads what the file says now. Null: nothing fed it. */
function mainReference(stage: Stage, port: string, { main }: RescoringInputs): string | null {
  const wiring = main['wiring']?.[stage.name]
  if (wiring !== undefined) {
    const from = wiring[port]
    return typeof from === 'string' ? from : null
  }
  const now = stage.inputs[port]
  if (now === undefined) return null
  return now.type === 'source' ? `sources.${now.source}` : `${now.stage}.${now.port}`
}

function replacementOf(
  from: string,
  stage: Stage,
  port: string,
  inputs: RescoringInputs,
): { readonly reference: Reference; readonly standIn: StandIn | null } | { readonly problem: string } {
  // Names of stages may hold dots in the values of a matrix, ports do not.
  const at = from.lastIndexOf('.')
  const [left, right] = [from.slice(0, at), from.slice(at + 1)]
  if (left === 'sources') return sourceReplacement(right, stage, port, inputs)
  const tree = lockedOutput(inputs.main['stages']?.[left], right)
  if (tree === null) return { problem: `main's lock does not say what ${from} was` }
  const type = inputs.kinds[stage.uses]?.inputs[port]?.type ?? 'files'
  const source = `main:${from}`
  return { reference: { type: 'source', source }, standIn: { source, type, tree, made: from } }
}

/** The files of a source are the user's own and are not kept: main's are only here if they are the present ones. */
function sourceReplacement(
  name: string,
  stage: Stage,
  port: string,
  { main, sources }: RescoringInputs,
): { readonly reference: Reference; readonly standIn: null } | { readonly problem: string } {
  const before = main['sources']?.[name]?.['digest']
  const now = sources[name]
  if (now === undefined)
    return {
      problem: `main's ${stage.name} read its ${port} from sources.${name}, which this file does not have`,
    }
  if (before !== now.digest)
    return {
      problem: `main's ${stage.name} read other files as sources.${name} (${short(before)}, now ${short(now.digest)}); sluice keeps no copies of sources, so main's model cannot be put together again here`,
    }
  return { reference: { type: 'source', source: name }, standIn: null }
}

const short = (digest: unknown) => (typeof digest === 'string' ? digest.slice(0, 19) : 'unknown')

function asSource({ source, type, made }: StandIn, pipeline: Pipeline): PipelineSource {
  const span = { source: pipeline.source, start: 0, end: 0 }
  return { name: source, type, from: made, optional: false, span }
}
