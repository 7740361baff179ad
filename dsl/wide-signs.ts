/** Full-width signs that can only be meant as YAML's own, told from those of a text; for files that YAML cannot read. */

export interface WideSign {
  readonly at: number
  /** What has to stand there. */
  readonly ours: string
}

const KEY = String.raw`[A-Za-z_][\w-]*`
/** A key with a full-width colon, behind the indentation. */
const WIDE_KEY = new RegExp(`^(?:- +)?${KEY} *：`)
const NEXT_KEY = new RegExp(String.raw`^\s*${KEY}\s*[:：]`)
const OPENING: Readonly<Record<string, string>> = { '[': '[', '{': '{', '［': '[', '【': '[', '｛': '{' }
const CLOSING: Readonly<Record<string, string>> = { ']': '[', '}': '{', '］': '[', '】': '[', '｝': '{' }
const ENDS: Readonly<Record<string, string>> = { '[': ']', '{': '}' }
/** A line that opens a text block, whose lines are nobody's signs. */
const BLOCK = /(?:^|[:\-]\s+)[|>][-+0-9]*\s*(?:#.*)?$/

export function wideSigns(text: string): readonly WideSign[] {
  const found: WideSign[] = []
  const open: string[] = []
  let blockAt: number | null = null
  let from = 0
  for (const line of text.split('\n')) {
    const indent = line.search(/[^ ]|$/)
    if (blockAt === null || (line.trim() !== '' && indent <= blockAt)) {
      blockAt = null
      scanLine(text, from, line, open, found)
      if (open.length === 0 && BLOCK.test(line)) blockAt = indent
    }
    from += line.length + 1
  }
  return found
}

/** `open` holds the brackets that are open before the line, and after it. */
function scanLine(text: string, from: number, line: string, open: string[], found: WideSign[]): void {
  let i = line.search(/[^ ]|$/)
  const inked = line.trimEnd().length
  /** Where the entry began that is being read. */
  let entry = i
  /** A key or a value may begin here. */
  let fresh = true
  const add = (index: number, sign: string): void => {
    // YAML wants a space after these two, and an input method does not write one.
    const bare = /[:,]/.test(sign) && /\S/.test(line[index + 1] ?? ' ')
    found.push({ at: from + index, ours: bare ? `${sign} ` : sign })
  }
  const wideKey = open.length === 0 ? WIDE_KEY.exec(line.slice(i)) : null
  if (wideKey !== null) {
    i += wideKey[0].length
    add(i - 1, ':')
  }
  for (; i < line.length; i++) {
    const sign = line[i] ?? ''
    const top = open.at(-1)
    const rest = line.slice(i + 1)
    if (sign === '#' && /^\s?$/.test(line[i - 1] ?? '')) return
    if (/\s/.test(sign)) {
      if (/[\u3000\u00a0]/.test(sign) && i > entry && (fresh || i >= inked)) add(i, ' ')
      continue
    }
    if (fresh && /["'“]/.test(sign)) {
      const end = endOfQuote(line, i)
      if (end === null) return
      if (sign === '“') {
        add(i, '"')
        add(end, '"')
      }
      i = end
      fresh = false
    } else if (OPENING[sign] !== undefined && (fresh || (top !== undefined && /[[{]/.test(sign)))) {
      const bracket = OPENING[sign]
      if (sign !== bracket) add(i, bracket)
      open.push(bracket)
      entry = i + 1
      fresh = true
    } else if (top !== undefined && CLOSING[sign] === top) {
      const bracket = ENDS[top] ?? ''
      if (sign !== bracket) add(i, bracket)
      open.pop()
      fresh = false
    } else if (top !== undefined && (sign === ',' || isComma(sign, top, text.slice(from + i + 1)))) {
      if (sign !== ',') add(i, ',')
      entry = i + 1
      fresh = true
    } else if (sign === '：' && top === '{' && isKey(line.slice(entry, i))) {
      add(i, ':')
      fresh = true
    } else if (sign === ':' && /^$|^\s/.test(rest) && isKey(line.slice(entry, i))) fresh = true
    else if (/[-－]/.test(sign) && top === undefined && fresh && /^\s/.test(rest)) {
      if (sign === '－') add(i, '-')
      entry = i + 1
    } else fresh = false
  }
}

function isKey(text: string): boolean {
  return new RegExp(`^${KEY}$`).test(text.trim())
}

/** Between entries of a map, and in a list where no Chinese sentence goes on. */
function isComma(sign: string, bracket: string, rest: string): boolean {
  if (sign !== '，' && sign !== '、') return false
  return bracket === '{' ? NEXT_KEY.test(rest.slice(0, 200)) : /^[\s!-~“]/.test(rest)
}

/** Where the quote closes that opens at `from`; a curly one only if its value ends there. */
function endOfQuote(line: string, from: number): number | null {
  const rest = line.slice(from)
  const quoted =
    rest[0] === '"'
      ? /^"(?:[^"\\]|\\.)*"/.exec(rest)
      : rest[0] === "'"
        ? /^'(?:[^']|'')*'/.exec(rest)
        : /^“[^”"\\]*”(?=\s*(?:[,，\]}］｝】#]|$))/.exec(rest)
  return quoted === null ? null : from + quoted[0].length - 1
}
