/** Indentation, blank lines, brackets and quotes as everybody writes them; comments stay where they are. */
import {
  rootMap,
  sourceOf,
  type BlockMap,
  type BlockScalar,
  type BlockSequence,
  type FlowCollection,
  type SourceToken,
  type Token,
} from './tokens.ts'

const STEP = 2

interface Change {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** What decides a line's indentation. */
type Line =
  | { readonly type: 'structure'; readonly indent: number }
  /** Goes on with a value that began on another line, and moves as far as that one. */
  | { readonly type: 'continuation'; readonly owner: number }
  /** Content of a text block, which moves as a whole. */
  | { readonly type: 'block'; readonly by: number }
  | { readonly type: 'comment' }
  | { readonly type: 'blank' }

/** Null if the text has parts whose layout nobody should guess at. */
export function layOut(text: string): string | null {
  const root = rootMap(text)
  return root === null ? null : new Layout(text).run(root)
}

class Layout {
  private readonly text: string
  private readonly starts: readonly number[]
  private readonly lines: (Line | undefined)[]
  /** Lines whose white space is content. */
  private readonly kept = new Set<number>()
  private readonly changes: Change[] = []
  private odd = false

  constructor(text: string) {
    this.text = text
    const starts = [0]
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
    this.starts = starts
    this.lines = starts.map(() => undefined)
  }

  run(root: BlockMap): string | null {
    this.map(root, 0)
    this.rest()
    if (this.odd || this.lines.some((line) => line === undefined)) return null
    this.indentation()
    this.blanks()
    return applied(this.text, this.changes)
  }

  private map(map: BlockMap, indent: number): void {
    for (const item of map.items) {
      const { key } = item
      if (item.explicitKey === true || key === null || key === undefined || !isPlace(key)) {
        // An item that holds nothing but comments is the tail of the map.
        if (item.start.every(({ type }) => isGap(type)) && key === undefined) continue
        this.odd = true
        return
      }
      const first = item.start.find(({ type }) => !isGap(type)) ?? key
      this.begins(first.offset, indent)
      const owner = this.lineOf(key.offset)
      this.scalar(key, owner)
      const { value } = item
      if (value === undefined) continue
      if (
        item.sep.some(({ type }) => type === 'anchor' || type === 'tag') &&
        this.lineOf(value.offset) !== owner
      ) {
        const mark = item.sep.find(({ type }) => type === 'anchor' || type === 'tag')
        if (mark !== undefined && this.lineOf(mark.offset) !== owner) this.odd = true
      }
      this.value(value, indent, owner)
    }
  }

  private sequence(sequence: BlockSequence, indent: number): void {
    for (const item of sequence.items) {
      const dash = item.start.find(({ type }) => type === 'seq-item-ind')
      if (dash === undefined) {
        if (item.start.every(({ type }) => isGap(type)) && item.value === undefined) continue
        this.odd = true
        return
      }
      this.begins(dash.offset, indent)
      const owner = this.lineOf(dash.offset)
      if (item.value === undefined) continue
      const next = item.start.find(({ type, offset }) => offset > dash.offset && !isGap(type)) ?? item.value
      // One space after the dash, unless the value begins on a line of its own.
      if (this.lineOf(next.offset) === owner) this.change(dash.offset + 1, next.offset, ' ')
      this.value(item.value, indent, owner)
    }
  }

  private value(value: Token, indent: number, owner: number): void {
    if (value.type === 'block-map') this.map(value, indent + STEP)
    else if (value.type === 'block-seq') this.sequence(value, indent + STEP)
    else if (value.type === 'flow-collection') {
      const first = this.lineOf(value.offset)
      const last = this.lineOf(endOf(value) - 1)
      this.continues(first, last, this.placed(value.offset, indent, owner))
      if (first === last) this.flow(value)
    } else if (value.type === 'block-scalar') {
      this.block(value, indent, this.placed(value.offset, indent, owner))
    } else if (isPlace(value)) this.scalar(value, this.placed(value.offset, indent, owner))
    else this.odd = true
  }

  private block(block: BlockScalar, indent: number, owner: number): void {
    if (block.source === '') return
    const content = block.props.reduce((at, prop) => at + sourceOf(prop).length, block.offset)
    const first = this.lineOf(content)
    // Blank lines at the end count with `|+`, so they stay, too.
    const last = this.lineOf(content + block.source.length - 1)
    const lines = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    const told = /[0-9]/.test(block.props.map(sourceOf).join('').split('#')[0] ?? '')
    const filled = lines.find((line) => this.lineText(line).trim() !== '')
    const depth = filled === undefined ? 0 : this.indentOf(filled)
    for (const line of lines) {
      this.kept.add(line)
      const text = this.lineText(line)
      // With an explicit indentation the header decides how much of the white space is content.
      if (told) this.lines[line] = { type: 'continuation', owner }
      else if (text.trim() === '' && text.length <= depth) {
        this.lines[line] = { type: 'block', by: 0 }
        this.change(this.startOf(line), this.startOf(line) + text.length, '')
      } else this.lines[line] = { type: 'block', by: indent + STEP - depth }
    }
  }

  /** A value that stands on a line of its own below its key moves to the next step. */
  private placed(offset: number, indent: number, owner: number): number {
    const line = this.lineOf(offset)
    if (line === owner || !this.isFirst(offset)) return owner
    this.lines[line] = { type: 'structure', indent: indent + STEP }
    return line
  }

  private scalar(token: Token, owner: number): void {
    if (!isPlace(token)) return
    const first = this.lineOf(token.offset)
    const last = this.lineOf(token.offset + Math.max(0, token.source.length - 1))
    this.continues(first, last, owner)
    if (last > first) {
      for (let line = first; line <= last; line++) this.kept.add(line)
      return
    }
    const quoted = inDoubleQuotes(token)
    if (quoted !== token.source) this.change(token.offset, token.offset + token.source.length, quoted)
  }

  private flow(collection: FlowCollection): void {
    const source = this.text.slice(collection.offset, endOf(collection))
    const tidy = flowText(collection)
    if (tidy !== null && tidy !== source)
      this.change(collection.offset, collection.offset + source.length, tidy)
  }

  private begins(offset: number, indent: number): void {
    if (this.isFirst(offset)) this.lines[this.lineOf(offset)] = { type: 'structure', indent }
  }

  private continues(first: number, last: number, owner: number): void {
    for (let line = first + 1; line <= last; line++) this.lines[line] = { type: 'continuation', owner }
  }

  private rest(): void {
    for (const line of this.starts.keys()) {
      if (this.lines[line] !== undefined) continue
      const text = this.lineText(line).trim()
      if (text === '') this.lines[line] = { type: 'blank' }
      else if (text.startsWith('#')) this.lines[line] = { type: 'comment' }
    }
  }

  private indentation(): void {
    for (const [number, line] of this.lines.entries()) {
      const old = this.indentOf(number)
      const text = this.lineText(number)
      if (line === undefined || line.type === 'blank') continue
      // White space of a text block beyond its depth is content.
      if (text.trim() === '' && (line.type !== 'block' || line.by === 0)) continue
      const moved = Math.max(0, this.newIndent(number))
      if (moved !== old) this.change(this.startOf(number), this.startOf(number) + old, ' '.repeat(moved))
      if (this.kept.has(number)) continue
      const end = this.startOf(number) + text.length
      this.change(end - (text.length - text.trimEnd().length), end, '')
    }
  }

  private newIndent(number: number): number {
    const line = this.lines[number]
    const old = this.indentOf(number)
    if (line?.type === 'structure') return line.indent
    if (line?.type === 'block') return old + line.by
    if (line?.type === 'continuation') return old + this.newIndent(line.owner) - this.indentOf(line.owner)
    return this.commentIndent(number, old)
  }

  /** A comment belongs to the next line at its depth, else to the last one. */
  private commentIndent(number: number, old: number): number {
    const ours = (at: number): boolean => this.lines[at]?.type === 'structure' && this.indentOf(at) === old
    for (let at = number + 1; at < this.lines.length; at++) {
      if (ours(at)) return this.newIndent(at)
      if (this.lines[at]?.type === 'structure' && this.indentOf(at) < old) break
    }
    for (let at = number - 1; at >= 0; at--) {
      if (ours(at)) return this.newIndent(at)
      if (this.lines[at]?.type === 'structure' && this.indentOf(at) < old)
        return Math.max(this.newIndent(at) + STEP, old + this.newIndent(at) - this.indentOf(at))
    }
    return old
  }

  /** At most one blank line, none at the start and none at the end. */
  private blanks(): void {
    let previous: 'none' | 'text' | 'blank' = 'none'
    const last = this.lines.findLastIndex((line, at) => line?.type !== 'blank' || this.kept.has(at))
    for (const [number, line] of this.lines.entries()) {
      const start = this.startOf(number)
      const next = this.starts[number + 1] ?? this.text.length
      if (number > last) this.change(start, next, '')
      else if (line?.type !== 'blank' || this.kept.has(number)) previous = 'text'
      else if (previous === 'text') {
        this.change(start, Math.max(start, next - 1), '')
        previous = 'blank'
      } else this.change(start, next, '')
    }
  }

  private change(start: number, end: number, text: string): void {
    if (this.text.slice(start, end) !== text) this.changes.push({ start, end, text })
  }

  private lineOf(offset: number): number {
    let low = 0
    let high = this.starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  private startOf(line: number): number {
    return this.starts[line] ?? this.text.length
  }

  private lineText(line: number): string {
    const end = this.starts[line + 1]
    return this.text.slice(this.startOf(line), end === undefined ? this.text.length : end - 1)
  }

  private indentOf(line: number): number {
    return /^[ \t]*/.exec(this.lineText(line))?.[0].length ?? 0
  }

  private isFirst(offset: number): boolean {
    return this.text.slice(this.startOf(this.lineOf(offset)), offset).trim() === ''
  }
}

/** Tokens that have a text of their own, at an offset. */
type Place = Extract<Token, { readonly source: string }>

function isPlace(token: Token | SourceToken): token is Place {
  return 'source' in token
}

function isGap(type: SourceToken['type']): boolean {
  return type === 'space' || type === 'newline' || type === 'comment'
}

/** The first offset behind the closing bracket. */
function endOf(collection: FlowCollection): number {
  const close = collection.end.find(({ type }) => type === 'flow-map-end' || type === 'flow-seq-end')
  return close === undefined ? collection.offset + sourceOf(collection).length : close.offset + 1
}

/** `{ a: 1, b: [x, y] }`; null if there is anything in it that is more than keys and values. */
function flowText(collection: FlowCollection): string | null {
  const parts: string[] = []
  for (const item of collection.items) {
    const marks = item.start.filter(({ type }) => type !== 'space' && type !== 'comma')
    if (marks.some(({ type }) => type !== 'anchor' && type !== 'tag')) return null
    const inner = [...(item.sep ?? [])].filter(({ type }) => type !== 'space')
    if (inner.some(({ type }) => type !== 'map-value-ind' && type !== 'anchor' && type !== 'tag')) return null
    const key = item.key === undefined || item.key === null ? '' : flowPart(item.key)
    const value = item.value === undefined ? '' : flowPart(item.value)
    if (key === null || value === null) return null
    const colon = inner.some(({ type }) => type === 'map-value-ind') ? ':' : ''
    const before = marks.map(({ source }) => source)
    const between = inner.filter(({ type }) => type !== 'map-value-ind').map(({ source }) => source)
    const text = [
      ...before,
      ...(key + colon === '' ? [] : [key + colon]),
      ...between,
      ...(value === '' ? [] : [value]),
    ]
    // What is left of a trailing comma.
    if (text.length > 0) parts.push(text.join(' '))
  }
  if (collection.end.some(({ type }) => type === 'comment' || type === 'newline') && !isClosed(collection))
    return null
  const list = parts.join(', ')
  if (collection.start.source === '[') return `[${list}]`
  return list === '' ? '{}' : `{ ${list} }`
}

function isClosed(collection: FlowCollection): boolean {
  const [first] = collection.end
  return first?.type === 'flow-map-end' || first?.type === 'flow-seq-end'
}

function flowPart(token: Token): string | null {
  if (token.type === 'flow-collection') return flowText(token)
  if (token.type === 'scalar' || token.type === 'alias' || token.type === 'double-quoted-scalar')
    return token.source
  return token.type === 'single-quoted-scalar' ? inDoubleQuotes(token) : null
}

/** Single quotes become double where both mean the same. */
function inDoubleQuotes(token: Place): string {
  if (token.type !== 'single-quoted-scalar' || /["\\\n\t]|''/.test(token.source.slice(1, -1)))
    return token.source
  return `"${token.source.slice(1, -1)}"`
}

/** Changes never overlap except that one may lie within another; the wider one wins. */
function applied(text: string, changes: readonly Change[]): string {
  const sorted = [...changes].sort((a, b) => a.start - b.start || b.end - a.end)
  let result = ''
  let at = 0
  for (const { start, end, text: replacement } of sorted) {
    if (start < at) continue
    result += text.slice(at, start) + replacement
    at = end
  }
  const whole = result + text.slice(at)
  return whole === '' || whole.endsWith('\n') ? whole : `${whole}\n`
}
