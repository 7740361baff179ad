/** A YAML text as its tokens, every character in one of them; the door through which formatting uses the library. */
import { CST, Parser } from 'yaml'

export type Token = CST.Token
export type SourceToken = CST.SourceToken
export type BlockMap = CST.BlockMap
export type BlockSequence = CST.BlockSequence
export type BlockScalar = CST.BlockScalar
export type FlowCollection = CST.FlowCollection
export type MapItem = CST.BlockMap['items'][number]

/** The map at the root; null if the text is anything else than one plain document with one map in it. */
export function rootMap(text: string): BlockMap | null {
  const parts = [...new Parser().parse(text)]
  // Comments above the first key come before the document.
  const [document, ...rest] = parts.filter(({ type }) => !['comment', 'newline', 'space'].includes(type))
  if (rest.length > 0 || document?.type !== 'document' || document.value?.type !== 'block-map') return null
  // `---` and directives are nobody's habit in these files, and their lines have no owner.
  if (document.start.some(({ type }) => type === 'doc-start' || type === 'directive-line')) return null
  return document.value
}

/** A token and all it holds as it is written, white space and comments after it included. */
export function sourceOf(token: Token): string {
  return CST.stringify(token)
}

/** Whether something refers to an anchor, so that the order of the text matters. */
export function hasAliases(map: BlockMap): boolean {
  let found = false
  CST.visit({ type: 'document', offset: 0, start: [], value: map }, ({ key, value }) => {
    found ||= key?.type === 'alias' || value?.type === 'alias'
  })
  return found
}
