/** How a check, a condition or a computed value could go on. */
import { GATE_STATES, RUN_NAMES, STAGE_STATES } from '../dsl/conditions.ts'
import { CHECK_FORMS } from '../dsl/expression/check-types.ts'
import { NUMERIC_FORMS, VALUE_FUNCTIONS } from '../dsl/expression/evaluate.ts'
import { continuationOf } from '../dsl/expression/parse.ts'
import { own } from '../dsl/own.ts'
import { isGate } from '../dsl/wiring.ts'
import { spacesAt, type Spaces } from './check-spaces.ts'
import { say, type Offer, type Typing } from './typing.ts'
import type { Path } from './cursor.ts'
import { metricDoc, paramDoc, stageDoc } from './docs.ts'
import { ITEM } from './protocol.ts'
import { FUNCTION_FORMS, SAY, SPACE_DOCS } from './sentences.ts'

/** Words of the grammar that only make sense together. */
const PHRASES: Readonly<Record<string, readonly string[]>> = {
  better: ['better than '],
  no: ['no worse than '],
  worse: ['worse than '],
  is: ['is missing', 'is not missing'],
  between: ['between '],
}

export function expressionOffers(
  typing: Typing,
  path: Path,
  language: 'check' | 'value' | 'condition',
): readonly Offer[] {
  const { text } = typing.cursor
  const sign = language === 'value' ? 1 : 0
  const { start, words, name, space } = continuationOf(text.slice(sign))
  const from = sign + start
  const names = !name
    ? []
    : language === 'check'
      ? checkNames(typing, path, space)
      : valueNames(typing, space, language)
  const phrases = words.flatMap((word) => own(PHRASES, word) ?? [word])
  const keywords = phrases.map((label): Offer => ({ label, kind: ITEM.keyword }))
  // At a yardstick the spaces come first: `better than` wants one.
  const yardstick = /(?:\bthan|\bdelta\([^()]*,)\s*$/.test(text.slice(0, from))
  const sorted = yardstick ? [...names.filter(isSpace), ...names.filter((each) => !isSpace(each))] : names
  return [...sorted, ...keywords].map((offer) => ({ ...offer, from }))
}

const isSpace = ({ kind }: Offer): boolean => kind === ITEM.module

function checkNames(typing: Typing, path: Path, space: readonly string[]): readonly Offer[] {
  const { tree, outline, look } = typing
  const spaces = spacesAt(path, tree, outline, look.view.pipeline)
  if (space.length > 1) return []
  const [first] = space
  if (first !== undefined) return metricOffers(typing, spaces, first)
  return [
    ...metricOffers(typing, spaces, null),
    ...spaceOffers(typing, spaces),
    ...functionOffers(CHECK_FORMS),
  ]
}

function metricOffers({ look }: Typing, spaces: Spaces, name: string | null): readonly Offer[] {
  const space = name === null ? spaces.judged : own(spaces.named, name)
  return Object.entries(space?.metrics ?? {}).map(([label, metric]) => ({
    label,
    kind: ITEM.variable,
    detail: metric.direction === 'higher' ? '↑' : '↓',
    doc: metricDoc(label, metric, space ?? null, look.facts, look.language),
  }))
}

function spaceOffers(typing: Typing, spaces: Spaces): readonly Offer[] {
  const { outline, look } = typing
  return Object.keys(spaces.named).map((label): Offer => {
    const doc = own(SPACE_DOCS, label)
    const stage = outline.stages.get(label)
    if (doc !== undefined) return { label, kind: ITEM.module, detail: say(typing, doc) }
    return {
      label,
      kind: ITEM.module,
      detail: say(typing, SAY.stage),
      ...(stage === undefined ? {} : { doc: stageDoc(stage, look.facts, look.language) }),
    }
  })
}

function functionOffers(more: Readonly<Record<string, string>>): readonly Offer[] {
  return Object.entries({ ...NUMERIC_FORMS, ...more }).map(([label, detail]) => ({
    label,
    text: `${label}(`,
    kind: ITEM.function,
    detail,
  }))
}

function valueNames(
  typing: Typing,
  space: readonly string[],
  language: 'value' | 'condition',
): readonly Offer[] {
  const { outline, look } = typing
  const [first] = space
  const params = [...outline.params.values()].map((entry): Offer => ({
    label: entry.key,
    kind: ITEM.variable,
    doc: paramDoc(entry, look.language),
  }))
  const axes = [...outline.axes.keys()].map((label): Offer => ({ label, kind: ITEM.variable }))
  const states = language === 'condition' ? stateOffers(typing) : []
  const dotted = [
    ...params.map((offer) => ({ ...offer, label: `params.${offer.label}` })),
    ...axes.map((offer) => ({ ...offer, label: `matrix.${offer.label}` })),
    ...states,
  ]
  if (space.length > 1) return []
  if (first !== undefined) {
    const start = `${first}.`
    const all = [...dotted, { label: 'pipeline.name', kind: ITEM.constant }]
    return all.flatMap((offer) =>
      offer.label.startsWith(start) ? [{ ...offer, label: offer.label.slice(start.length) }] : [],
    )
  }
  const forms = Object.fromEntries(
    VALUE_FUNCTIONS.map((name) => [name, own(FUNCTION_FORMS, name) ?? own(NUMERIC_FORMS, name) ?? name]),
  )
  const constants = ['pipeline.name', 'none'].map((label): Offer => ({ label, kind: ITEM.constant }))
  return [...dotted, ...constants, ...functionOffers(forms)]
}

/** `run.branch`, `gate.failed`: what a condition can ask for. */
function stateOffers({ outline, stage }: Typing): readonly Offer[] {
  const run = Object.keys(RUN_NAMES).map((label): Offer => ({ label, kind: ITEM.constant }))
  const stages = [...outline.stages.values()].filter(({ name }) => name !== stage?.name)
  const states = stages.flatMap(({ name, kind }) =>
    (kind !== null && isGate(kind) ? GATE_STATES : STAGE_STATES).map((state): Offer => ({
      label: `${name}.${state}`,
      kind: ITEM.event,
    })),
  )
  return [...run, ...states]
}
