/** The values that a key or an item could get. */
import { UNTUNED } from '../dsl/gates.ts'
import { own } from '../dsl/own.ts'
import type { ArtifactType, Json } from '../dsl/stage-signature.ts'
import { isGate } from '../dsl/wiring.ts'
import { expressionOffers } from './complete-expressions.ts'
import { itemsBeside, say, type Offer, type Typing } from './typing.ts'
import { spacesAt } from './check-spaces.ts'
import type { Path } from './cursor.ts'
import { kindDoc, metricDoc, paramDoc, sourceDoc, stageDoc } from './docs.ts'
import { sentenceAt } from './mentions.ts'
import { makes, outputsOf, type StageOutline } from './outline.ts'
import { choicesOf, fits, formsAt, optionPath } from './places.ts'
import { ITEM } from './protocol.ts'
import { usesNames } from './schema.ts'
import { SAY } from './sentences.ts'
import { yamlText } from './yaml-text.ts'

export function valueOffers(typing: Typing, path: Path): readonly Offer[] {
  const { cursor, outline, stage, kinds, look } = typing
  if (cursor.text.startsWith('=') && !cursor.text.startsWith('=='))
    return expressionOffers(typing, path, 'value')
  const sentence = sentenceAt(path)
  if (sentence !== null) return expressionOffers(typing, path, sentence)
  if (fits(path, ['flow'])) return flowOffers(typing)
  if (fits(path, ['name'])) return nameOffers(typing)
  if (fits(path, ['stages', '*', 'uses']))
    return Object.values(kinds)
      .flatMap((kind) => usesNames(kind).map((label) => ({ label, of: kind })))
      .sort((a, b) => Number(a.label.includes('@')) - Number(b.label.includes('@')))
      .map(({ label, of }) => ({ label, kind: ITEM.module, doc: kindDoc(of, look.language) }))
  if (fits(path, ['stages', '*', 'inputs', '*'])) return portOffers(typing, String(path.at(-1)))
  const item = typeof path.at(-1) === 'number' ? path.slice(0, -1) : path
  if (fits(item, ['stages', '*', 'needs'])) {
    const taken = itemsBeside(typing, path)
    return stagesFor(typing, (each) => each.name !== stage?.name && !taken.includes(each.name))
  }
  if (fits(path, ['stages', '*', 'metrics']))
    return stage?.kind != null && isGate(stage.kind) ? measuring(typing) : []
  if (fits(path, ['stages', '*', 'baseline']))
    return outline.stages.has(UNTUNED)
      ? measuring(typing)
      : [...measuring(typing), { label: UNTUNED, kind: ITEM.keyword, detail: say(typing, SAY.untuned) }]
  return formOffers(typing, path)
}

function stagesFor({ outline, look }: Typing, wanted: (stage: StageOutline) => boolean): readonly Offer[] {
  return [...outline.stages.values()].filter(wanted).map((each) => ({
    label: each.name,
    kind: ITEM.module,
    ...(each.kind === null ? {} : { detail: each.kind.name }),
    doc: stageDoc(each, look.facts, look.language),
  }))
}

const measuring = (typing: Typing): readonly Offer[] =>
  stagesFor(typing, (each) => each.name !== typing.stage?.name && makes(each, 'metrics'))

/** What fits the port by type, nearest kinds of things first: outputs of stages, sources, nothing. */
function portOffers(typing: Typing, port: string): readonly Offer[] {
  const { stage, outline, look } = typing
  const input = stage?.kind == null ? undefined : own(stage.kind.inputs, port)
  const fit = (type: ArtifactType | null): boolean =>
    input === undefined || type === null || type === input.type
  const outputs = [...outline.stages.values()]
    .filter(({ name }) => name !== stage?.name)
    .flatMap((each) =>
      Object.entries(outputsOf(each)).flatMap(([made, type]): readonly Offer[] =>
        fit(type)
          ? [
              {
                label: `${each.name}.${made}`,
                kind: ITEM.reference,
                detail: type,
                doc: stageDoc(each, look.facts, look.language),
              },
            ]
          : [],
      ),
    )
  const sources = [...outline.sources.values()].flatMap((source): readonly Offer[] =>
    fit(source.type)
      ? [
          {
            label: `sources.${source.name}`,
            kind: ITEM.reference,
            ...(source.type === null ? {} : { detail: source.type }),
            doc: sourceDoc(source, look.language),
          },
        ]
      : [],
  )
  const none: readonly Offer[] =
    input?.optional === true ? [{ label: 'none', kind: ITEM.keyword, detail: say(typing, SAY.nothing) }] : []
  return [...outputs, ...sources, ...none]
}

function nameOffers({ look }: Typing): readonly Offer[] {
  const [, file] = /([^/\\]+)\.pipeline\.ya?ml$/.exec(look.view.source.path) ?? []
  return file === undefined ? [] : [{ label: file, kind: ITEM.value }]
}

/** Stages after an arrow, an arrow after a stage. */
function flowOffers(typing: Typing): readonly Offer[] {
  const { cursor, outline, kinds, look } = typing
  const word =
    /[\p{L}\p{N}_-]*$/u.exec(cursor.text.replace(/-+$/, (dashes) => ' '.repeat(dashes.length)))?.[0] ?? ''
  const from = cursor.text.length - word.length
  const before = cursor.text.slice(0, from).trimEnd()
  if (!/(?:^|->|→|[[,;])$/.test(before))
    return word === '' && /\s$/.test(cursor.text)
      ? [{ label: '->', text: '-> ', kind: ITEM.keyword, from }]
      : []
  const named = outline.flow.map(({ name }) => name)
  const stages = [...outline.stages.values()].map((each): Offer => ({
    label: each.name,
    kind: ITEM.module,
    ...(each.kind === null ? {} : { detail: each.kind.name }),
    doc: stageDoc(each, look.facts, look.language),
    from,
  }))
  const others = Object.values(kinds).flatMap((kind): readonly Offer[] =>
    outline.stages.has(kind.name)
      ? []
      : [
          {
            label: kind.name,
            kind: ITEM.module,
            detail: say(typing, SAY.stageKind),
            doc: kindDoc(kind, look.language),
            from,
          },
        ],
  )
  const fresh = stages.filter(({ label }) => !named.includes(label))
  return [...fresh, ...others, ...stages.filter(({ label }) => named.includes(label))]
}

/** Choices, the default, and parameters, as the schema at the path allows. */
function formOffers(typing: Typing, path: Path): readonly Offer[] {
  const { stage, cursor, outline, look } = typing
  const forms = formsAt(path, stage?.kind ?? null)
  const inList = typeof path.at(-1) === 'number'
  const taken = inList ? itemsBeside(typing, path) : []
  const found = new Map<string, Offer>()
  const add = (value: Json, detail?: string): void => {
    const label = yamlText(value)
    if (taken.includes(label) || found.has(label)) return
    const metric = typeof value === 'string' ? own(stage?.kind?.measurable ?? {}, value) : undefined
    found.set(label, {
      label,
      text: cursor.quote === null || typeof value !== 'string' ? label : value,
      kind: ITEM.value,
      ...(detail === undefined ? {} : { detail }),
      ...(metric === undefined ? {} : { doc: metricDoc(label, metric, null, look.facts, look.language) }),
    })
  }
  for (const form of forms) {
    const fallback = form['default']
    if (fallback !== undefined && !inList) add(fallback, say(typing, SAY.default))
  }
  for (const form of forms) {
    for (const choice of choicesOf(form)) add(choice)
    if (form['type'] === 'array' && !inList)
      for (const items of formsAt([...path, 0], stage?.kind ?? null))
        for (const choice of choicesOf(items)) add([choice])
    for (const text of sentencesFor(form['x-type'], typing, path)) add(text)
  }
  const params = optionPath(path) === null || forms.length === 0 ? [] : [...outline.params.values()]
  return [
    ...found.values(),
    ...params.map((entry): Offer => ({
      label: `=params.${entry.key}`,
      kind: ITEM.variable,
      doc: paramDoc(entry, look.language),
    })),
    ...(optionPath(path) === null || forms.length === 0 ? [] : [...outline.axes.keys()]).map(
      (axis): Offer => ({ label: `=matrix.${axis}`, kind: ITEM.variable }),
    ),
  ]
}

/** `best perplexity`, `smallest r`: what `select` chooses by. */
function sentencesFor(kind: Json | undefined, typing: Typing, path: Path): readonly string[] {
  const { tree, outline, look } = typing
  if (kind === 'tie')
    return ['smallest', 'largest'].flatMap((word) =>
      [...outline.axes.keys()].map((axis) => `${word} ${axis}`),
    )
  if (kind !== 'pick') return []
  const { judged } = spacesAt(path, tree, outline, look.view.pipeline)
  return Object.keys(judged.metrics).map((metric) => `best ${metric}`)
}
