/** Paths through the tree of a file: what stands at an offset, and what a path leads to. */
import type { MapEntry, MapNode, Node } from '../dsl/tree.ts'
import type { Path } from './cursor.ts'

export interface Spot {
  /** Of the value, or of the key with its name as the last part. */
  readonly path: Path
  readonly on: 'key' | 'value'
  /** The innermost entry around the offset. */
  readonly entry: MapEntry | null
  readonly node: Node
}

/** The innermost key or scalar that touches the offset; null between them. */
export function spotAt(tree: Node, offset: number): Spot | null {
  return spotIn(tree, offset, [], null)
}

function touches({ start, end }: { readonly start: number; readonly end: number }, offset: number): boolean {
  return start <= offset && offset <= end
}

function spotIn(node: Node, offset: number, path: Path, entry: MapEntry | null): Spot | null {
  switch (node.type) {
    case 'map':
      for (const each of node.entries) {
        const below = [...path, each.key]
        if (touches(each.keySpan, offset)) return { path: below, on: 'key', entry: each, node: each.value }
        const found = spotIn(each.value, offset, below, each)
        if (found !== null) return found
      }
      return null
    case 'list':
      for (const [index, item] of node.items.entries()) {
        const found = spotIn(item, offset, [...path, index], entry)
        if (found !== null) return found
      }
      return null
    case 'scalar':
    case 'poison':
      return touches(node.span, offset) ? { path, on: 'value', entry, node } : null
  }
}

export function nodeAt(tree: Node | null, path: Path): Node | null {
  let node = tree
  for (const part of path) {
    if (node?.type === 'map') node = node.entries.find(({ key }) => key === part)?.value ?? null
    else if (node?.type === 'list' && typeof part === 'number') node = node.items[part] ?? null
    else return null
  }
  return node
}

export function mapAt(tree: Node | null, path: Path): MapNode | null {
  const node = nodeAt(tree, path)
  return node?.type === 'map' ? node : null
}
