/** A value as it would be written in the file, on one line. */
import type { Json } from '../dsl/stage-signature.ts'

/** Words that YAML would read as something else than text. */
const NOT_TEXT =
  /^(?:null|true|false|~|0[xo].*|[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|[-+]?\.(?:inf|nan))$/i
const PLAIN = /^[\p{L}\p{N}_/](?:[\p{L}\p{N}_./@+ -]*[\p{L}\p{N}_./@+-])?$/u

export function yamlText(value: Json): string {
  if (typeof value === 'string')
    return PLAIN.test(value) && !NOT_TEXT.test(value) ? value : JSON.stringify(value)
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(yamlText).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, each]) => `${yamlText(key)}: ${yamlText(each)}`)
    return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
  }
  return String(value)
}
