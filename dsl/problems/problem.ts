/** The one constructor of a problem, and the words that several of them share. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import type { Words } from '../words.ts'

export const words = (en: string, zh: string): Words => ({ en, zh })

export interface More {
  readonly secondary?: readonly { readonly span: Span; readonly text: Words }[]
  readonly notes?: readonly Words[]
  readonly help?: readonly (Words | string)[]
}

export function problem(code: string, message: Words, span: Span, label: Words, more: More = {}): Diagnostic {
  return {
    code,
    severity: code.startsWith('W') ? 'warning' : 'error',
    message: message.en,
    primary: { span, text: label.en },
    secondary: (more.secondary ?? []).map((each) => ({ span: each.span, text: each.text.en })),
    notes: (more.notes ?? []).map((each) => each.en),
    help: (more.help ?? []).map((each) => (typeof each === 'string' ? each : each.en)),
  }
}
