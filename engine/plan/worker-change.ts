/** Differences in the code of heavy steps, where a worker that the file names made them or will -> one that names the worker. */
import type { Difference } from './manifest.ts'

/** How the file says that heavy steps are done by ours. */
const OURS = 'none'
/** The facts of a lock do not say what it was called. */
const SOME = 'another one'

/**
 * A key holds what a worker counts as, not what it is called: without this a change of workers would read as changed
 * code and libraries that went.
 */
export function namingWorkers(
  differences: readonly Difference[],
  /** Who does the heavy steps now, and who did them: null is ours, undefined is not known. */
  { now, then }: { readonly now: string | null; readonly then: string | null | undefined },
): readonly Difference[] {
  const isCode = ({ ingredient, before, after }: Difference) =>
    ingredient.startsWith('op.kernel/') && before !== null && after !== null
  const isLibrary = ({ ingredient, before, after }: Difference) =>
    ingredient.startsWith('runtime.') && (before === null || after === null)
  const code = differences.findIndex(isCode)
  if (code === -1) return differences
  // Only ours has libraries in its key, so one that came or went tells who it was.
  const library = differences.find(isLibrary)
  const guess = library === undefined ? now : library.before === null ? SOME : null
  const before = then === undefined ? guess : then
  if (before === null && now === null) return differences
  const worker: Difference = { ingredient: 'worker', before: before ?? OURS, after: now ?? OURS }
  return differences.flatMap((each, at) => {
    if (at === code) return [worker]
    return isCode(each) || isLibrary(each) ? [] : [each]
  })
}
