/** Instances of a matrix are listed while they are few, and counted together where they are many. */

/** From so many instances on they are counted. */
const CROWD = 5

/** Entries one by one, in order; those of one base in one group where there are many of them. */
export function groupsOf<T>(
  entries: readonly T[],
  baseOf: (entry: T) => string,
): readonly (readonly [T, ...T[]])[] {
  const counts = new Map<string, number>()
  for (const entry of entries) counts.set(baseOf(entry), (counts.get(baseOf(entry)) ?? 0) + 1)
  const groups: [T, ...T[]][] = []
  const crowds = new Map<string, [T, ...T[]]>()
  for (const entry of entries) {
    const base = baseOf(entry)
    const crowd = crowds.get(base)
    if (crowd !== undefined) {
      crowd.push(entry)
      continue
    }
    const group: [T, ...T[]] = [entry]
    groups.push(group)
    if ((counts.get(base) ?? 0) >= CROWD) crowds.set(base, group)
  }
  return groups
}

/** `lora-train[r=8,lr=2e-4]` is an instance of `lora-train`. */
export function baseOf(stage: string): string {
  const bracket = stage.indexOf('[')
  return bracket < 0 ? stage : stage.slice(0, bracket)
}
