/** From a name to where it is declared, and to every place that names it. */
import type { Span } from '../dsl/source.ts'
import { mentionAt, type Mention } from './mentions.ts'
import type { Location } from './protocol.ts'
import type { View } from './view.ts'

export function definitionAt(view: View, offset: number): Location | null {
  const mention = mentionAt(view.mentions, offset)
  const span = mention === null ? null : declarationOf(view, mention)
  return span === null ? null : { uri: view.document.uri, range: view.document.rangeOf(span) }
}

/** A stage that has no settings is declared by its first place in the flow line. */
function declarationOf({ mentions, outline }: View, { what, name }: Mention): Span | null {
  const declared = mentions.find((each) => each.declares && each.what === what && each.name === name)
  return declared?.span ?? (what === 'stage' ? (outline.stages.get(name)?.span ?? null) : null)
}

export function referencesAt(view: View, offset: number, declaration: boolean): readonly Location[] {
  const mention = mentionAt(view.mentions, offset)
  if (mention === null) return []
  return sameName(view, mention)
    .filter((each) => declaration || !each.declares)
    .map(({ span }) => ({ uri: view.document.uri, range: view.document.rangeOf(span) }))
}

/** Every place with this name, in the order of the file. */
export function sameName({ mentions }: View, { what, name }: Mention): readonly Mention[] {
  return mentions
    .filter((each) => each.what === what && each.name === name)
    .sort((a, b) => a.span.start - b.span.start)
}
