/** YAML text to a positioned tree; every error and warning of YAML becomes one of our messages. */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type Node as YamlNode,
  type Pair,
  type YAMLError,
} from 'yaml'
import type { Diagnostic } from './diagnostic.ts'
import { meantAddress } from './hub-address.ts'
import * as hubProblems from './problems/hub.ts'
import * as textProblems from './problems/text.ts'
import * as valueProblems from './problems/values.ts'
import { scalarOffsets } from './scalar-map.ts'
import type { Source, Span } from './source.ts'
import { spanAt, type MapEntry, type Node } from './tree.ts'

const MOST_CHARACTERS = 2 ** 18
const MOST_NODES = 20_000
const DEEPEST = 60
/** Errors of one text that are looked at; the later ones follow from the first. */
const MOST_ERRORS = 20

/** Null if the text cannot be read at all; otherwise a tree in which mistaken pieces are poisoned. */
export function readYaml(source: Source, out: Diagnostic[]): Node | null {
  if (source.text.length > MOST_CHARACTERS) {
    out.push(textProblems.tooLong(spanAt(source, 0, 0)))
    return null
  }
  const controls = [...source.text.matchAll(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g)]
  if (controls.length > 0) {
    out.push(textProblems.controlCharacters(controls.map(({ index }) => spanAt(source, index, index + 1))))
    return null
  }
  const tooDeep = deepBrackets(source.text)
  if (tooDeep !== null) {
    out.push(textProblems.tooDeep(spanAt(source, tooDeep, tooDeep + 1)))
    return null
  }
  const document = parsed(source.text)
  if (document === null) {
    out.push(textProblems.tooDeep(spanAt(source, 0, 1)))
    return null
  }
  const broken = document.errors.length > 0
  if (broken) out.push(...syntaxProblems(source, document.errors))
  const tags = new Map<number, YAMLError>()
  for (const warning of document.warnings)
    if (warning.code === 'TAG_RESOLVE_FAILED') tags.set(behind(source.text, warning.pos[1]), warning)
    else if (out.length < MOST_ERRORS) out.push(...syntaxProblems(source, [warning]))
  if (broken) return null
  if (document.contents === null) {
    out.push(textProblems.emptyFile(spanAt(source, 0, 0)))
    return null
  }
  const reader = new Reader(source, tags, out)
  const root = reader.read(document.contents)
  return reader.exhausted ? null : root
}

/** Walks the document once; holds what the walk counts and has already reported. */
class Reader {
  private readonly source: Source
  /** By the place of what they stand before. */
  private readonly tags: ReadonlyMap<number, YAMLError>
  private readonly out: Diagnostic[]
  private readonly open = new Set<YamlNode>()
  private readonly anchors = new Map<string, YamlNode>()
  private count = 0
  /** The outermost alias that is being read through, because that is where the user has to act. */
  private through: Span | null = null

  constructor(source: Source, tags: ReadonlyMap<number, YAMLError>, out: Diagnostic[]) {
    this.source = source
    this.tags = tags
    this.out = out
  }

  /** There was more than anybody reads; what was read is not all. */
  get exhausted(): boolean {
    return this.count > MOST_NODES
  }

  read(node: YamlNode | null): Node {
    const range = node?.range
    const start = range?.[0] ?? 0
    const end = trimEnd(this.source.text, start, range?.[1] ?? start)
    const span = spanAt(this.source, start, end)
    if (node === null) return { type: 'scalar', value: null, raw: '', plain: true, offsets: [], span }
    if (++this.count > MOST_NODES || this.open.size > DEEPEST || this.open.has(node)) {
      if (this.count <= MOST_NODES + 1) this.out.push(this.tooMuch(span))
      this.count = Math.max(this.count, MOST_NODES + 1)
      return { type: 'poison', span }
    }
    if (isAlias(node)) {
      const target = this.anchors.get(node.source)
      if (target === undefined) {
        this.out.push(textProblems.unknownAlias(span, node.source))
        return { type: 'poison', span }
      }
      const outer = this.through
      this.through ??= span
      const read = this.read(target)
      this.through = outer
      return read
    }
    // What is read through an alias was read before; only the text's own order decides what a name means.
    if (this.through === null && node.anchor !== undefined) this.anchors.set(node.anchor, node)
    const tag = this.tags.get(start)
    if (tag !== undefined) {
      const read = isScalar(node) ? String(node.value) : this.source.text.slice(start, end)
      this.out.push(textProblems.tagSign(spanAt(this.source, tag.pos[0], tag.pos[1]), read))
      return { type: 'poison', span }
    }
    this.open.add(node)
    const result = this.inner(node, span.start, span.end)
    this.open.delete(node)
    return result
  }

  private tooMuch(span: Span): Diagnostic {
    if (this.through !== null) return textProblems.tooManyAliases(this.through)
    return this.open.size > DEEPEST
      ? textProblems.tooDeep(span)
      : textProblems.tooLong(spanAt(this.source, 0, 0))
  }

  private inner(node: YamlNode, start: number, end: number): Node {
    const span = spanAt(this.source, start, end)
    if (isMap(node)) return { type: 'map', entries: this.entries(node.items), span }
    if (isSeq(node)) {
      const items = node.items as YamlNode[]
      const split = items.findIndex((item) => isScalar(item) && isHalfExpression(item.value))
      if (split >= 0 && node.flow === true) {
        const at = items[split]?.range?.[0] ?? start
        const whole = wholeExpression(this.source.text, at)
        this.out.push(
          textProblems.splitExpression(
            spanAt(this.source, at, at + firstPart(whole)),
            spanAt(this.source, at, at + whole.length),
            null,
            whole,
          ),
        )
        return { type: 'poison', span }
      }
      return { type: 'list', items: items.map((item) => this.read(item)), span }
    }
    if (!isScalar(node)) return { type: 'poison', span }
    const value: unknown = node.value
    const raw = this.source.text.slice(start, end)
    const plain = node.type === 'PLAIN'
    if (typeof value === 'string') {
      if (value.includes('${{')) {
        this.out.push(textProblems.bracesValue(span, value))
        return { type: 'poison', span }
      }
      return { type: 'scalar', value, raw, plain, offsets: scalarOffsets(value, raw, start), span }
    }
    if (value === null || typeof value === 'boolean')
      return { type: 'scalar', value, raw, plain, offsets: [], span }
    if (typeof value === 'number' && /^[-+]?0\d/.test(raw))
      this.out.push(textProblems.leadingZero(span, raw, value))
    if (typeof value === 'number' && Number.isFinite(value))
      return { type: 'scalar', value, raw, plain, offsets: [], span }
    this.out.push(valueProblems.notANumber(span, raw, null))
    return { type: 'poison', span }
  }

  private entries(pairs: readonly Pair[]): readonly MapEntry[] {
    const entries: MapEntry[] = []
    const byKey = new Map<string, Span>()
    let swallow = false
    for (const pair of pairs) {
      const key = pair.key as YamlNode | null
      const keyStart = key?.range?.[0] ?? 0
      const keySpan = spanAt(this.source, keyStart, key?.range?.[1] ?? keyStart)
      if (swallow && pair.value === null) {
        // The tail of a split expression, which has its message already.
        swallow = !this.source.text.slice(keySpan.start, keySpan.end).includes(')')
        continue
      }
      const name = this.keyName(key)
      if (name === null) {
        this.out.push(textProblems.oddKey(keySpan))
        continue
      }
      if (name === '<<') {
        this.out.push(textProblems.mergeKey(keySpan))
        continue
      }
      const first = byKey.get(name)
      if (first !== undefined) {
        this.out.push(textProblems.duplicateKey(keySpan, name, first))
        continue
      }
      byKey.set(name, keySpan)
      if (this.exhausted) break
      const value = pair.value as YamlNode | null
      if (isScalar(value) && isHalfExpression(value.value) && value.type === 'PLAIN') {
        const at = value.range?.[0] ?? keyStart
        const whole = wholeExpression(this.source.text, at)
        const span = spanAt(this.source, at, at + firstPart(whole))
        this.out.push(
          textProblems.splitExpression(span, spanAt(this.source, at, at + whole.length), name, whole),
        )
        entries.push({ key: name, keySpan, value: { type: 'poison', span } })
        swallow = true
        continue
      }
      swallow = false
      const empty: Node = {
        type: 'scalar',
        value: null,
        raw: '',
        plain: true,
        offsets: [],
        span: spanAt(this.source, keySpan.start, keySpan.end),
      }
      entries.push({ key: name, keySpan, value: value === null ? empty : this.valueOf(value, empty) })
    }
    return entries
  }

  /** An empty value is reported at its key, because it has no text of its own. */
  private valueOf(value: YamlNode, empty: Node): Node {
    const read = this.read(value)
    return read.type === 'scalar' && read.value === null && read.raw === '' ? empty : read
  }

  private keyName(key: YamlNode | null): string | null {
    if (!isScalar(key)) return null
    const value: unknown = key.value
    if (typeof value === 'string') return value
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    return null
  }
}

/** The first offset behind blanks. */
function behind(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\t') at++
  return at
}

function isHalfExpression(value: unknown): boolean {
  if (typeof value !== 'string' || !value.startsWith('=') || value.startsWith('==')) return false
  const opened = value.split('(').length
  return opened > value.split(')').length
}

/** From `=` to the parenthesis that closes it, or to the end of the line. */
function wholeExpression(text: string, start: number): string {
  let depth = 0
  let at = start
  for (; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '(') depth++
    if (text[at] === ')' && --depth === 0) return text.slice(start, at + 1)
  }
  return text.slice(start, at).trimEnd()
}

function firstPart(whole: string): number {
  const comma = whole.indexOf(',')
  return comma < 0 ? whole.length : comma
}

/** A block scalar's range includes its last line break; carets should not. */
function trimEnd(text: string, start: number, end: number): number {
  let at = end
  while (at > start && /\s/.test(text[at - 1] ?? '')) at--
  return at
}

/** Null if it nests so deep that the parser runs out of stack: `{ a: 1，a: 1，…` opens a map at each colon. */
function parsed(text: string): ReturnType<typeof parseDocument> | null {
  try {
    return parseDocument(text, {
      version: '1.2',
      uniqueKeys: false,
      merge: false,
      prettyErrors: false,
      strict: true,
      logLevel: 'error',
    })
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Offset of the first bracket nested deeper than any sensible file, where parsing could exhaust the stack. */
function deepBrackets(text: string): number | null {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (c === '[' || c === '{') depth++
    else if (c === ']' || c === '}') depth = Math.max(0, depth - 1)
    if (depth > 4 * DEEPEST) return i
  }
  const dashes = /(?:[-?:][ \t]+){240}/.exec(text)
  return dashes === null ? null : dashes.index
}

/** One message per line: YAML's follow-up errors on a line say nothing new. */
function syntaxProblems(source: Source, errors: readonly YAMLError[]): readonly Diagnostic[] {
  const seen = new Set<number>()
  const found: Diagnostic[] = []
  for (const error of errors.slice(0, MOST_ERRORS)) {
    const start = Math.min(error.pos[0], source.text.length)
    const lineStart = source.text.lastIndexOf('\n', start - 1) + 1
    if (seen.has(lineStart)) continue
    seen.add(lineStart)
    found.push(syntaxProblem(source, error, lineStart))
  }
  // Once the structure is broken, later lines are often misread because of the first one.
  return found.filter((each, i) => i === 0 || each.code !== 'E008')
}

function syntaxProblem(source: Source, error: YAMLError, lineStart: number): Diagnostic {
  const newline = source.text.indexOf('\n', lineStart)
  const lineEnd = newline < 0 ? source.text.length : newline
  const line = source.text.slice(lineStart, lineEnd).trimEnd()
  const at = (from: number, to: number) => spanAt(source, lineStart + from, lineStart + to)
  const braces = /\$\{\{.*?(?:\}\}|$)/.exec(line)
  if (braces !== null)
    return textProblems.bracesValue(at(braces.index, braces.index + braces[0].length), braces[0])
  const tab = /^ *\t/.exec(line)
  if (error.code === 'TAB_AS_INDENT' || tab !== null) {
    const index = Math.max(0, line.indexOf('\t'))
    return textProblems.tabIndent(at(index, index + 1), tabsIn(source, lineStart + index))
  }
  const flow = /^(\s*flow:\s*)(\[.*?)\s*(?:#.*)?$/.exec(line)
  if (flow?.[1] !== undefined && flow[2] !== undefined)
    return textProblems.flowReadAsList(at(flow[1].length, flow[1].length + flow[2].length), flow[2])
  const scalar = /^(\s*(?:- )?\s*([^\s:#'"{[][^:#]*):\s+)([^\s'"#{[|>].*?)$/.exec(line)
  const nested = error.code === 'BLOCK_AS_IMPLICIT_KEY' || error.code === 'MULTILINE_IMPLICIT_KEY'
  if (nested && scalar?.[1] !== undefined && scalar[3] !== undefined && /:\s/.test(scalar[3])) {
    const from = scalar[1].length
    const written = scalar[3].replace(/\s+#.*$/, '')
    const address = meantAddress(written)
    if (address !== null && scalar[2] !== undefined)
      return hubProblems.otherAddress(at(from, from + written.length), written, address)
    return textProblems.colonInText(at(from, from + scalar[3].length), scalar[2]?.trim() ?? '', scalar[3])
  }
  const start = Math.min(error.pos[0], source.text.length)
  const end = Math.max(start, Math.min(error.pos[1], lineEnd))
  if (error.code === 'MULTIPLE_DOCS') return textProblems.severalDocuments(spanAt(source, start, start + 3))
  if (error.code === 'BAD_ALIAS') return textProblems.unknownAlias(spanAt(source, start, end), '')
  const comparison = /^(\s*-\s+[^:#'"]*[^:#'"\s])(\s*:\s*)([<>]=?\s*[^<>=\s].*)$/.exec(line)
  if (comparison?.[1] !== undefined && comparison[2] !== undefined && comparison[3] !== undefined) {
    const colon = comparison[1].length
    const operator = colon + comparison[2].length
    const check = `${comparison[1].replace(/^\s*-\s+/, '')} ${comparison[3]}`
    return textProblems.operatorFirst(at(operator, line.length), at(colon, operator), check)
  }
  const open =
    error.code === 'MISSING_CHAR' || /must be .*end with/.test(error.message)
      ? neverClosed(source, error.pos[0])
      : null
  if (open !== null) return textProblems.neverClosed(open, source.text.slice(open.start, open.end))
  const first = line.search(/\S/)
  const inLine = start >= lineStart && start < lineEnd && source.text.slice(start, end).trim() !== ''
  const place = inLine ? spanAt(source, start, end) : at(Math.max(first, 0), line.length)
  return textProblems.notYaml(place, error.code, error.message)
}

/** Tabs that begin a line, and those at an offset. */
function tabsIn(source: Source, at: number): readonly Span[] {
  const runs = [...source.text.matchAll(/^\t+/gm)].map(({ index, 0: run }) =>
    spanAt(source, index, index + run.length),
  )
  if (runs.some(({ start, end }) => start <= at && at < end)) return runs
  const run = /^\t+/.exec(source.text.slice(at))?.[0].length ?? 0
  return [...runs, spanAt(source, at, at + run)]
}

/** The first bracket or quote before an error that its own line does not close although the next line goes on outside. */
function neverClosed(source: Source, before: number): Span | null {
  const lines = source.text.slice(0, Math.max(before, 1)).split('\n')
  const following = source.text.slice(before).split('\n')[0] ?? ''
  let offset = 0
  for (const [i, line] of lines.entries()) {
    const open = openIn(line)
    const next = lines.slice(i + 1).find((each) => each.trim() !== '') ?? following
    if (open !== null && (i === lines.length - 1 || indentOf(next) <= indentOf(line)))
      return spanAt(source, offset + open, offset + open + 1)
    offset += line.length + 1
  }
  return null
}

function openIn(line: string): number | null {
  const stack: number[] = []
  let quote: { readonly sign: string; readonly at: number } | null = null
  for (let i = 0; i < line.length; i++) {
    const sign = line[i] ?? ''
    if (quote !== null) {
      if (sign === '\\' && quote.sign === '"') i++
      else if (sign === quote.sign) quote = null
    } else if ((sign === '"' || sign === "'") && /^$|[\s[{,:]$/.test(line.slice(0, i)))
      quote = { sign, at: i }
    else if (sign === '#' && /^$|\s$/.test(line.slice(0, i))) break
    else if (sign === '[' || sign === '{') stack.push(i)
    else if (sign === ']' || sign === '}') stack.pop()
  }
  return quote?.at ?? stack[0] ?? null
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length
}
