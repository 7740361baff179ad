/** `watch:`: checks on what a stage reports while it runs, typed like those of a gate but hoped not to hold. */
import type { Diagnostic } from './diagnostic.ts'
import { checkTypes, type CheckScope, type Space } from './expression/check-types.ts'
import { parseExpression } from './expression/parse.ts'
import { LIVE, type Watch } from './pipeline.ts'
import { nothingLive, oddWatch } from './problems/run-settings.ts'
import { isText, type Node } from './tree.ts'
import type { Draft } from './wiring.ts'

export function readWatches(draft: Draft, all: readonly Draft[], out: Diagnostic[]): readonly Watch[] {
  const list = draft.declaration?.watch ?? null
  if (list === null || draft.kind.decides !== undefined) return []
  const { live } = draft.kind
  if (live === undefined) {
    const able = [...new Set(all.flatMap(({ kind }) => (kind.live === undefined ? [] : [kind.name])))]
    out.push(nothingLive(list.span, draft.name, draft.kind.name, able))
    return []
  }
  const space: Space = { metrics: live, stage: draft.name }
  const scope: CheckScope = {
    judged: space,
    spaces: { [LIVE]: space },
    measurable: live,
    measuredAt: null,
    slices: [],
    ports: [],
  }
  return list.items.flatMap((item) => readWatch(item, scope, out) ?? [])
}

function readWatch(item: Node, scope: CheckScope, out: Diagnostic[]): Watch | null {
  if (item.type === 'poison') return null
  const [entry, ...more] = item.type === 'map' ? item.entries : []
  if (entry?.key !== 'stop' || more.length > 0 || !isText(entry.value)) {
    if (entry?.value.type !== 'poison') out.push(oddWatch(item.span))
    return null
  }
  const { value: node } = entry
  const fragment = { source: node.span.source, text: node.value, offsets: node.offsets }
  const parsed = parseExpression(fragment, out)
  const expression = parsed === null ? null : checkTypes(parsed, scope, out, false)
  return expression === null ? null : { text: node.value.trim(), expression, span: node.span }
}
