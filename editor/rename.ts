/** Renames a stage, a parameter or a source everywhere, or says why not; the file means the same afterwards. */
import { UNTUNED } from '../dsl/gates.ts'
import { own } from '../dsl/own.ts'
import { isParameterName, isSlug, RESERVED, slugOf } from '../dsl/slug.ts'
import type { MapEntry } from '../dsl/tree.ts'
import type { Words } from '../dsl/words.ts'
import { mentionAt, type Mention } from './mentions.ts'
import { sameName } from './navigate.ts'
import type { Range } from './protocol.ts'
import { REFUSED } from './sentences.ts'
import { mapAt, nodeAt } from './tree-paths.ts'
import type { View } from './view.ts'

export type Renamable = { readonly range: Range; readonly placeholder: string } | { readonly refused: Words }

interface Replacement {
  readonly start: number
  readonly end: number
  readonly text: string
}

export type Renamed =
  | { readonly edits: readonly { readonly range: Range; readonly newText: string }[] }
  | { readonly refused: Words }

export function renamableAt(view: View, offset: number): Renamable {
  const found = findMention(view, offset)
  if ('refused' in found) return found
  return { range: view.document.rangeOf(found.span), placeholder: found.name }
}

function findMention(view: View, offset: number): Mention | { readonly refused: Words } {
  if (view.tree === null) return { refused: REFUSED.unreadable }
  const mention = mentionAt(view.mentions, offset)
  if (mention === null || mention.what === 'axis') return { refused: REFUSED.nothingHere }
  const { what, name } = mention
  const declared =
    what === 'stage'
      ? view.outline.stages.has(name)
      : sameName(view, mention).some(({ declares }) => declares)
  if (!declared) return { refused: REFUSED.nothingHere }
  const inSources = mapAt(view.tree, ['sources'])?.entries.some(({ key }) => key === name) === true
  return what === 'source' && !inSources ? { refused: REFUSED.shortForm(name) } : mention
}

export function renameAt(view: View, offset: number, newName: string): Renamed {
  const mention = findMention(view, offset)
  if ('refused' in mention) return mention
  const refused = refusal(view, mention, newName)
  if (refused !== null) return { refused }
  const replacements = [
    ...sameName(view, mention).map(({ span }) => ({ start: span.start, end: span.end, text: newName })),
    ...(mention.what === 'stage' ? kindSpelledOut(view, mention.name, newName) : []),
  ]
  const broken = breaks(view, replacements)
  if (broken !== null) return { refused: REFUSED.wouldBreak(broken) }
  const edits = replacements.map(({ text, ...span }) => ({
    range: view.document.rangeOf(span),
    newText: text,
  }))
  return { edits }
}

function refusal(view: View, { what, name }: Mention, newName: string): Words | null {
  const { outline } = view
  const fits = what === 'param' ? isParameterName(newName) : isSlug(newName)
  if (!fits) return REFUSED.badName(newName, slugOf(newName))
  if (newName === name) return null
  if (what === 'stage' && (RESERVED.includes(newName) || newName === UNTUNED))
    return REFUSED.reserved(newName)
  const taken = { stage: outline.stages, param: outline.params, source: outline.sources, axis: outline.axes }[
    what
  ]
  return taken.has(newName) ? REFUSED.taken(newName) : null
}

/** A stage that was its own kind by its name has to name the kind from now on. */
function kindSpelledOut(view: View, name: string, newName: string): readonly Replacement[] {
  const stage = view.outline.stages.get(name)
  if (stage?.kind == null || own(view.kinds, name) === undefined || newName === stage.kind.name) return []
  const { entry, kind } = stage
  if (entry === null) return [settingsFor(view, newName, kind.name)]
  if (nodeAt(entry.value, ['uses']) !== null) return []
  return [usesIn(view, entry, kind.name)]
}

function usesIn({ document }: View, { keySpan, value }: MapEntry, kind: string): Replacement {
  const [first] = value.type === 'map' ? value.entries : []
  const insert = (at: number, text: string): Replacement => ({ start: at, end: at, text })
  if (value.type === 'map' && document.text[value.span.start] === '{')
    return insert(value.span.start + 1, first === undefined ? ` uses: ${kind} ` : ` uses: ${kind},`)
  if (first !== undefined) {
    const indent = ' '.repeat(document.positionAt(first.keySpan.start).character)
    return insert(first.keySpan.start, `uses: ${kind}\n${indent}`)
  }
  // Nothing follows the key but its colon.
  return insert(document.text.indexOf(':', keySpan.end) + 1, ` { uses: ${kind} }`)
}

/** Settings for a stage that stood in the flow line alone. */
function settingsFor({ document, tree }: View, name: string, kind: string): Replacement {
  const stages = mapAt(tree, ['stages'])
  const line = `${name}: { uses: ${kind} }`
  const [first] = stages?.entries ?? []
  if (stages !== null && document.text[stages.span.start] === '{')
    return {
      start: stages.span.start + 1,
      end: stages.span.start + 1,
      text: first === undefined ? ` ${line} ` : ` ${line},`,
    }
  if (first !== undefined) {
    const indent = ' '.repeat(document.positionAt(first.keySpan.start).character)
    return { start: first.keySpan.start, end: first.keySpan.start, text: `${line}\n${indent}` }
  }
  const { text } = document
  const end = text.length
  return { start: end, end, text: `${text === '' || text.endsWith('\n') ? '' : '\n'}stages:\n  ${line}\n` }
}

/** The first error that the text would have then and has not now. */
function breaks(view: View, replacements: readonly Replacement[]): Words | null {
  const text = [...replacements]
    .sort((a, b) => b.start - a.start)
    .reduce((sum, each) => sum.slice(0, each.start) + each.text + sum.slice(each.end), view.document.text)
  const after = view.withText(text)
  const known = view.diagnostics.filter(({ severity }) => severity === 'error').length
  const errors = after.diagnostics.filter(({ severity }) => severity === 'error')
  if (errors.length <= known) return null
  const codes = view.diagnostics.map(({ code }) => code)
  return (errors.find(({ code }) => !codes.includes(code)) ?? errors[0])?.message ?? null
}
