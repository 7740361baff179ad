/** What could be typed at a place of the file. */
import { own } from '../dsl/own.ts'
import { cursorAt } from './cursor.ts'
import { keyOffers } from './complete-keys.ts'
import { valueOffers } from './complete-values.ts'
import { outlineOf, type Kinds, type StageOutline } from './outline.ts'
import { formsAt, stageIn } from './places.ts'
import type { CompletionItem } from './protocol.ts'
import type { Look, Offer, Typing } from './typing.ts'

export function completionsAt(look: Look, offset: number): readonly CompletionItem[] {
  const { view } = look
  if (view.tooLong) return []
  const cursor = cursorAt(view.document.text, offset)
  if (cursor === null) return []
  const tree = view.treeAround(cursor)
  const outline = tree === view.tree ? view.outline : outlineOf(tree, view.kinds)
  const name = stageIn(cursor.path)
  const stage = name === null ? null : (outline.stages.get(name) ?? stageOfKind(name, view.kinds))
  const typing: Typing = { cursor, tree, outline, kinds: view.kinds, stage, look }
  return offersAt(typing).map((offer, index) => itemOf(offer, index, typing))
}

/** A stage whose entry is not readable yet has at least the kind of its name. */
function stageOfKind(name: string, kinds: Kinds): StageOutline | null {
  const kind = own(kinds, name)
  if (kind === undefined) return null
  const span = { source: { path: '', text: '' }, start: 0, end: 0 }
  return { name, span, entry: null, kind, options: {} }
}

function offersAt(typing: Typing): readonly Offer[] {
  const { cursor } = typing
  if (cursor.slot === 'key') return keyOffers(typing, cursor.path)
  if (cursor.slot === 'value') return valueOffers(typing, cursor.path)
  const { path } = cursor
  const kind = typing.stage?.kind ?? null
  // Below a key whose value may be a list, the list begins with its first item.
  if (typeof path.at(-1) !== 'number' && formsAt(path, kind).some(({ type }) => type === 'array'))
    return valueOffers(typing, [...path, 0]).map((offer) => ({
      ...offer,
      text: `- ${offer.text ?? offer.label}`,
    }))
  const keys = A_WORD.test(cursor.text) ? keyOffers(typing, path) : []
  return [...valueOffers(typing, path), ...keys]
}

/** What may become a key. */
const A_WORD = /^[\p{L}\p{N}_-]*$/u

function itemOf(offer: Offer, index: number, { cursor, look }: Typing): CompletionItem {
  const { document } = look.view
  const { label, text = label, kind, detail, doc, from = 0 } = offer
  const start = cursor.start + from
  const space = cursor.glued && start === cursor.start ? ' ' : ''
  return {
    label,
    kind,
    ...(detail === undefined ? {} : { detail }),
    ...(doc === undefined || doc === '' ? {} : { documentation: { kind: 'markdown', value: doc } }),
    sortText: String(index).padStart(4, '0'),
    filterText: document.text.slice(start, cursor.end) === '' ? label : filterOf(label, text),
    textEdit: {
      range: document.rangeOf({ start: Math.min(start, cursor.end), end: cursor.end }),
      newText: `${space}${text}`,
    },
  }
}

/** An editor compares what is typed with this; a dash in front of the word would never match. */
function filterOf(label: string, text: string): string {
  return text.startsWith('- ') ? label : text
}
