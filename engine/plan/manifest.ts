/** What goes into a stage's key, written once: hashed for the key, compared for `why`. */
import type { Json, JsonObject } from '../../dsl/stage-signature.ts'
import { canonicalJson, digestOf } from '../artifact.ts'
import type { Digest } from '../artifact.ts'

/** Raised when the meaning of a manifest changes; every result then counts as made by another format. */
const FORMAT = 1

/** Ingredient -> its value in canonical text, e.g. `with.lr` -> `0.0002`, `input.model` -> `"sha256:..."`. */
export type Manifest = Readonly<Record<string, string>>

export interface Ingredients {
  readonly kind: string
  readonly version: string
  readonly with: JsonObject
  /** What the file adds to the key by itself. */
  readonly also: readonly Json[]
  /** Input port -> content digest. */
  readonly inputs: Readonly<Record<string, Digest>>
  /** `worker/op` -> digest of the op's built code. */
  readonly ops: Readonly<Record<string, string>>
  /** Library that computes -> version. */
  readonly runtime: Readonly<Record<string, string>>
}

/**
 * Not among the ingredients: the stage's name, paths, threads, resources, attempts, the machine.
 * Renaming a stage or moving the project therefore reuses its results.
 */
export function manifestOf(ingredients: Ingredients): Manifest {
  const entries: Record<string, string> = {
    format: String(FORMAT),
    kind: canonicalJson(ingredients.kind),
    version: canonicalJson(ingredients.version),
  }
  for (const [name, value] of Object.entries(ingredients.with)) entries[`with.${name}`] = canonicalJson(value)
  for (const [i, value] of ingredients.also.entries()) entries[`also.${String(i + 1)}`] = canonicalJson(value)
  for (const [port, digest] of Object.entries(ingredients.inputs))
    entries[`input.${port}`] = canonicalJson(digest)
  for (const [op, digest] of Object.entries(ingredients.ops)) entries[`op.${op}`] = canonicalJson(digest)
  for (const [name, version] of Object.entries(ingredients.runtime))
    entries[`runtime.${name}`] = canonicalJson(version)
  return entries
}

export function keyOf(manifest: Manifest): Digest {
  return digestOf(canonicalJson(manifest))
}

export interface Difference {
  readonly ingredient: string
  readonly before: string | null
  readonly after: string | null
}

/** The ingredients in which two manifests differ: options first, then inputs, then code. */
export function differences(before: Manifest, after: Manifest): readonly Difference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const rank = (name: string) =>
    ['with', 'also', 'input', 'version', 'op', 'runtime'].indexOf(name.split('.')[0] ?? '')
  return names
    .filter((name) => before[name] !== after[name])
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map((ingredient) => ({
      ingredient,
      before: before[ingredient] ?? null,
      after: after[ingredient] ?? null,
    }))
}
