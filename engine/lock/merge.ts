/** Three versions of a lock -> one: what only one side changed is taken, what both changed is left to the next run. */
import { canonicalJson } from '../artifact.ts'
import type { Lock, Section } from '../lock-file.ts'

export interface Merged {
  readonly lock: Lock
  /** Stages that both sides changed, each in its own way; a run finds them in its cache or makes them anew. */
  readonly dropped: readonly string[]
}

/**
 * Every fact of a lock can be derived again, so nothing is lost by leaving an entry out, and a wrong one would be
 * worse than none. A verdict stays only with the scores that it was spoken on.
 */
export function mergeLocks(base: Lock, ours: Lock, theirs: Lock): Merged {
  const names = [...new Set([base, ours, theirs].flatMap((lock) => Object.keys(lock)))]
  const dropped = new Set<string>()
  const merged: Record<string, Section> = {}
  for (const name of names.filter((each) => each !== 'gates')) {
    const section = mergeSections(base[name] ?? {}, ours[name] ?? {}, theirs[name] ?? {})
    merged[name] = section.entries
    if (name === 'stages') for (const stage of section.dropped) dropped.add(stage)
  }
  // A score belongs to the result of its stage.
  const scores = Object.entries(merged['scores'] ?? {}).filter(([stage]) => !dropped.has(stage))
  merged['scores'] = Object.fromEntries(scores)
  const gates = mergeSections(base['gates'] ?? {}, ours['gates'] ?? {}, theirs['gates'] ?? {}).entries
  const judged = [ours, theirs].filter((lock) => same(lock['scores'] ?? {}, merged['scores'] ?? {}))
  merged['gates'] = Object.fromEntries(
    Object.entries(gates).filter(([name, gate]) => judged.some((lock) => same(lock['gates']?.[name], gate))),
  )
  return { lock: merged, dropped: [...dropped].sort() }
}

function mergeSections(
  base: Section,
  ours: Section,
  theirs: Section,
): { readonly entries: Section; readonly dropped: readonly string[] } {
  const names = [...new Set([base, ours, theirs].flatMap((section) => Object.keys(section)))]
  const dropped: string[] = []
  const entries = names.flatMap((name) => {
    const [before, our, their] = [base[name], ours[name], theirs[name]]
    const taken = same(our, their) || same(before, their) ? our : same(before, our) ? their : null
    if (taken === null) dropped.push(name)
    return taken === null || taken === undefined ? [] : [[name, taken] as const]
  })
  return { entries: Object.fromEntries(entries), dropped }
}

function same(a: Section | Section[string] | undefined, b: Section | Section[string] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return canonicalJson(a) === canonicalJson(b)
}
