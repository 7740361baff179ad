/** A check that does not stand in the file, read as if it did: by the whole compiler, in the place of another one. */
import { compile } from './compile.ts'
import type { Checked, Diagnostic, Label } from './diagnostic.ts'
import type { Check, CompileOptions, Pipeline } from './pipeline.ts'
import { WHAT_IF } from './source.ts'
import type { Source, Span } from './source.ts'
import type { StageSignature } from './stage-signature.ts'

/**
 * Compiles the pipeline once more with the gate's first check replaced by `text`, so that names, units, ranges and
 * directions are judged exactly as in the file. Problems point into `text` itself.
 */
export function checkInstead(
  pipeline: Pipeline,
  gate: string,
  text: string,
  kinds: Readonly<Record<string, StageSignature>>,
  options: CompileOptions = {},
): Checked<Check> {
  const first = pipeline.stages.find((stage) => stage.name === gate)?.gate?.checks[0]
  if (first === undefined) throw new Error(`bug: ${gate} is no gate of ${pipeline.name}`)
  const { source, start, end } = first.span
  const quoted = JSON.stringify(text)
  const changed: Source = {
    path: source.path,
    text: `${source.text.slice(0, start)}${quoted}${source.text.slice(end)}`,
  }
  const { value, diagnostics } = compile(changed, kinds, options)
  const own = { source: { path: WHAT_IF, text }, from: start + 1, to: start + quoted.length - 1 }
  // Everything else in the file has been said before.
  const about = diagnostics.filter(({ primary: { span } }) => span.start <= own.to && span.end >= start)
  const check = value?.stages.find((stage) => stage.name === gate)?.gate?.checks[0]
  const moved = about.map((diagnostic) => moveInto(diagnostic, own))
  if (check === undefined) return { diagnostics: moved }
  const span = { ...check.span, source: { ...changed, path: WHAT_IF } }
  return { value: { ...check, level: 'require', name: null, why: null, span }, diagnostics: moved }
}

interface Place {
  readonly source: Source
  readonly from: number
  readonly to: number
}

function moveInto(diagnostic: Diagnostic, place: Place): Diagnostic {
  const move = (span: Span): Span => {
    if (span.start < place.from - 1 || span.end > place.to + 1) return span
    const within = (offset: number) => Math.max(0, Math.min(place.source.text.length, offset - place.from))
    return { source: place.source, start: within(span.start), end: within(span.end) }
  }
  const label = ({ span, text }: Label): Label => ({ span: move(span), text })
  return { ...diagnostic, primary: label(diagnostic.primary), secondary: diagnostic.secondary.map(label) }
}
