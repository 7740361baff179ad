/** The tokenizers of BLEU: the same tokens as sacreBLEU 2.6.0 gives for `13a`, `zh`, `char` and `none`. */

export type BleuTokenizer = '13a' | 'zh' | 'char' | 'none'

export const BLEU_TOKENIZERS: readonly BleuTokenizer[] = ['13a', 'zh', 'char', 'none']

/**
 * What Python calls whitespace. JavaScript's `\s` lacks U+001C..U+001F and U+0085 and has U+FEFF,
 * so it would cut lines at other places.
 */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const SPACES = new RegExp(`[${SPACE}]+`, 'u')
const LEADING_SPACES = new RegExp(`^[${SPACE}]+`, 'u')
const TRAILING_SPACES = new RegExp(`[${SPACE}]+$`, 'u')

/**
 * First and last code point of what `zh` sets apart as single tokens. The two ranges marked "cut short" are
 * a known slip in sacreBLEU: meant are Extension B and its supplement above U+FFFF, but the bounds were written
 * with four-digit escapes, so that curly quotes, dashes, arrows and Braille are split and rare ideographs are
 * not. Scores are only comparable if we do the same.
 */
const APART_IN_ZH: readonly (readonly [number, number])[] = [
  [0x2001, 0x2a6d], // cut short
  [0x2e80, 0x2fdf], // radicals (the part from U+2F81 to U+2FA1 is also the other range cut short)
  [0x2ff0, 0x303f], // description characters, CJK punctuation
  [0x3100, 0x312f], // bopomofo
  [0x31a0, 0x31bf], // bopomofo extended
  [0x31c0, 0x31ef], // strokes
  [0x3200, 0x33ff], // enclosed and squared characters
  [0x3400, 0x4db5], // Extension A
  [0x4e00, 0x9fbb], // unified ideographs, as far as Unicode 4.1 had them
  [0xf900, 0xfa2d], // compatibility ideographs, with their gaps
  [0xfa30, 0xfa6a],
  [0xfa70, 0xfad9],
  [0xfe10, 0xfe1f], // vertical forms
  [0xfe30, 0xfe4f], // compatibility forms
  [0xff00, 0xffef], // full-width and half-width forms
]
const hex = (code: number) => `\\u{${code.toString(16)}}`
const APART = new RegExp(`[${APART_IN_ZH.map(([a, b]) => `${hex(a)}-${hex(b)}`).join('')}]`, 'gu')

/** ASCII punctuation and symbols except apostrophe, comma, hyphen and full stop, which need their neighbours. */
const PUNCTUATION = /[!-&(-+/:-@[-`{-~]/gu

function western(line: string): string {
  return line
    .replace(PUNCTUATION, ' $& ')
    .replace(/([^0-9])([.,])/gu, '$1 $2 ')
    .replace(/([.,])([^0-9])/gu, ' $1 $2')
    .replace(/([0-9])-/gu, '$1 - ')
}

function prepare(tokenizer: BleuTokenizer, line: string): string {
  switch (tokenizer) {
    case '13a': {
      const joined = line.replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ')
      const plain = joined
        .replaceAll('&quot;', '"')
        .replaceAll('&amp;', '&')
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
      // The rules for full stops and commas look at a neighbour, so the ends of the line need one.
      return western(` ${plain} `)
    }
    case 'zh':
      // Without a blank before it, a full stop at the start of the line stays with what follows.
      return western(line.replace(LEADING_SPACES, '').replace(APART, ' $& '))
    case 'char':
      return Array.from(line).join(' ')
    case 'none':
      return line
  }
}

/** The tokens of one text, in order. Blanks never appear in a token; text without tokens gives `[]`. */
export function bleuTokens(tokenizer: BleuTokenizer, text: string): readonly string[] {
  return prepare(tokenizer, text.replace(TRAILING_SPACES, ''))
    .split(SPACES)
    .filter((token) => token !== '')
}
