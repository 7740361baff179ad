/** Follows the names of splits from where rows are divided to the stages that ask for one: each must be there. */
import type { Diagnostic } from './diagnostic.ts'
import { pushNew } from './expand.ts'
import type { PipelineSource, Reference, Stage } from './pipeline.ts'
import { isUndivided, noSuchSplit } from './problems/stages.ts'
import type { Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import type { StageSignature } from './stage-signature.ts'

/** The names, and where the file says so. */
interface Splits {
  readonly names: readonly string[]
  readonly madeBy: Span
}

/** `kinds` is by stage and has those without a mistake alone: of the others nobody knows what they make. */
export function checkSplits(
  stages: readonly Stage[],
  sources: readonly PipelineSource[],
  kinds: ReadonlyMap<string, StageSignature>,
  out: Diagnostic[],
): void {
  const made = new Map<string, Splits | null>()
  const found: Diagnostic[] = []
  const said = new Set<string>()
  const of = (reference: Reference): Splits | null => {
    if (reference.type === 'stage') return made.get(reference.stage) ?? null
    const source = sources.find(({ name }) => name === reference.source)
    const names = source === undefined ? null : splitsOf(source)
    return source === undefined || names === null ? null : { names, madeBy: source.span }
  }
  for (const stage of stages) {
    const kind = kinds.get(stage.base)
    if (kind === undefined) continue
    const given = givenTo(stage, kind, of)
    for (const { split, option } of stage.synthesised ? [] : (kind.needsSplits?.(stage.with) ?? [])) {
      if (given === null || given.names.includes(split)) continue
      // What nobody wrote is one mistake, of the rows: it is said once.
      const mistake = `${given.madeBy.start} ${isUndivided(given.names) ? '' : split}`
      const place = option === null ? undefined : stage.optionSpans[option]
      if (place === undefined && said.has(mistake)) continue
      said.add(mistake)
      found.push(
        noSuchSplit(place ?? stage.span, {
          stage: stage.base,
          split,
          known: given.names,
          madeBy: given.madeBy,
          option: option === null ? null : `stages.${stage.base}.with.${option}`,
          written: place !== undefined,
          near: didYouMean(split, given.names),
        }),
      )
    }
    const names = kind.splits?.(stage.with, given?.names ?? null) ?? null
    const same = given !== null && names?.join() === given.names.join()
    made.set(stage.name, names === null ? null : { names, madeBy: same ? given.madeBy : stage.span })
  }
  pushNew(found, out)
}

/** A folder may hold a dataset that some other pipeline divided. */
function splitsOf({ type, from }: PipelineSource): readonly string[] | null {
  if (type !== 'dataset') return null
  if (typeof from !== 'string') return Object.keys(from)
  return from.endsWith('.jsonl') ? ['all'] : null
}

/** Of the rows that a stage reads; null if it reads none or several. */
function givenTo(
  stage: Stage,
  kind: StageSignature,
  of: (reference: Reference) => Splits | null,
): Splits | null {
  const rows = Object.entries(stage.inputs).filter(([port]) => {
    const type = kind.inputs[port]?.type
    return type === 'dataset' || type === 'tokens'
  })
  const [first] = rows
  return first !== undefined && rows.length === 1 ? of(first[1]) : null
}
