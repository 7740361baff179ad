/** A lock with git's conflict markers -> the two versions that could not be merged. */
import type { Lock } from '../lock-file.ts'

export interface Sides {
  readonly ours: string
  readonly theirs: string
}

type Where = 'both' | 'ours' | 'base' | 'theirs'

/** Null if the text holds no conflict, or its markers do not pair up. */
export function conflictSides(text: string): Sides | null {
  const ours: string[] = []
  const theirs: string[] = []
  let inside: Where = 'both'
  let conflicts = 0
  for (const line of text.split(/\r?\n/)) {
    const marker = /^(<{7}|\|{7}|={7}|>{7})(?: |$)/.exec(line)?.[1]?.[0]
    if (marker === undefined) {
      if (inside === 'both' || inside === 'ours') ours.push(line)
      if (inside === 'both' || inside === 'theirs') theirs.push(line)
      continue
    }
    const next: Where | undefined = NEXT[marker]?.[inside]
    if (next === undefined) return null
    inside = next
    conflicts++
  }
  return inside === 'both' && conflicts > 0 ? { ours: ours.join('\n'), theirs: theirs.join('\n') } : null
}

/** Marker -> where one is -> where one is then. `|||||||` starts what both came from, which nobody needs here. */
const NEXT: Readonly<Record<string, Readonly<Partial<Record<Where, Where>>>>> = {
  '<': { both: 'ours' },
  '|': { ours: 'base' },
  '=': { ours: 'theirs', base: 'theirs' },
  '>': { theirs: 'both' },
}

/**
 * Without the stages on whose key the sides disagree. Between two markers git has joined line by line, so such an
 * entry may hold the key of one side and the output of the other.
 */
export function unmixed(sides: readonly Lock[]): readonly Lock[] {
  const keys = (name: string) => new Set(sides.map((side) => side['stages']?.[name]?.['key']))
  return sides.map((side) => ({
    ...side,
    stages: Object.fromEntries(
      Object.entries(side['stages'] ?? {}).filter(([name]) => keys(name).size === 1),
    ),
  }))
}
