/** What the thing under the pointer is. */
import { CHECK_FORMS } from '../dsl/expression/check-types.ts'
import { NUMERIC_FORMS } from '../dsl/expression/evaluate.ts'
import type { MentionedName } from '../dsl/expression/parse.ts'
import { own } from '../dsl/own.ts'
import type { Span } from '../dsl/source.ts'
import { isText } from '../dsl/tree.ts'
import { inLanguage } from '../dsl/words.ts'
import { metricOf, spacesAt } from './check-spaces.ts'
import type { Path } from './cursor.ts'
import { keyDoc, kindDoc, metricDoc, optionDoc, paramDoc, portDoc, sourceDoc, stageDoc } from './docs.ts'
import { mentionAt, nameAt, type Mention } from './mentions.ts'
import { choicesOf, fits, formsAt, keyAt, optionPath, optionsAt, stageIn } from './places.ts'
import type { Hover } from './protocol.ts'
import { FUNCTION_FORMS, SAY, SPACE_DOCS } from './sentences.ts'
import { spotAt } from './tree-paths.ts'
import type { Look } from './typing.ts'

export function hoverAt(look: Look, offset: number): Hover | null {
  const found = textAt(look, offset)
  if (found === null || found.text === '') return null
  return {
    contents: { kind: 'markdown', value: found.text },
    range: look.view.document.rangeOf(found.span),
  }
}

interface Found {
  readonly text: string
  readonly span: Span
}

function textAt(look: Look, offset: number): Found | null {
  const { view } = look
  const { tree } = view
  if (tree === null) return null
  const name = nameAt(tree, offset)
  const mention = mentionAt(view.mentions, offset)
  if (name !== null && (mention === null || !covers(mention.span, name.name, offset))) {
    const text = nameText(look, name.path, name.name)
    if (text !== null) return { text, span: name.name.span }
  }
  if (mention !== null) {
    const text = mentionText(look, mention)
    if (text !== null) return { text, span: mention.span }
  }
  const spot = spotAt(tree, offset)
  if (spot === null) return null
  const text = spot.on === 'key' ? keyText(look, spot.path) : valueText(look, spot.path, spot.node)
  const span = spot.on === 'key' ? spot.entry?.keySpan : spot.node.span
  return text === null || span === undefined ? null : { text, span }
}

/** In `eval.bleu` the first part is the stage, and the rest its metric. */
function covers({ start, end }: Span, { parts, path }: MentionedName, offset: number): boolean {
  return path.length === 1 || (parts[0]?.start === start && offset <= end) || path[0] === 'params'
}

function mentionText({ view, facts, language }: Look, { what, name }: Mention): string | null {
  const { outline } = view
  switch (what) {
    case 'stage': {
      const stage = outline.stages.get(name)
      return stage === undefined ? null : stageDoc(stage, facts, language)
    }
    case 'param': {
      const entry = outline.params.get(name)
      return entry === undefined ? null : paramDoc(entry, language)
    }
    case 'source': {
      const source = outline.sources.get(name)
      // `model:` and `data:` at the top are keys of the language as well.
      return source === undefined || keyAt([name]) !== null ? null : sourceDoc(source, language)
    }
    case 'axis': {
      const axis = outline.axes.get(name)
      return axis === undefined
        ? null
        : `**matrix.${name}** · ${inLanguage(SAY.axis, language)} ${axis.stage}`
    }
  }
}

/** A metric, a space or a function in an expression. */
function nameText({ view, facts, language }: Look, path: Path, name: MentionedName): string | null {
  const [first = ''] = name.path
  if (name.called) {
    const form = own(CHECK_FORMS, first) ?? own(NUMERIC_FORMS, first) ?? own(FUNCTION_FORMS, first)
    return form === undefined ? null : `\`${form}\` · ${inLanguage(SAY.function, language)}`
  }
  const spaces = spacesAt(path, view.tree, view.outline, view.pipeline)
  const found = metricOf(name.path, spaces)
  if (found !== null) return metricDoc(name.path.at(-1) ?? '', found.metric, found.space, facts, language)
  const space = name.path.length === 1 ? own(SPACE_DOCS, first) : undefined
  return space === undefined ? null : `**${first}** · ${inLanguage(space, language)}`
}

function keyText({ view, language }: Look, path: Path): string | null {
  const name = String(path.at(-1))
  const key = keyAt(path)
  if (key !== null) return keyDoc(name, key, language)
  const kind = view.outline.stages.get(stageIn(path) ?? '')?.kind ?? null
  if (kind === null) return null
  const option = optionPath(path)
  if (option !== null) {
    const schema = own(optionsAt(option.slice(0, -1), kind), name)
    return schema === undefined ? null : optionDoc(name, schema, language)
  }
  const port = fits(path, ['stages', '*', 'inputs', '*']) ? own(kind.inputs, name) : undefined
  return port === undefined ? null : portDoc(name, port, language)
}

/** A value is explained by what it chooses, else by its key. */
function valueText(look: Look, path: Path, node: Parameters<typeof isText>[0]): string | null {
  const { view, facts, language } = look
  const word = isText(node) ? node.value : null
  if (fits(path, ['stages', '*', 'uses']) && word !== null) {
    const kind = own(view.kinds, word.split('@')[0] ?? '')
    return kind === undefined ? null : kindDoc(kind, language)
  }
  const stage = view.outline.stages.get(stageIn(path) ?? '')
  const metric = word === null ? undefined : own(stage?.kind?.measurable ?? {}, word)
  const chosen = formsAt(path, stage?.kind ?? null).some((form) => choicesOf(form).includes(word))
  if (metric !== undefined && chosen && word !== null && stage !== undefined)
    return metricDoc(word, metric, { stage: stage.name, metrics: {} }, facts, language)
  const owner = path.filter((part, i) => typeof part === 'string' || i < path.length - 1)
  return keyText(look, owner)
}
