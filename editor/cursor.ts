/** Where somebody is typing in a YAML text, found without reading it as YAML, because half-written files are not. */

export type Path = readonly (string | number)[]

export interface Cursor {
  /** `key`: of the map that is being given a key. `value`, `open`: of the value itself. */
  readonly path: Path
  /** `open` is the start of a line below a key, or of an item, where either a value or a first key may come. */
  readonly slot: 'key' | 'value' | 'open'
  /** The text being typed, up to the cursor, without an opening quote. */
  readonly text: string
  readonly start: number
  /** Where the word under the cursor ends. */
  readonly end: number
  readonly quote: '"' | "'" | null
  /** Inside `{ }` or `[ ]`, where commas and brackets need quotes. */
  readonly inFlow: boolean
  /** Directly after a colon or dash, where YAML wants a space first. */
  readonly glued: boolean
}

/** A block map or list on the way down to the cursor. */
interface Block {
  readonly indent: number
  readonly list: boolean
  key: string
  index: number
}

/** A `{ }` or `[ ]` that is open. */
interface Flow {
  readonly list: boolean
  key: string | null
  index: number
}

const WORD_REST = /^[\p{L}\p{N}_.-]*/u

/** Null inside a comment. */
export function cursorAt(text: string, offset: number): Cursor | null {
  return new Scan(text, Math.min(Math.max(offset, 0), text.length)).run()
}

class Scan {
  private readonly text: string
  private readonly offset: number
  private blocks: Block[] = []
  private flows: Flow[] = []
  private quote: '"' | "'" | null = null
  /** Where the plain or quoted text that is being read begins; null between texts. */
  private token: number | null = null
  /** A block scalar: the indentation that it must exceed, and where its text begins. */
  private literal: { readonly indent: number; readonly start: number } | null = null

  constructor(text: string, offset: number) {
    this.text = text
    this.offset = offset
  }

  run(): Cursor | null {
    for (let start = 0; ;) {
      const newline = this.text.indexOf('\n', start)
      const end = newline === -1 ? this.text.length : newline
      if (this.offset <= end) return this.line(start, this.offset, true) ?? null
      this.line(start, end, false)
      start = end + 1
    }
  }

  /** One line, up to the cursor on the last one, where it answers. */
  private line(start: number, end: number, last: boolean): Cursor | undefined {
    let at = start
    while (at < end && this.text[at] === ' ') at++
    const indent = at - start
    const blank = at >= end || this.text[at] === '\r'
    if (this.literal !== null) {
      if (indent > this.literal.indent || (blank && !last)) return last ? this.inLiteral() : undefined
      this.literal = null
    }
    if (this.flows.length > 0 || this.quote !== null) {
      if (blank && !last) return undefined
      if (blank || !this.leaves(at, end, indent)) return this.characters(at, end, last)
      this.flows = []
      this.quote = null
      this.token = null
    }
    if (blank && !last) return undefined
    return this.block(start, at, end, last)
  }

  /** A bracket or quote that nobody closed ends where a key stands too far left to be inside of it. */
  private leaves(at: number, end: number, indent: number): boolean {
    const inside = this.blocks.at(-1)?.indent ?? -1
    return indent <= inside && (this.keyEnd(at, end) !== null || this.text.startsWith('- ', at))
  }

  private block(lineStart: number, from: number, end: number, last: boolean): Cursor | undefined {
    let at = from
    let glued = false
    while (this.text[at] === '-' && at < end && (at + 1 === end || /\s/.test(this.text[at + 1] ?? ''))) {
      const indent = at - lineStart
      this.leave(indent + 1)
      const top = this.blocks.at(-1)
      if (top?.list === true && top.indent === indent) top.index++
      else this.blocks.push({ indent, list: true, key: '', index: 0 })
      at++
      glued = at === end
      while (at < end && this.text[at] === ' ') at++
    }
    const indent = at - lineStart
    if (this.text[at] === '#' && at < end) return undefined
    const colon = this.keyEnd(at, end)
    if (colon === null) {
      this.leave(indent + 1)
      if (at < end && /["'{[]/.test(this.text[at] ?? '')) return this.value(at, end, last)
      if (this.isHeader(at, end)) return this.value(at, end, last)
      return last ? this.opening(at, indent, glued) : undefined
    }
    this.leave(indent + 1)
    if (this.blocks.at(-1)?.list === true && this.blocks.at(-1)?.indent === indent) this.blocks.pop()
    const key = unquoted(this.text.slice(at, colon))
    const top = this.blocks.at(-1)
    if (top?.indent === indent) top.key = key
    else this.blocks.push({ indent, list: false, key, index: 0 })
    return this.value(colon + 1, end, last)
  }

  /** Closes what is indented by `indent` or more. */
  private leave(indent: number): void {
    while ((this.blocks.at(-1)?.indent ?? -1) >= indent) this.blocks.pop()
  }

  /** Offset of the colon after a key that starts at `at`, or null if there is no key. */
  private keyEnd(at: number, end: number): number | null {
    const rest = this.text.slice(at, end)
    const match =
      /^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?=:(?:\s|$))/.exec(rest) ??
      /^[^\s"'#{}[\],&*!|>%@`-](?:(?! #|:(?:\s|$)).)*(?=:(?:\s|$))/u.exec(rest)
    return match === null ? null : at + match[0].length
  }

  private isHeader(at: number, end: number): boolean {
    return /^[|>][+-]?\d?[+-]?\s*(?: #.*)?$/.test(this.text.slice(at, end))
  }

  private value(from: number, end: number, last: boolean): Cursor | undefined {
    let at = from
    const skipSpace = (): void => {
      while (at < end && /\s/.test(this.text[at] ?? '')) at++
    }
    skipSpace()
    // An anchor or a tag stands before the value that it belongs to.
    for (let match; (match = /^[&!]\S* /.exec(this.text.slice(at, end))) !== null; skipSpace())
      at += match[0].length
    if (at >= end) return last ? this.answer('value', at, from === at) : undefined
    if (this.text[at] === '#') return undefined
    if (this.isHeader(at, end)) {
      this.literal = { indent: this.blocks.at(-1)?.indent ?? -1, start: end + 1 }
      return undefined
    }
    if (/["'{[]/.test(this.text[at] ?? '')) return this.characters(at, end, last)
    if (/\s#/.test(this.text.slice(at, end))) return undefined
    return last ? this.answer('value', at, false) : undefined
  }

  /** Quoted text and what is inside brackets, character by character. */
  private characters(from: number, end: number, last: boolean): Cursor | undefined {
    for (let at = from; at < end; at++) {
      const character = this.text[at] ?? ''
      if (this.quote !== null) {
        if (character === '\\' && this.quote === '"') at++
        else if (character === this.quote) {
          if (this.quote === "'" && this.text[at + 1] === "'") at++
          else this.quote = null
          if (this.quote === null && this.flows.length === 0) return this.afterValue()
        }
        continue
      }
      const flow = this.flows.at(-1)
      const next = at + 1 >= end ? ' ' : (this.text[at + 1] ?? ' ')
      if (character === '#' && /\s/.test(this.text[at - 1] ?? ' ')) return undefined
      if (/\s/.test(character)) continue
      if (this.token === null && (character === '"' || character === "'")) {
        this.quote = character
        this.token = at + 1
      } else if (this.token === null && (character === '{' || character === '['))
        this.flows.push({ list: character === '[', key: null, index: 0 })
      else if (character === '}' || character === ']') {
        this.flows.pop()
        if (this.flows.length === 0) return this.afterValue()
        // What was closed is a value, after which only a comma can come.
        this.token = at
      } else if (character === ',') {
        this.token = null
        if (flow?.list === true) flow.index++
        else if (flow !== undefined) flow.key = null
      } else if (character === ':' && flow?.list === false && flow.key === null && /[\s,{}[\]]/.test(next)) {
        flow.key = unquoted(this.text.slice(this.token ?? at, at))
        this.token = null
      } else this.token ??= at
    }
    if (!last) return undefined
    const flow = this.flows.at(-1)
    const glued = this.token === null && this.text[this.offset - 1] === ':'
    return this.answer(flow?.list === false && flow.key === null ? 'key' : 'value', this.token, glued)
  }

  private afterValue(): undefined {
    this.token = null
    return undefined
  }

  private inLiteral(): Cursor {
    return this.answer('value', this.literal?.start ?? this.offset, false)
  }

  /** The start of a line, or of an item, without a colon yet. */
  private opening(at: number, indent: number, glued: boolean): Cursor {
    if (this.blocks.at(-1)?.list === true && this.blocks.at(-1)?.indent === indent) this.blocks.pop()
    const top = this.blocks.at(-1)
    if (top === undefined || (!top.list && top.indent === indent)) {
      this.blocks.pop()
      return this.answer('key', at, glued)
    }
    return this.answer('open', at, glued)
  }

  private answer(slot: Cursor['slot'], token: number | null, glued: boolean): Cursor {
    const path: (string | number)[] = this.blocks.map(({ list, key, index }) => (list ? index : key))
    for (const { list, key, index } of this.flows)
      if (list || key !== null) path.push(list ? index : (key ?? ''))
    const start = Math.min(token ?? this.offset, this.offset)
    return {
      path,
      slot,
      text: this.text.slice(start, this.offset),
      start,
      end: this.offset + (WORD_REST.exec(this.text.slice(this.offset))?.[0].length ?? 0),
      quote: this.quote,
      inFlow: this.flows.length > 0,
      glued,
    }
  }
}

function unquoted(text: string): string {
  const trimmed = text.trim().replace(/^["']/, '').replace(/["']$/, '')
  return trimmed
}
