/** The functions of a stage kind may be a plugin's: here they are asked first, and what they throw becomes words. */
import type { Diagnostic } from './diagnostic.ts'
import * as problems from './problems/stages.ts'
import type { Span } from './source.ts'
import type { JsonObject, OptionFault, StageSignature } from './stage-signature.ts'

const ASKED = ['outputs', 'measures', 'slices', 'smoke', 'faults', 'needsSplits'] as const

/** What is wrong with the kind's answers for these options; null if they can be used. */
export function faultOf(kind: StageSignature, options: JsonObject): string | null {
  for (const name of ASKED) {
    try {
      const answer: unknown = kind[name]?.(options)
      if (name === 'faults' && answer !== undefined && !isFaults(answer))
        return 'faults(): not a list of {options, message, label, help}'
    } catch (error) {
      return `${name}(): ${error instanceof Error ? error.message : String(error)}`
    }
  }
  try {
    kind.splits?.(options, null)
  } catch (error) {
    return `splits(): ${error instanceof Error ? error.message : String(error)}`
  }
  return null
}

/** The kind without the functions that failed, so that the rest of the file can be checked. */
export function silenced(kind: StageSignature): StageSignature {
  const { measures: _, slices: __, smoke: ___, steps: ____, faults: _____, ...others } = kind
  const { splits: ______, needsSplits: _______, ...rest } = others
  return { ...rest, outputs: () => ({}) }
}

/** What the kind itself says against options that fit its schema, at the options. */
export function optionFaults(
  kind: StageSignature,
  options: JsonObject,
  places: { readonly optionSpans: Readonly<Record<string, Span>>; readonly span: Span },
): readonly Diagnostic[] {
  return (kind.faults?.(options) ?? []).map((fault) => {
    const written = fault.options.flatMap((name) => places.optionSpans[name] ?? [])
    return problems.clashingOptions(written[0] ?? places.span, fault, written.slice(1))
  })
}

function isFaults(answer: unknown): answer is readonly OptionFault[] {
  const isWords = (value: unknown): boolean =>
    isFields(value) && typeof value['en'] === 'string' && typeof value['zh'] === 'string'
  const isFault = (value: unknown): boolean =>
    isFields(value) &&
    Array.isArray(value['options']) &&
    isWords(value['message']) &&
    isWords(value['label']) &&
    Array.isArray(value['help']) &&
    value['help'].every((each) => typeof each === 'string' || isWords(each))
  return Array.isArray(answer) && answer.every(isFault)
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
