/** Where each character of a decoded YAML scalar stands in the file, so that micro-languages report exact places. */

const ESCAPE_LENGTH: Readonly<Record<string, number>> = { x: 4, u: 6, U: 10 }

/**
 * `value.length + 1` offsets: one per UTF-16 unit of `value`, then the end of the content.
 * `raw` is the scalar as written (quotes or block header included), which starts at `start`.
 */
export function scalarOffsets(value: string, raw: string, start: number): readonly number[] {
  const first = raw[0]
  if (first === '"') return doubleQuoted(value, raw, start)
  if (first === "'") return walk(value, raw, start, 1, raw.length - 1, (at) => (raw[at] === "'" ? 2 : 1))
  if (first === '|' || first === '>') {
    const body = raw.indexOf('\n') + 1
    return walk(value, raw, start, body === 0 ? raw.length : body, raw.length, () => 1)
  }
  return walk(value, raw, start, 0, raw.length, () => 1)
}

/** Aligns value and text greedily; white space that folding changed is skipped or repeated. */
function walk(
  value: string,
  raw: string,
  start: number,
  from: number,
  to: number,
  step: (at: number) => number,
): readonly number[] {
  const offsets: number[] = []
  let at = from
  for (let i = 0; i < value.length; i++) {
    const wanted = value[i]
    const space = wanted === ' ' || wanted === '\n'
    if (!space) while (at < to && raw[at] !== wanted && /\s/.test(raw[at] ?? '')) at++
    offsets.push(start + Math.min(at, to))
    if (space && !/\s/.test(raw[at] ?? '')) continue
    at += step(at)
  }
  offsets.push(start + Math.min(at, to))
  return offsets
}

function doubleQuoted(value: string, raw: string, start: number): readonly number[] {
  const offsets: number[] = []
  const to = raw.length - 1
  let at = 1
  for (let i = 0; i < value.length; i++) {
    while (raw[at] === '\\' && raw[at + 1] === '\n') at = skipSpace(raw, at + 1)
    const wanted = value[i]
    const space = wanted === ' ' || wanted === '\n'
    if (!space) while (at < to && raw[at] !== wanted && raw[at] !== '\\' && /\s/.test(raw[at] ?? '')) at++
    offsets.push(start + Math.min(at, to))
    if (raw[at] === '\\') {
      const long = (value.codePointAt(i) ?? 0) > 0xffff && raw[at + 1] === 'U'
      if (long) offsets.push(start + Math.min(at, to))
      if (long) i++
      at += ESCAPE_LENGTH[raw[at + 1] ?? ''] ?? 2
    } else if (!space || /\s/.test(raw[at] ?? '')) at++
  }
  offsets.push(start + Math.min(at, to))
  return offsets
}

function skipSpace(raw: string, from: number): number {
  let at = from
  while (/\s/.test(raw[at] ?? '')) at++
  return at
}
