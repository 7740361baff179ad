/** The bytes of a pipeline file to its text: UTF-8, or a message that says what it is instead. */
import type { Diagnostic } from './diagnostic.ts'
import * as problems from './problems/text.ts'
import type { Source } from './source.ts'
import { spanAt } from './tree.ts'

/** Far more than any pipeline needs; beyond it nobody has to wait for a parser to find out. */
export const MOST_BYTES = 2 ** 18

/**
 * Text for every input, so that a message can show its place. A byte order mark is not part of the text.
 * With a diagnostic, the text is a best guess and must not be compiled.
 */
export function decode(
  path: string,
  bytes: Uint8Array,
): { readonly source: Source; readonly problem: Diagnostic | null } {
  const wide =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? 'utf-16le'
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? 'utf-16be'
        : null
  if (wide !== null) {
    const source = { path, text: new TextDecoder(wide).decode(bytes) }
    return { source, problem: problems.notUtf8(spanAt(source, 0, 0), 'UTF-16') }
  }
  try {
    return { source: { path, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }, problem: null }
  } catch {
    // Not UTF-8.
  }
  const chinese = asChinese(bytes)
  const source = { path, text: chinese ?? new TextDecoder('utf-8').decode(bytes) }
  const at = chinese === null ? source.text.indexOf('\ufffd') : source.text.search(/[^\0-\x7f]/)
  const start = Math.max(0, at)
  return {
    source,
    problem: problems.notUtf8(spanAt(source, start, start + 1), chinese === null ? null : 'GBK'),
  }
}

/** The encoding of Chinese Windows, if the bytes are text in it. */
function asChinese(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('gb18030', { fatal: true }).decode(bytes)
    // Random bytes decode, too; real text is mostly what people write.
    const foreign = text.match(/[^\0-\x7f]/g) ?? []
    const usual = text.match(/[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]/g) ?? []
    return usual.length >= foreign.length * 0.9 ? text : null
  } catch {
    return null
  }
}
