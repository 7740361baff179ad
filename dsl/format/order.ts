/** Keys in the order in which people look for them, wherever no comment could lose what it describes. */
import { hasAliases, rootMap, type BlockMap } from './tokens.ts'

const TOP = [
  'version',
  'name',
  'description',
  'model',
  'data',
  'sources',
  'params',
  'workers',
  'defaults',
  'matrix',
  'flow',
  'stages',
  'notify',
]
const STAGE = [
  'uses',
  'worker',
  'needs',
  'when',
  'inputs',
  'matrix',
  'with',
  'metrics',
  'baseline',
  'checks',
  'budget',
  'resources',
  'cache',
  'retry',
  'timeout',
  'watch',
]

/** The text must be laid out. */
export function inOrder(text: string): string {
  const root = rootMap(text)
  if (root === null || hasAliases(root)) return text
  const stages = root.items.find((item) => nameOf(item) === 'stages')?.value
  // From the last to the first, so that the offsets of those to come stay true.
  let result = text
  if (stages?.type === 'block-map')
    for (const { value } of [...stages.items].reverse())
      if (value?.type === 'block-map') result = sorted(result, value, STAGE)
  const top = rootMap(result)
  return top === null ? result : sorted(result, top, TOP)
}

function sorted(text: string, map: BlockMap, order: readonly string[]): string {
  const names = map.items.map(nameOf)
  const places = names.map((name) => (name === null ? -1 : order.indexOf(name)))
  if (places.includes(-1) || new Set(places).size < places.length) return text
  const wanted = [...places.keys()].sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0))
  if (wanted.every((place, i) => place === i)) return text
  const blocks = blocksOf(text, map)
  if (blocks === null) return text
  const [first] = blocks
  const [, ...others] = wanted
  // A comment above the first key may be the heading of all of them.
  if (first === undefined || (wanted[0] !== 0 && first.comments !== '')) return text
  const start = first.start
  const end = blocks.at(-1)?.end ?? start
  const moved = [wanted[0] ?? 0, ...others].map((place, i) => {
    const block = blocks[place]
    return `${blocks[i]?.blank ?? ''}${block?.comments ?? ''}${block?.body ?? ''}`
  })
  return text.slice(0, start) + moved.join('') + text.slice(end)
}

interface Block {
  readonly start: number
  readonly end: number
  /** Blank lines before it; they stay where they are. */
  readonly blank: string
  /** Comments directly above the key. */
  readonly comments: string
  /** From the key's line to the last line of its value. */
  readonly body: string
}

/** The entries of a map as whole lines; null if a comment between them belongs to none in particular. */
function blocksOf(text: string, map: BlockMap): readonly Block[] | null {
  const keys = map.items.map((item) => lineStart(text, item.key?.offset ?? 0))
  const depth = map.items.map((item) => (item.key?.offset ?? 0) - lineStart(text, item.key?.offset ?? 0))
  const [indent] = depth
  // The first key of a map in a list stands behind the dash.
  if (indent === undefined || depth.some((each) => each !== indent)) return null
  if (keys.some((at) => text.slice(at, at + indent).trim() !== '')) return null
  const blocks: Block[] = []
  for (const [i, key] of keys.entries()) {
    const from = i === 0 ? firstLead(text, key, indent) : (blocks[i - 1]?.end ?? key)
    const lead = text.slice(from, key)
    const match = /^(\n*)((?: *#.*\n)*)$/.exec(lead)
    if (match === null) return null
    const end =
      keys[i + 1] === undefined
        ? endOfBody(text, key, indent, text.length)
        : endOfBody(text, key, indent, keys[i + 1] ?? 0)
    blocks.push({
      start: from,
      end,
      blank: match[1] ?? '',
      comments: match[2] ?? '',
      body: text.slice(key, end),
    })
  }
  return blocks
}

/** Comments directly above the first key. */
function firstLead(text: string, key: number, indent: number): number {
  let from = key
  while (from > 0) {
    const above = lineStart(text, from - 1)
    const line = text.slice(above, from)
    if (!line.trimStart().startsWith('#') || indentOf(line) !== indent) break
    from = above
  }
  return from
}

/** Through the last line before `limit` that lies deeper than the key; comments at the key's depth lead the next one. */
function endOfBody(text: string, key: number, indent: number, limit: number): number {
  let end = text.indexOf('\n', key) + 1 || text.length
  for (let at = end; at < limit;) {
    const next = text.indexOf('\n', at) + 1 || text.length
    const line = text.slice(at, next)
    if (line.trim() !== '' && indentOf(line) <= indent) break
    if (line.trim() !== '') end = next
    at = next
  }
  return end
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length
}

function nameOf(item: BlockMap['items'][number]): string | null {
  const { key } = item
  return key !== null && key !== undefined && key.type === 'scalar' ? key.source : null
}
