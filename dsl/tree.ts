/** The file as data that remembers where each piece was written; what the compiler knows of YAML. */
import type { Source, Span } from './source.ts'
import type { Json } from './stage-signature.ts'

export interface ScalarNode {
  readonly type: 'scalar'
  readonly value: null | boolean | number | string
  /** As written, quotes included. */
  readonly raw: string
  readonly plain: boolean
  /** Offset in the source of each character of a string value, and of its end. */
  readonly offsets: readonly number[]
  readonly span: Span
}

export interface MapEntry {
  readonly key: string
  readonly keySpan: Span
  readonly value: Node
}

export interface MapNode {
  readonly type: 'map'
  readonly entries: readonly MapEntry[]
  readonly span: Span
}

export interface ListNode {
  readonly type: 'list'
  readonly items: readonly Node[]
  readonly span: Span
}

/** A piece that already has its message; nothing more is said about it. */
export interface PoisonNode {
  readonly type: 'poison'
  readonly span: Span
}

export type Node = ScalarNode | MapNode | ListNode | PoisonNode

export function entryOf(map: MapNode, key: string): MapEntry | undefined {
  return map.entries.find((entry) => entry.key === key)
}

/** The value without positions. Poisoned pieces become `null`. */
export function plainValue(node: Node): Json {
  switch (node.type) {
    case 'scalar':
      return node.value
    case 'poison':
      return null
    case 'list':
      return node.items.map(plainValue)
    case 'map':
      return Object.fromEntries(node.entries.map((entry) => [entry.key, plainValue(entry.value)]))
  }
}

export function isPoisoned(node: Node): boolean {
  switch (node.type) {
    case 'scalar':
      return false
    case 'poison':
      return true
    case 'list':
      return node.items.some(isPoisoned)
    case 'map':
      return node.entries.some((entry) => isPoisoned(entry.value))
  }
}

export function isText(node: Node): node is ScalarNode & { readonly value: string } {
  return node.type === 'scalar' && typeof node.value === 'string'
}

export function spanAt(source: Source, start: number, end: number): Span {
  return { source, start, end: Math.max(start, end) }
}
