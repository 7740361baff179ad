/** The keys that a map may still get. */
import { KEYS, keysAt, type Keys } from '../dsl/keys.ts'
import type { JsonObject } from '../dsl/stage-signature.ts'
import { keysBeside, say, type Offer, type Typing } from './typing.ts'
import type { Path } from './cursor.ts'
import { keyDoc, kindDoc, optionDoc, portDoc, stageDoc } from './docs.ts'
import { fits, keyAt, optionPath, optionsAt, placeAt } from './places.ts'
import { ITEM } from './protocol.ts'
import { keysOfStage } from './schema.ts'
import { SAY } from './sentences.ts'

export function keyOffers(typing: Typing, path: Path): readonly Offer[] {
  const taken = keysBeside(typing, path)
  return offers(typing, path)
    .filter(({ label }) => !taken.includes(label))
    .map((offer) => ({ ...offer, text: `${offer.label}${colonAfter(typing, [...path, offer.label])}` }))
}

/** None if the key has its colon already, and no space if what belongs to the key begins on the next line. */
function colonAfter({ cursor, look }: Typing, path: Path): string {
  if (/^["']?\s*:/.test(look.view.document.text.slice(cursor.end, cursor.end + 8))) return ''
  const below = fits(path, ['stages', '*']) || isBlock(keyAt(path)?.schema ?? {})
  return below && !cursor.inFlow ? ':' : ': '
}

function isBlock({ type, $ref }: JsonObject): boolean {
  const name = typeof $ref === 'string' ? $ref.split('/').at(-1) : undefined
  return type === 'object' || type === 'array' || name === 'stages' || (name !== undefined && name in KEYS)
}

function offers(typing: Typing, path: Path): readonly Offer[] {
  const { stage, look } = typing
  const option = optionPath(path)
  if (option !== null) return stage?.kind == null ? [] : optionOffers(typing, option)
  if (fits(path, ['stages'])) return stageOffers(typing)
  if (fits(path, ['stages', '*', 'inputs']))
    return Object.entries(stage?.kind?.inputs ?? {}).map(([port, input]) => ({
      label: port,
      kind: ITEM.field,
      detail: input.optional === true ? `${input.type}, ${say(typing, SAY.optional)}` : input.type,
      doc: portDoc(port, input, look.language),
    }))
  if (fits(path, ['data']) || fits(path, ['model']) || fits(path, ['sources', '*', 'from']))
    return ['train', 'validation', 'test'].map((label) => ({ label, kind: ITEM.property }))
  if (
    fits(path, ['stages', '*', 'matrix', 'include', '*']) ||
    fits(path, ['stages', '*', 'matrix', 'exclude', '*'])
  )
    return [...typing.outline.axes].map(([label]) => ({ label, kind: ITEM.variable }))
  const place = placeAt(path)
  if (place === null) return []
  const keys: Keys = place === 'stage' && stage?.kind != null ? keysOfStage(stage.kind) : keysAt(place)
  const found = Object.entries(keys).map(([label, key]): Offer & { required: boolean } => ({
    label,
    kind: ITEM.property,
    ...(key.required === true ? { detail: say(typing, SAY.required) } : {}),
    doc: keyDoc(label, key, look.language),
    required: key.required === true,
  }))
  const axes = place === 'matrix' && stage?.kind != null ? optionOffers(typing, []) : []
  return [...found.filter(({ required }) => required), ...axes, ...found.filter(({ required }) => !required)]
}

function optionOffers({ stage, look }: Typing, path: Path): readonly Offer[] {
  if (stage?.kind == null) return []
  return Object.entries(optionsAt(path, stage.kind)).map(([label, schema]) => ({
    label,
    kind: ITEM.property,
    doc: optionDoc(label, schema, look.language),
  }))
}

/** First the stages that the flow line names and that have no settings yet, then what else there is. */
function stageOffers(typing: Typing): readonly Offer[] {
  const { outline, kinds, look } = typing
  const waiting = [...outline.stages.values()].filter(({ entry }) => entry === null)
  const others = Object.values(kinds).filter(({ name }) => !outline.stages.has(name))
  return [
    ...waiting.map((each): Offer => ({
      label: each.name,
      kind: ITEM.module,
      detail: say(typing, SAY.stage),
      doc: stageDoc(each, look.facts, look.language),
    })),
    ...others.map((kind): Offer => ({
      label: kind.name,
      kind: ITEM.module,
      detail: say(typing, SAY.stageKind),
      doc: kindDoc(kind, look.language),
    })),
  ]
}
