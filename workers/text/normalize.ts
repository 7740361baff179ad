/** The pure text rules of cleaning: control characters, spaces, width, prefixes, terms, and keys for comparing. */

const HAN = '\\p{Script=Han}'
/** A Han character or a punctuation mark that stands in Chinese text. */
const CHINESE = `[${HAN}，。！？；：、（）《》「」『』“”‘’…—]`

/*
 * Line feeds, carriage returns and tabs are not here: they are spaces. Zero-width joiners are not here either:
 * emoji and Persian need them.
 */
const CONTROL =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Removes characters that cannot be seen and mean nothing in a row. */
export function removeControls(text: string): string {
  return text.replace(CONTROL, '')
}

/** One kind of line end, one space for many inside a line (indentation stays), no space at either end. */
export function unifySpaces(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g, ' ')
    .replace(/(?<=\S)[ \t]{2,}(?=\S)/g, ' ')
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}

const FULL_WIDTH: Readonly<Record<string, string>> = {
  ',': '，',
  '?': '？',
  '!': '！',
  ':': '：',
  ';': '；',
}
const PARENTHESES = new RegExp(
  `(?<=^|\\n|${CHINESE})\\((${HAN}|${HAN}[^()\\n]*${CHINESE})\\)(?=$|\\n|${CHINESE})`,
  'gu',
)
const MARKS = new RegExp(`(?<=${CHINESE})([,?!:;]+)(?:(?=${CHINESE}|$|\\n)| +(?=${HAN}))`, 'gu')

/**
 * In text with Chinese characters: full-width digits and letters become ASCII, and `, ? ! : ; ( )` become full-width
 * where they stand among Chinese characters (so `12:30`, `1,000` and `f(x)` stay).
 */
export function unifyWidth(text: string): string {
  if (!/\p{Script=Han}/u.test(text)) return text
  return text
    .replace(/[０-９Ａ-Ｚａ-ｚ]/g, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0))
    .replace(PARENTHESES, '（$1）')
    .replace(MARKS, (_, marks: string) => Array.from(marks, (mark) => FULL_WIDTH[mark] ?? mark).join(''))
}

/** Makes a function that cuts any of the labels, repeated or not, from the start of a text. */
export function prefixStripper(prefixes: readonly string[]): (text: string) => string {
  if (prefixes.length === 0) return (text) => text
  const patterns = [...prefixes]
    .sort((a, b) => b.length - a.length)
    .map((prefix) => escapeRegExp(prefix.trim()).replace(/[:：]$/, '\\s*[:：]'))
  const labels = new RegExp(`^(?:\\s*(?:${patterns.join('|')})\\s*)+`, 'iu')
  return (text) => text.replace(labels, '')
}

/**
 * Makes a function that replaces wrong terms by right ones in one pass and counts them. The longest term wins; a
 * wrong term inside its own right form is left alone; a term of Latin letters or digits matches only as a whole word.
 */
export function termReplacer(
  terms: Readonly<Record<string, string>>,
): (text: string, count: (wrong: string) => void) => string {
  const right = new Set(Object.values(terms).filter((term) => term !== ''))
  const known = [...new Set([...Object.keys(terms), ...right])].sort((a, b) => b.length - a.length)
  if (known.length === 0) return (text) => text
  const pattern = new RegExp(known.map(wholeTerm).join('|'), 'gu')
  return (text, count) =>
    text.replace(pattern, (found) => {
      const replacement = Object.hasOwn(terms, found) ? terms[found] : undefined
      if (replacement === undefined) return found
      count(found)
      return replacement
    })
}

function wholeTerm(term: string): string {
  const before = /^\w/.test(term) ? '(?<!\\w)' : ''
  const after = /\w$/.test(term) ? '(?!\\w)' : ''
  return `${before}${escapeRegExp(term)}${after}`
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/** What two texts share if they say the same: case, width, spaces around Chinese and final punctuation do not count. */
export function sameText(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .replace(/ ?(\p{Script=Han}) ?/gu, '$1')
    .replace(/^[\s,.?!:;，。？！：；、…~]+|[\s,.?!:;，。？！：；、…~]+$/g, '')
}
