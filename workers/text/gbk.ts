/** Encodes text as GBK, which the platform can only decode: the table is its decoder, inverted. */

let table: ReadonlyMap<string, number> | null = null

function buildTable(): ReadonlyMap<string, number> {
  const decoder = new TextDecoder('gbk')
  const inverted = new Map<string, number>()
  const bytes = new Uint8Array(2)
  for (let lead = 0x81; lead <= 0xfe; lead++) {
    for (let trail = 0x40; trail <= 0xfe; trail++) {
      if (trail === 0x7f) continue
      bytes[0] = lead
      bytes[1] = trail
      const char = decoder.decode(bytes)
      // A pair that is no character decodes to U+FFFD, alone or followed by the trail byte.
      if (Array.from(char).length === 1 && char !== '\ufffd' && !inverted.has(char)) {
        inverted.set(char, (lead << 8) | trail)
      }
    }
  }
  return inverted
}

/** The two bytes of a character as one number, or null if GBK has no such pair. */
export function gbkPair(char: string): number | null {
  table ??= buildTable()
  return table.get(char) ?? null
}

/** The bytes of a text in GBK; `unknown` stands in for a character that GBK lacks, or null ends the attempt. */
export function encodeGbk(text: string, unknown: number | null): Uint8Array | null {
  const bytes: number[] = []
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0
    const pair = code < 0x80 ? null : gbkPair(char)
    if (code < 0x80) bytes.push(code)
    else if (char === '€') bytes.push(0x80)
    else if (pair !== null) bytes.push(pair >> 8, pair & 0xff)
    else if (unknown !== null) bytes.push(unknown)
    else return null
  }
  return Uint8Array.from(bytes)
}
