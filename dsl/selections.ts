/** Reads what a `select` stage chooses by: `best perplexity`, a condition, a tie-breaker, a quorum. */
import type { Diagnostic } from './diagnostic.ts'
import { checkTypes, type CheckScope } from './expression/check-types.ts'
import { parseExpression } from './expression/parse.ts'
import type { Selection } from './pipeline.ts'
import { unknownMetric } from './problems/checks.ts'
import * as expansion from './problems/expansion.ts'
import type { Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import { entryOf, isText, plainValue, type Node, type ScalarNode } from './tree.ts'
import type { Draft } from './wiring.ts'

export interface Candidates {
  /** The stage whose metrics are compared; null after a mistake. */
  readonly measured: Draft | null
  /** How many instances of it there are. */
  readonly count: number
  readonly axes: readonly string[]
}

type Text = ScalarNode & { readonly value: string }

/** Null after a mistake. */
export function readSelection(draft: Draft, candidates: Candidates, out: Diagnostic[]): Selection | null {
  const { measured, count, axes } = candidates
  if (measured === null || !measured.sound || !draft.sound) return null
  const before = out.length
  const map = draft.declaration?.with ?? null
  const node = (name: string): Node | undefined => (map === null ? undefined : entryOf(map, name)?.value)
  const scope: CheckScope = {
    judged: { metrics: measured.kind.measures?.(measured.with) ?? {}, stage: measured.name },
    spaces: {},
    measurable: measured.kind.measurable ?? {},
    measuredAt: measured.optionSpans['metrics'] ?? null,
    slices: measured.kind.slices?.(measured.with) ?? [],
    ports: [],
  }
  const by = readBy(node('by'), draft, scope, out)
  const where = readWhere(node('where'), scope, out)
  const tie = readTie(node('tie'), axes, out)
  const atLeast = readQuorum(node('at_least'), count, out)
  return by === null || out.length > before ? null : { by, where, tie, atLeast, of: count }
}

function readBy(
  node: Node | undefined,
  draft: Draft,
  scope: CheckScope,
  out: Diagnostic[],
): Selection['by'] | null {
  if (node === undefined) return null // A missing option has its message.
  const match = isText(node) ? /^\s*(best|min|max)\s+(\S+)\s*$/.exec(node.value) : null
  const [, word, metric = ''] = match ?? []
  if (match === null) {
    if (node.type !== 'poison') out.push(expansion.badPick(node.span))
    return null
  }
  const schema = Object.hasOwn(scope.judged.metrics, metric) ? scope.judged.metrics[metric] : undefined
  if (schema === undefined) {
    const names = Object.keys(scope.judged.metrics)
    out.push(
      unknownMetric(lastWord(node as Text, metric), {
        metric,
        stage: scope.judged.stage,
        near: didYouMean(metric, names),
        measured: names,
        canBeSwitchedOn: Object.hasOwn(scope.measurable, metric),
        measuredAt: scope.measuredAt,
      }),
    )
    return null
  }
  const highest = word === 'max' || (word === 'best' && schema.direction === 'higher')
  return { metric, wants: highest ? 'highest' : 'lowest' }
}

/** The place of the text's last word. */
function lastWord(node: Text, word: string): Span {
  const at = node.value.lastIndexOf(word)
  const start = node.offsets[at] ?? node.span.start
  return { ...node.span, start, end: node.offsets[at + word.length] ?? node.span.end }
}

function readWhere(node: Node | undefined, scope: CheckScope, out: Diagnostic[]): Selection['where'] {
  if (node === undefined || !isText(node)) return null
  const fragment = { source: node.span.source, text: node.value, offsets: node.offsets }
  const parsed = parseExpression(fragment, out)
  const expression = parsed === null ? null : checkTypes(parsed, scope, out)
  return expression === null ? null : { text: node.value.trim(), expression }
}

function readTie(node: Node | undefined, axes: readonly string[], out: Diagnostic[]): Selection['tie'] {
  if (node === undefined || node.type === 'poison') return null
  const match = isText(node) ? /^\s*(smallest|largest)\s+(\S+)\s*$/.exec(node.value) : null
  const [, wants, axis = ''] = match ?? []
  if (match === null || !axes.includes(axis)) {
    out.push(expansion.badTie(node.span, axes))
    return null
  }
  return { axis, wants: wants === 'largest' ? 'largest' : 'smallest' }
}

/** `6 of 8`, or just 6; all trials if nothing is said. */
function readQuorum(node: Node | undefined, count: number, out: Diagnostic[]): number {
  if (node === undefined || node.type === 'poison') return count
  const match = /^\s*(\d+)(?:\s+of\s+(\d+))?\s*$/.exec(JSON.stringify(plainValue(node)).replaceAll('"', ''))
  const least = Number(match?.[1])
  const fits = least >= 1 && least <= count && (match?.[2] === undefined || Number(match[2]) === count)
  if (fits) return least
  out.push(expansion.badQuorum(node.span, count))
  return count
}
