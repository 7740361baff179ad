/** How a problem is put together: the constructor, the two languages side by side, and small turns of phrase. */
import type { Diagnostic, Fix, Label } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import { inLanguage, type Words } from '../words.ts'

export interface More {
  readonly secondary?: readonly Label[]
  readonly notes?: readonly Words[]
  /** A plain string is something to paste. */
  readonly help?: readonly (Words | string)[]
  readonly fixes?: readonly Fix[]
}

export function problem(code: string, message: Words, span: Span, label: Words, more: More = {}): Diagnostic {
  return {
    code,
    severity: code.startsWith('W') ? 'warning' : 'error',
    message,
    primary: { span, text: label },
    secondary: more.secondary ?? [],
    notes: more.notes ?? [],
    help: more.help ?? [],
    fixes: more.fixes ?? [],
  }
}

/** A sentence in English and in Chinese. */
export function words(en: string, zh: string): Words {
  return { en, zh }
}

/** For places that mark something without saying anything. */
export const SILENT: Words = words('', '')

export function en(text: Words | string): string {
  return inLanguage(text, 'en')
}

export function zh(text: Words | string): string {
  return inLanguage(text, 'zh')
}

/** The guess if there is one, else what is wrong. */
export function meant(near: string | null, otherwise: Words): Words {
  return near === null ? otherwise : words(`did you mean '${near}'?`, `是不是想写 '${near}'？`)
}

/** `heading: a b c`, and a word for an empty list. */
export function listed(heading: Words, items: readonly string[]): Words {
  const some = items.join(' ')
  return words(`${heading.en}: ${some || 'none'}`, `${heading.zh}: ${some || '无'}`)
}

export function number(value: number): string {
  return value === Infinity ? '∞' : value === -Infinity ? '-∞' : String(Number(value.toPrecision(6)))
}

/** Replaces what stands at the span. */
export function replace(span: Span, text: string, safe: boolean): Fix {
  return { title: words(`write ${text}`, `改成 ${text}`), edits: [{ span, text }], safe }
}

/** The rename that a guess suggests. A misspelt key says nothing as it stands, so writing it right is safe. */
export function rename(span: Span, near: string | null, safe = true): readonly Fix[] {
  return near === null ? [] : [replace(span, near, safe)]
}
