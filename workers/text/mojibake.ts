/** Recognises and undoes Chinese text that was decoded with the wrong encoding. */
import { encodeGbk, gbkPair } from './gbk.ts'

export type MojibakeFinding =
  | { readonly type: 'fine' }
  | { readonly type: 'repaired'; readonly text: string; readonly kind: string }
  | { readonly type: 'garbled'; readonly kind: string }

/** Text that only encoding accidents make; nothing can be read from it any more. */
const LOST: readonly (readonly [RegExp, string])[] = [
  [/\ufffd|ï¿½/u, 'replacement characters'],
  [/锟斤拷|锟斤|斤拷锟/u, '锟斤拷: replacement characters read as GBK'],
  [/烫{4,}|屯{4,}|葺{4,}/u, 'uninitialised memory read as GBK'],
  [/\p{Private_Use}/u, 'private-use characters'],
  [/\p{Surrogate}/u, 'half of a surrogate pair'],
]

/**
 * Judges one text. A repair is made only if undoing the wrong decoding gives valid bytes to the last one *and* text
 * that is clearly more ordinary Chinese; everything that is not clear is left as it is.
 */
export function inspectMojibake(text: string): MojibakeFinding {
  // Plain ASCII is by far the commonest harmless case in mixed data.
  if (!/[^\u0000-\u007f]/u.test(text)) return { type: 'fine' }
  const repaired = repair(text)
  if (repaired) return repaired
  const lost = LOST.find(([pattern]) => pattern.test(text))
  if (lost) return { type: 'garbled', kind: lost[1] }
  if (isPartlyUtf8InGbk(text)) return { type: 'garbled', kind: 'UTF-8 read as GBK, with bytes lost' }
  return { type: 'fine' }
}

function repair(text: string): MojibakeFinding | null {
  const attempts: readonly (readonly [string, (text: string) => string | null])[] = [
    ['UTF-8 read as GBK', undoGbk],
    ['UTF-8 read as Latin-1', undoLatin1OfUtf8],
    ['GBK read as Latin-1', undoLatin1OfGbk],
  ]
  for (const [kind, undo] of attempts) {
    const result = undo(text)
    if (result !== null && !LOST.some(([pattern]) => pattern.test(result))) {
      return { type: 'repaired', text: result, kind }
    }
  }
  // Line by line, for a text where only some lines went wrong.
  if (!text.includes('\n')) return null
  const findings = text.split('\n').map((line) => ({ line, finding: repair(line) }))
  const first = findings.find(({ finding }) => finding !== null)?.finding
  if (first?.type !== 'repaired') return null
  const lines = findings.map(({ line, finding }) => (finding?.type === 'repaired' ? finding.text : line))
  return { type: 'repaired', text: lines.join('\n'), kind: first.kind }
}

function undoGbk(text: string): string | null {
  const bytes = encodeGbk(text, null)
  const result = bytes && decodeStrictly('utf-8', bytes)
  if (result === null || result === text || !hasChinese(result)) return null
  const gain = oddness(text) - oddness(result)
  if (oddness(result) > 0.5) return null
  // Four characters of valid UTF-8 do not come about by chance. Fewer might: then every ASCII character must still
  // be itself, not half of a pair, and the gain must be large.
  if (countNonAscii(result) >= 4) return gain >= 0.05 ? result : null
  return gain >= 0.3 && countAscii(result) === countAscii(text) ? result : null
}

function undoLatin1OfUtf8(text: string): string | null {
  const bytes = encodeLatin1(text)
  const result = bytes && decodeStrictly('utf-8', restoreSpaces(bytes))
  if (result === null || !hasChinese(result)) return null
  return oddness(result) <= 0.34 ? result : null
}

function undoLatin1OfGbk(text: string): string | null {
  const bytes = encodeLatin1(text)
  if (bytes === null) return null
  const runs = text.match(/[^\u0000-\u007f]+/gu) ?? []
  const result = decodeStrictly('gbk', bytes)
  // An accented letter with the ASCII letter after it, as in `déjà`, is a pair too, but one of a rare character.
  if (result === null || oddness(result) > 0.2) return null
  const han = (result.match(/\p{Script=Han}/gu) ?? []).length
  // Two letters with accents side by side occur in words; symbols amid letters, or eight letters, do not.
  const symbols = runs.some((run) => /[^\p{L}]/u.test(run.replace(/[ªº]/g, '·')))
  return han >= (symbols ? 2 : 4) ? result : null
}

/** UTF-8 in GBK clothes that cannot be undone because the wrong decoder already lost bytes. */
function isPartlyUtf8InGbk(text: string): boolean {
  const bytes = encodeGbk(text, 0xff)
  if (!bytes) return false
  const result = new TextDecoder('utf-8').decode(bytes)
  const han = (result.match(/\p{Script=Han}/gu) ?? []).length
  return han >= 2 && oddness(text) - oddness(result) >= 0.3
}

function decodeStrictly(encoding: string, bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

/*
 * Characters of bytes 80 to 9F in windows-1252; a space marks a byte without one. Written out because Node 20 decodes
 * `windows-1252` as if it were Latin-1 (https://github.com/nodejs/node/issues/56542).
 */
const CP1252 = new Map<string, number>(
  Array.from('€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ')
    .map((char, i) => [char, 0x80 + i] as const)
    .filter(([char]) => char !== ' '),
)

/** Bytes of a text whose characters all come from Latin-1 or windows-1252, else null. */
function encodeLatin1(text: string): Uint8Array | null {
  const bytes: number[] = []
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0
    const byte = code <= 0xff ? code : CP1252.get(char)
    if (byte === undefined) return null
    bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

/** Undoes the tidying of no-break spaces: where UTF-8 must go on and a plain space stands, byte A0 was meant. */
function restoreSpaces(bytes: Uint8Array): Uint8Array {
  const restored = Uint8Array.from(bytes)
  let expected = 0
  for (const [i, byte] of bytes.entries()) {
    if (expected > 0) {
      if (byte === 0x20) restored[i] = 0xa0
      expected -= 1
    } else {
      expected = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc2 ? 1 : 0
    }
  }
  return restored
}

function hasChinese(text: string): boolean {
  return /\p{Script=Han}|\p{Extended_Pictographic}/u.test(text)
}

function countAscii(text: string): number {
  return Array.from(text).length - countNonAscii(text)
}

function countNonAscii(text: string): number {
  return Array.from(text).filter((char) => (char.codePointAt(0) ?? 0) > 0x7f).length
}

/** How far the characters beyond ASCII are from ordinary Chinese: 0 for common ones only, 1 for none. */
function oddness(text: string): number {
  let sum = 0
  let count = 0
  for (const char of text) {
    if ((char.codePointAt(0) ?? 0) <= 0x7f) continue
    sum += oddnessOf(char)
    count += 1
  }
  return count === 0 ? 0 : sum / count
}

function oddnessOf(char: string): number {
  if (/[\u3000-\u303f\uff01-\uff5e“”‘’…—·]|\p{Extended_Pictographic}|\ufe0f/u.test(char)) return 0
  if (!/\p{Script=Han}/u.test(char)) return 1
  const pair = gbkPair(char) ?? 0
  const lead = pair >> 8
  if ((pair & 0xff) < 0xa1 || lead < 0xb0) return 1
  // GB 2312 has its 3,755 commonest characters first, in rows B0 to D7.
  return lead <= 0xd7 ? 0 : 0.5
}
