/** What completion looks at: the place where somebody types and what can be known of the file around it. */
import { isText, type MapNode } from '../dsl/tree.ts'
import { inLanguage, type Language, type Words } from '../dsl/words.ts'
import type { Cursor, Path } from './cursor.ts'
import type { Facts } from './facts.ts'
import type { Kinds, Outline, StageOutline } from './outline.ts'
import { nodeAt } from './tree-paths.ts'
import type { View } from './view.ts'

/** What an editor is shown of a file. */
export interface Look {
  readonly view: View
  readonly facts: Facts
  readonly language: Language
}

/** Where something is being typed, with what can be known of the file around it. */
export interface Typing {
  readonly cursor: Cursor
  readonly tree: MapNode | null
  readonly outline: Outline
  readonly kinds: Kinds
  readonly stage: StageOutline | null
  readonly look: Look
}

export interface Offer {
  readonly label: string
  /** What is written; the label if absent. */
  readonly text?: string
  readonly kind: number
  readonly detail?: string
  readonly doc?: string
  /** How many characters before the cursor's text begins it replaces less: where in the typed text its word starts. */
  readonly from?: number
}

/** Keys of the map at a path, without the one that is being typed. */
export function keysBeside({ tree, cursor }: Typing, path: Path): readonly string[] {
  const node = nodeAt(tree, path)
  if (node?.type !== 'map') return []
  const typed = ({ start, end }: { start: number; end: number }) => start <= cursor.end && cursor.start <= end
  return node.entries.flatMap(({ key, keySpan }) => (typed(keySpan) ? [] : [key]))
}

/** Texts of the list around a path that ends with an index. */
export function itemsBeside({ tree, cursor }: Typing, path: Path): readonly string[] {
  const list = nodeAt(tree, path.slice(0, -1))
  if (list?.type !== 'list') return []
  return list.items.flatMap((item) =>
    isText(item) && !(item.span.start <= cursor.end && cursor.start <= item.span.end) ? [item.value] : [],
  )
}

export function say(typing: Typing, words: Words): string {
  return inLanguage(words, typing.look.language)
}
