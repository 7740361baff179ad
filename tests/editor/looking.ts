/** A file with a mark in it, looked at as the language server does. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Language } from '../../dsl/words.ts'
import { completionsAt } from '../../editor/completion.ts'
import { TextDocument } from '../../editor/document.ts'
import { NO_FACTS, type Facts } from '../../editor/facts.ts'
import { hoverAt } from '../../editor/hover.ts'
import { View } from '../../editor/view.ts'
import { stageKinds } from '../../stages/catalogue.ts'

export const FILE = 'pipelines/demo.pipeline.yaml'
export const URI = `file:///project/${FILE}`

/** A pipeline with something of everything; it compiles without a word. */
export const GOOD = `version: 1
name: demo
params:
  rate: { default: 1e-3, range: 1e-6..1e-2, description: Learning rate. }
  smoke: false
data: data/*.jsonl
sources:
  base: { type: model, from: models/base/* }
flow: clean -> split -> tokenize -> lora-train -> [eval, eval-base] -> gate
stages:
  split:
    with: { train: 80%, test: 20% }
  lora-train:
    with:
      r: 8
      lr: =params.rate
  eval:
    with: { metrics: [perplexity, bleu], bleu_tokenizer: zh }
  eval-base:
    uses: eval
    inputs: { adapter: none, model: sources.base }
    with: { metrics: [perplexity, bleu], bleu_tokenizer: zh }
  gate:
    baseline: eval-base
    checks:
      - bleu better than baseline
      - require: perplexity < eval-base.perplexity
        why: it should have learnt something
      - warn: bleu >= 0.30
  again:
    uses: eval
    inputs: { model: sources.base, tokens: tokenize.tokens }
    needs: [clean]
    when: gate.failed and params.smoke == false
`

export function pipelineText(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../pipelines', `${name}.pipeline.yaml`), 'utf8')
}

export function viewOf(text: string, path = FILE, before: View | null = null): View {
  return new View(new TextDocument(URI, 1, text), path, stageKinds, {}, before)
}

/** `replace` a piece of the good file; `|` in what comes instead marks the place. */
export function edited(piece: string, marked: string, text = GOOD): { text: string; offset: number } {
  const at = text.indexOf(piece)
  if (at === -1) throw new Error(`the file does not hold ${piece}`)
  const mark = marked.indexOf('|')
  if (mark === -1) throw new Error(`no mark in ${marked}`)
  const instead = marked.slice(0, mark) + marked.slice(mark + 1)
  return { text: text.slice(0, at) + instead + text.slice(at + piece.length), offset: at + mark }
}

export interface Completed {
  readonly labels: readonly string[]
  /** The text after taking the offer with this label. */
  readonly take: (label: string) => string
  readonly doc: (label: string) => string
}

export function completed(piece: string, marked: string, text = GOOD, facts = NO_FACTS): Completed {
  const change = edited(piece, marked, text)
  const before = viewOf(text)
  // As it happens when the typist pauses.
  const { diagnostics: _ } = before
  const view = viewOf(change.text, FILE, before)
  const items = completionsAt({ view, facts, language: 'en' }, change.offset)
  const find = (label: string) => {
    const item = items.find((each) => each.label === label)
    if (item === undefined) throw new Error(`no ${label} among ${items.map((each) => each.label).join(' ')}`)
    return item
  }
  return {
    labels: items.map(({ label }) => label),
    take: (label) => {
      const { range, newText } = find(label).textEdit
      const { document } = view
      return (
        document.text.slice(0, document.offsetAt(range.start)) +
        newText +
        document.text.slice(document.offsetAt(range.end))
      )
    },
    doc: (label) => find(label).documentation?.value ?? '',
  }
}

export function hovered(
  piece: string,
  marked: string,
  {
    facts = NO_FACTS,
    language = 'en',
    text = GOOD,
  }: { facts?: Facts; language?: Language; text?: string } = {},
): string | null {
  const change = edited(piece, marked, text)
  const view = viewOf(change.text)
  const { diagnostics: _ } = view
  return hoverAt({ view, facts, language }, change.offset)?.contents.value ?? null
}
