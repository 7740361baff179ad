/** The functions of a stage kind may be a plugin's: here they are asked first, and what they throw becomes words. */
import type { JsonObject, StageSignature } from './stage-signature.ts'

/** What is wrong with the kind's answers for these options; null if they can be used. */
export function faultOf(kind: StageSignature, options: JsonObject): string | null {
  for (const name of ['outputs', 'measures', 'slices', 'smoke'] as const) {
    try {
      kind[name]?.(options)
    } catch (error) {
      return `${name}(): ${error instanceof Error ? error.message : String(error)}`
    }
  }
  return null
}

/** The kind without the functions that failed, so that the rest of the file can be checked. */
export function silenced(kind: StageSignature): StageSignature {
  const { measures: _, slices: __, smoke: ___, steps: ____, ...rest } = kind
  return { ...rest, outputs: () => ({}) }
}
