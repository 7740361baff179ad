/** Every place of a file where a stage, a parameter, a source or an axis is named. */
import { namesMentioned, type MentionedName } from '../dsl/expression/parse.ts'
import type { Span } from '../dsl/source.ts'
import { isText, type MapNode, type Node, type ScalarNode } from '../dsl/tree.ts'
import type { Path } from './cursor.ts'
import { fragmentOf, type Outline } from './outline.ts'
import { fits } from './places.ts'
import { spotAt } from './tree-paths.ts'

export type Named = 'stage' | 'param' | 'source' | 'axis'

export interface Mention {
  readonly what: Named
  readonly name: string
  /** Of the name alone. */
  readonly span: Span
  /** Where it gets its name, rather than being read. */
  readonly declares: boolean
}

/** Words in checks that are no stages, whatever the stages are called. */
export const SPACES = ['main', 'last', 'baseline', 'data', 'train', 'total'] as const

type Language = 'check' | 'value' | 'condition'

/** Which of the small languages a text at this path is in. */
export function languageAt(path: Path, node: Node): Language | null {
  if (!isText(node)) return null
  if (node.value.startsWith('=')) return node.value.startsWith('==') ? null : 'value'
  return sentenceAt(path)
}

/** Texts that are expressions without a sign in front. */
export function sentenceAt(path: Path): 'check' | 'condition' | null {
  const checks = [
    ['stages', '*', 'checks', '*'],
    ['stages', '*', 'budget', '*'],
    ['stages', '*', 'watch', '*', 'stop'],
    ['stages', '*', 'with', 'where'],
  ]
  const list = path.slice(0, -1)
  const last = path.at(-1)
  if (checks.some((pattern) => fits(path, pattern))) return 'check'
  if ((last === 'require' || last === 'warn') && checks.slice(0, 2).some((pattern) => fits(list, pattern)))
    return 'check'
  return fits(path, ['stages', '*', 'when']) ? 'condition' : null
}

/** Texts that name a stage, or a source, and perhaps one of its ports. */
export function isReference(path: Path): boolean {
  const item = typeof path.at(-1) === 'number' ? path.slice(0, -1) : path
  return (
    fits(path, ['stages', '*', 'inputs', '*']) ||
    fits(path, ['stages', '*', 'baseline']) ||
    fits(path, ['stages', '*', 'metrics']) ||
    fits(item, ['stages', '*', 'needs'])
  )
}

export function mentionsIn(tree: MapNode, outline: Outline): readonly Mention[] {
  const found: Mention[] = []
  const declare = (what: Named, name: string, span: Span): number =>
    found.push({ what, name, span, declares: true })
  for (const { name, span, entry } of outline.stages.values())
    if (entry !== null) declare('stage', name, span)
  for (const [name, { keySpan }] of outline.params) declare('param', name, keySpan)
  for (const { name, span } of outline.sources.values()) declare('source', name, span)
  for (const [name, { entry }] of outline.axes) declare('axis', name, entry.keySpan)
  for (const { name, span } of outline.flow) found.push({ what: 'stage', name, span, declares: false })
  walk(tree, [], (path, node) => {
    if (isReference(path)) found.push(...referenceIn(node))
    const language = languageAt(path, node)
    if (language !== null) found.push(...namesIn(node, language, outline))
  })
  return found
}

function walk(
  node: Node,
  path: Path,
  visit: (path: Path, node: ScalarNode & { value: string }) => void,
): void {
  if (isText(node)) visit(path, node)
  if (node.type === 'map') for (const { key, value } of node.entries) walk(value, [...path, key], visit)
  if (node.type === 'list')
    for (const [index, item] of node.items.entries()) walk(item, [...path, index], visit)
}

/** `stage`, `stage.port` or `sources.x`. */
function referenceIn(node: ScalarNode & { readonly value: string }): readonly Mention[] {
  const [, space = '', first = '', rest] = /^(\s*)([^.\s]+)(?:\.(\S+))?/.exec(node.value) ?? []
  const part = (from: number, length: number): Span => ({
    ...node.span,
    start: node.offsets[from] ?? node.span.start,
    end: node.offsets[from + length] ?? node.span.end,
  })
  if (first === '' || first === 'none') return []
  if (first !== 'sources')
    return [{ what: 'stage', name: first, span: part(space.length, first.length), declares: false }]
  if (rest === undefined) return []
  const from = space.length + first.length + 1
  return [{ what: 'source', name: rest, span: part(from, rest.length), declares: false }]
}

function namesIn(
  node: ScalarNode & { readonly value: string },
  language: Language,
  outline: Outline,
): readonly Mention[] {
  return namesMentioned(fragmentOf(node)).flatMap((name) => mentionOf(name, language, outline) ?? [])
}

/** What a name in an expression means, if it is one of ours. */
export function mentionOf(name: MentionedName, language: Language, outline: Outline): Mention | null {
  const [first = '', second] = name.path
  const [firstSpan = name.span, secondSpan = name.span] = name.parts
  const read = (what: Named, word: string, span: Span): Mention => ({
    what,
    name: word,
    span,
    declares: false,
  })
  if (second !== undefined && first === 'params') return read('param', second, secondSpan)
  if (second !== undefined && first === 'matrix') return read('axis', second, secondSpan)
  if (language === 'value' || name.called || !outline.stages.has(first)) return null
  if (second !== undefined)
    return SPACES.some((space) => space === first) ? null : read('stage', first, firstSpan)
  // A stage stands alone only as a yardstick, where its metric of the same name is meant.
  return language === 'check' && (name.after === 'than' || name.after === ',')
    ? read('stage', first, firstSpan)
    : null
}

/** The mention that touches an offset. */
export function mentionAt(mentions: readonly Mention[], offset: number): Mention | null {
  return mentions.find(({ span }) => span.start <= offset && offset <= span.end) ?? null
}

/** The name of an expression that touches an offset, with the language of the expression. */
export function nameAt(
  tree: MapNode,
  offset: number,
): { name: MentionedName; language: Language; path: Path } | null {
  const spot = spotAt(tree, offset)
  if (spot?.on !== 'value' || !isText(spot.node)) return null
  const language = languageAt(spot.path, spot.node)
  if (language === null) return null
  const name = namesMentioned(fragmentOf(spot.node)).find(
    ({ span }) => span.start <= offset && offset <= span.end,
  )
  return name === undefined ? null : { name, language, path: spot.path }
}
