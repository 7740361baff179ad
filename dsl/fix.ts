/** Applies the fixes that are surely what was meant, one after the other, until none is left. */
import { compile } from './compile.ts'
import type { Diagnostic, Fix } from './diagnostic.ts'
import type { CompileOptions } from './pipeline.ts'
import { readYaml } from './read-yaml.ts'
import type { Source } from './source.ts'
import type { StageSignature } from './stage-signature.ts'

export interface Fixed {
  readonly text: string
  /** What was settled, in the order in which it was. */
  readonly fixed: readonly Diagnostic[]
  /** What is left to say about the new text. */
  readonly left: readonly Diagnostic[]
}

/** A file with more slips than this has other troubles. */
const MOST_FIXES = 300

export function fixText(
  source: Source,
  kinds: Readonly<Record<string, StageSignature>>,
  options: CompileOptions = {},
): Fixed {
  const check = (text: string): readonly Diagnostic[] =>
    compile({ path: source.path, text }, kinds, options).diagnostics
  let { text } = source
  let left = check(text)
  const fixed: Diagnostic[] = []
  const refused = new Set<string>()
  while (fixed.length < MOST_FIXES) {
    const next = left.flatMap(safeFixes).find(({ fix }) => !refused.has(nameOf(fix)))
    if (next === undefined) break
    const tried = applyFix(text, next.fix)
    const after = check(tried)
    const inVain = isRefused(next.diagnostic, next.fix, after)
    if (
      tried === text ||
      inVain ||
      isWorse(after, left) ||
      (isReadable(text) && breaks(tried, after, left))
    ) {
      refused.add(nameOf(next.fix))
      continue
    }
    text = tried
    left = after
    fixed.push(next.diagnostic)
    // Places have moved, so what was refused may be something else now.
    refused.clear()
  }
  return { text, fixed, left }
}

function isReadable(text: string): boolean {
  return readYaml({ path: '', text }, []) !== null
}

function safeFixes(
  diagnostic: Diagnostic,
): readonly { readonly diagnostic: Diagnostic; readonly fix: Fix }[] {
  return diagnostic.fixes.filter(({ safe }) => safe).map((fix) => ({ diagnostic, fix }))
}

function nameOf({ edits }: Fix): string {
  return edits.map(({ span, text }) => `${span.start} ${span.end} ${text}`).join('\n')
}

export function applyFix(text: string, { edits }: Fix): string {
  return [...edits]
    .sort((a, b) => b.span.start - a.span.start)
    .reduce((whole, { span, text: part }) => whole.slice(0, span.start) + part + whole.slice(span.end), text)
}

/** A rename can meet a key that is there already. */
function isWorse(after: readonly Diagnostic[], before: readonly Diagnostic[]): boolean {
  return count(after, 'E004') > count(before, 'E004') || count(after, 'E013') > count(before, 'E013')
}

/** A text that is refused once it is quoted, or a key where it is renamed, was meant as something else. */
function isRefused({ code }: Diagnostic, { edits }: Fix, after: readonly Diagnostic[]): boolean {
  const [edit] = edits
  if (edit === undefined || !['E002', 'E003', 'E101'].includes(code)) return false
  const { start } = edit.span
  return after.some(
    ({ severity, primary: { span } }) =>
      severity === 'error' && span.start >= start && span.start < start + edit.text.length,
  )
}

/** A sign can make something else of a text that YAML could read. */
function breaks(text: string, after: readonly Diagnostic[], before: readonly Diagnostic[]): boolean {
  return !isReadable(text) || count(after, 'E008') > count(before, 'E008')
}

function count(all: readonly Diagnostic[], code: string): number {
  return all.filter((each) => each.code === code).length
}
