/** What an export hands out, checked before anything runs: it is there, it is one thing, its folder is its own. */
import type { Diagnostic } from './diagnostic.ts'
import { exportFolder, partsOf } from './export-folder.ts'
import * as problems from './problems/exports.ts'
import type { Span } from './source.ts'
import type { Draft, Wire } from './wiring.ts'

export interface ExportScope {
  readonly wires: Readonly<Record<string, Wire>>
  /** Instances of the export, if a matrix reaches it. */
  readonly count: number
  readonly drafts: readonly Draft[]
  /** Name of the pipeline. */
  readonly pipeline: string
}

export function checkExport(
  draft: Draft,
  { wires, count, drafts, pipeline }: ExportScope,
  out: Diagnostic[],
): void {
  if (!draft.sound) return
  const { format } = draft.with
  const { adapter, model } = wires
  const wanted = format === 'adapter' ? adapter : format === 'merged' ? model : undefined
  if (count > 1) out.push(problems.manyExports(draft.span, draft.name, count))
  if (format === 'adapter' && adapter === undefined)
    out.push(problems.nothingToExport(draft.span, draft.name, 'adapter'))
  // An adapter that belongs to this very model was left beside it: nobody folded it in.
  else if (format === 'merged' && adapter !== undefined)
    out.push(problems.notMerged(draft.span, draft.name, sourceOf(adapter)))
  else if (wanted?.reference.type === 'source')
    out.push(problems.fromOutside(wanted.span, draft.name, sourceOf(wanted)))
  else if (format === 'merged' && model === undefined)
    out.push(problems.nothingToExport(draft.span, draft.name, 'model'))
  else if (format === 'card' && adapter === undefined && model === undefined)
    out.push(problems.nothingToExport(draft.span, draft.name, 'adapter'))
  const { to } = draft.with
  const place: Span = draft.optionSpans['to'] ?? draft.span
  if (typeof to === 'string' && !isInside(to)) out.push(problems.outside(place, to))
  const folderOf = (each: Draft) => exportFolder(each.with['to'], pipeline)
  for (const other of drafts) {
    // Each pair is looked at once, from its later half.
    if (other === draft) break
    if (other.kind.decides === 'export' && folderOf(other) === folderOf(draft))
      out.push(problems.sameFolder(place, draft.name, other.name, other.optionSpans['to'] ?? other.span))
  }
}

function sourceOf({ reference }: Wire): string {
  return reference.type === 'source' ? `sources.${reference.source}` : `${reference.stage}.${reference.port}`
}

/** Below the project, and not in what sluice keeps there for itself. */
function isInside(to: string): boolean {
  const parts = partsOf(to)
  return !to.startsWith('/') && parts.length > 0 && !parts.includes('..') && parts[0] !== '.sluice'
}
