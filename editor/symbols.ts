/** The outline that an editor shows beside the text. */
import { isText, type MapEntry, type Node } from '../dsl/tree.ts'
import type { Path } from './cursor.ts'
import { fits } from './places.ts'
import { SYMBOL, type DocumentSymbol } from './protocol.ts'
import { nodeAt } from './tree-paths.ts'
import type { View } from './view.ts'

/** Maps whose entries are shown below them. */
const SHOWN: readonly (readonly [readonly string[], number])[] = [
  [['params'], SYMBOL.variable],
  [['sources'], SYMBOL.constant],
  [['stages'], SYMBOL.module],
  [['stages', '*', 'matrix'], SYMBOL.variable],
]
/** Keys of a stage that are worth a line of their own. */
const KEYS_SHOWN = ['matrix', 'checks', 'budget', 'watch']

export function symbolsOf(view: View): readonly DocumentSymbol[] {
  const { tree } = view
  return tree === null ? [] : tree.entries.map((entry) => symbolOf(view, entry, [entry.key], SYMBOL.property))
}

function symbolOf(view: View, entry: MapEntry, path: Path, kind: number): DocumentSymbol {
  const { document } = view
  const { key, keySpan, value } = entry
  const below = shownBelow(view, value, path)
  const detail = detailOf(view, value, path)
  return {
    name: key,
    ...(detail === '' ? {} : { detail }),
    kind,
    range: document.rangeOf({ start: keySpan.start, end: Math.max(keySpan.end, value.span.end) }),
    selectionRange: document.rangeOf(keySpan),
    ...(below.length === 0 ? {} : { children: below }),
  }
}

function shownBelow(view: View, value: Node, path: Path): readonly DocumentSymbol[] {
  if (value.type === 'map') {
    const [, kind] = SHOWN.find(([pattern]) => fits(path, pattern)) ?? []
    if (kind !== undefined)
      return value.entries.map((entry) => symbolOf(view, entry, [...path, entry.key], kind))
    if (fits(path, ['stages', '*']))
      return value.entries
        .filter(({ key }) => KEYS_SHOWN.includes(key))
        .map((entry) => symbolOf(view, entry, [...path, entry.key], SYMBOL.property))
  }
  if (value.type === 'list' && path[0] === 'stages')
    return value.items.flatMap((item) => {
      const text = checkText(item)
      const range = view.document.rangeOf(item.span)
      return text === null ? [] : [{ name: text, kind: SYMBOL.event, range, selectionRange: range }]
    })
  return []
}

function checkText(item: Node): string | null {
  if (isText(item)) return item.value.trim() === '' ? null : item.value.trim()
  for (const key of ['require', 'warn', 'stop']) {
    const node = nodeAt(item, [key])
    if (node !== null && isText(node) && node.value.trim() !== '')
      return key === 'require' ? node.value.trim() : `${key}: ${node.value.trim()}`
  }
  return null
}

const LONGEST_DETAIL = 60

function detailOf({ outline }: View, value: Node, path: Path): string {
  if (fits(path, ['stages', '*'])) {
    const kind = outline.stages.get(String(path[1]))?.kind
    return kind == null || kind.name === path[1] ? '' : kind.name
  }
  if (value.type !== 'scalar') return ''
  const text = value.value === null ? '' : String(value.value).replaceAll(/\s+/g, ' ').trim()
  return text.length > LONGEST_DETAIL ? `${text.slice(0, LONGEST_DETAIL - 1)}…` : text
}
