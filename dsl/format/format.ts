/** A pipeline file as everybody writes it: the same meaning, the same comments, one layout. */
import { readYaml } from '../read-yaml.ts'
import { plainValue } from '../tree.ts'
import { layOut } from './layout.ts'
import { inOrder } from './order.ts'

/**
 * The text laid out anew, or as it is if YAML cannot read it. Pure and idempotent; what YAML reads from it does not
 * change, which is checked each time, because a formatter that is wrong once is never trusted again.
 */
export function formatText(text: string): string {
  const unix = text.replaceAll('\r\n', '\n')
  const before = meaningOf(unix)
  if (before === null) return text
  const laid = layOut(unix)
  if (laid === null || !says(laid, before)) return text
  const ordered = inOrder(laid)
  return ordered === laid || says(ordered, before) ? ordered : laid
}

interface Meaning {
  readonly value: string
  readonly comments: string
}

function says(text: string, { value, comments }: Meaning): boolean {
  const after = meaningOf(text)
  return after !== null && after.value === value && after.comments === comments
}

/** Values without the order of their keys, and the comments; null if the text cannot be read. */
function meaningOf(text: string): Meaning | null {
  const root = readYaml({ path: '', text }, [])
  if (root === null) return null
  const value = JSON.stringify(plainValue(root), (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )
  const comments = text
    .split('\n')
    .flatMap((line) => /(?:^|\s)(#.*)$/.exec(line)?.[1]?.trimEnd() ?? [])
    .sort()
    .join('\n')
  return { value, comments }
}
