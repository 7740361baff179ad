/** Explanations in Markdown, shared by hovers and completion. */
import type { Key } from '../dsl/keys.ts'
import { own } from '../dsl/own.ts'
import { number } from '../dsl/problems/problem.ts'
import type { InputPort, JsonObject, MetricSchema, StageSignature } from '../dsl/stage-signature.ts'
import { plainValue, type MapEntry } from '../dsl/tree.ts'
import { inLanguage, type Language, type Words } from '../dsl/words.ts'
import { isGate } from '../dsl/wiring.ts'
import type { Space } from './check-spaces.ts'
import type { Facts, StageFact } from './facts.ts'
import { measuredBy, outputsOf, type SourceOutline, type StageOutline } from './outline.ts'
import { isSchema, jsonWord, rangeText } from './places.ts'
import { direction, SAY } from './sentences.ts'
import { yamlText } from './yaml-text.ts'

const code = (text: string): string => `\`${text}\``

/** Paragraphs; the empty ones are left out. */
function page(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n')
}

export function keyDoc(name: string, { doc, schema, required }: Key, language: Language): string {
  const say = (words: Words): string => inLanguage(words, language)
  const facts = [
    required === true ? say(SAY.required) : '',
    typeText(schema),
    schema['default'] === undefined ? '' : `${say(SAY.default)} ${code(yamlText(schema['default']))}`,
  ].filter((each) => each !== '')
  return page(`**${name}**${facts.length === 0 ? '' : ` · ${facts.join(' · ')}`}`, say(doc))
}

/** The type of an option with its range and default, then what it does. */
export function optionDoc(name: string, schema: JsonObject, language: Language): string {
  const { description, default: fallback } = schema
  const facts = [
    typeText(schema),
    fallback === undefined ? '' : `${inLanguage(SAY.default, language)} ${code(yamlText(fallback))}`,
  ].filter((each) => each !== '')
  return page(
    `**${name}**${facts.length === 0 ? '' : ` · ${facts.join(' · ')}`}`,
    typeof description === 'string' ? description : '',
  )
}

function typeText(schema: JsonObject): string {
  const several = schema['oneOf'] ?? schema['anyOf']
  const forms = Array.isArray(several) ? (several as readonly JsonObject[]).filter(isSchema) : [schema]
  const texts = forms.map(rangeText).filter((each) => each !== '')
  return texts.length === 0 ? '' : code(texts.join(' | '))
}

export function kindDoc(kind: StageSignature, language: Language): string {
  return page(
    `**${kind.name}@${kind.version}** · ${inLanguage(SAY.stageKind, language)}`,
    kind.summary,
    portsText(kind, language),
  )
}

function portsText(kind: StageSignature, language: Language): string {
  const inputs = Object.entries(kind.inputs).map(([port, input]) => portLine(port, input, language))
  if (kind.freeInputs !== undefined) inputs.push(`- ${kind.freeInputs}`)
  return inputs.length === 0 ? '' : `${inLanguage(SAY.reads, language)}:\n${inputs.join('\n')}`
}

function portLine(port: string, { type, optional, help }: InputPort, language: Language): string {
  const may = optional === true ? ` (${inLanguage(SAY.optional, language)})` : ''
  return `- ${code(port)} ${type}${may}: ${help}`
}

export function portDoc(port: string, input: InputPort, language: Language): string {
  return portLine(port, input, language).slice(2)
}

export function stageDoc(stage: StageOutline, facts: Facts, language: Language): string {
  const say = (words: Words): string => inLanguage(words, language)
  const { name, kind } = stage
  const what =
    kind === null ? '' : kind.name === name ? `@${kind.version}` : ` · ${kind.name}@${kind.version}`
  const outputs = Object.entries(outputsOf(stage)).map(([port, type]) => `${code(port)} ${type}`)
  const metrics = Object.keys(measuredBy(stage) ?? {}).map(code)
  return page(
    `**${name}**${what} · ${say(kind !== null && isGate(kind) ? SAY.gate : SAY.stage)}`,
    kind?.summary ?? '',
    kind === null ? '' : portsText(kind, language),
    outputs.length === 0 ? '' : `${say(SAY.makes)}: ${outputs.join(', ')}`,
    metrics.length === 0 ? '' : `${say(SAY.measures)}: ${metrics.join(', ')}`,
    statesText(name, facts, language),
  )
}

/** Of a swept stage there is a line for each instance. */
function statesText(name: string, facts: Facts, language: Language): string {
  const states = Object.entries(facts.states).filter(([each]) => each === name || each.startsWith(`${name}[`))
  return states
    .slice(0, 12)
    .map(([each, state]) => {
      const who = each === name ? '' : ` ${code(each.slice(name.length))}`
      return `${inLanguage(SAY.lastRun, language)}${who}: ${stateText(state)}`
    })
    .join('  \n')
}

function stateText({ status, startedAt, durationMs }: StageFact): string {
  const took = durationMs === null ? '' : ` · ${(durationMs / 1000).toFixed(1)} s`
  return `**${status}**${took}${startedAt === null ? '' : ` · ${startedAt.slice(0, 16).replace('T', ' ')}Z`}`
}

/** What a metric means, and its last value with the ruler it was measured with. */
export function metricDoc(
  name: string,
  metric: MetricSchema,
  space: Space | null,
  facts: Facts,
  language: Language,
): string {
  const say = (words: Words): string => inLanguage(words, language)
  const range = `${number(metric.min ?? -Infinity)} … ${number(metric.max ?? Infinity)}`
  return page(
    `**${name}** · ${say(metric.title)}`,
    `${say(direction(metric.direction === 'higher'))} · ${range}`,
    space?.stage == null ? '' : lastValue(name, space.stage, facts, language),
  )
}

function lastValue(name: string, stage: string, facts: Facts, language: Language): string {
  const scores = own(facts.scores, stage)
  const value = scores === undefined ? undefined : own(scores.values, name)
  if (scores === undefined || value === undefined) return ''
  const ruler =
    scores.ruler === null ? '' : ` · ${inLanguage(SAY.ruler, language)} ${code(short(scores.ruler))}`
  const shown = value === null ? 'NaN' : number(value)
  return `${inLanguage(SAY.lastValue, language)}: **${shown}** (${stage})${ruler}`
}

/** A digest is recognised by its first letters. */
function short(digest: string): string {
  return digest.length > 20 ? `${digest.slice(0, 16)}…` : digest
}

export function paramDoc({ key, value }: MapEntry, language: Language): string {
  const plain = plainValue(value)
  if (!isSchema(plain))
    return page(`**params.${key}** · ${inLanguage(SAY.parameter, language)}`, code(yamlText(plain)))
  const facts = ['type', 'range', 'enum'].flatMap((name) => {
    const fact = plain[name]
    return fact === undefined
      ? []
      : [code(Array.isArray(fact) ? fact.map(jsonWord).join(' | ') : jsonWord(fact))]
  })
  const { default: fallback, description } = plain
  if (fallback !== undefined) facts.push(`${inLanguage(SAY.default, language)} ${code(yamlText(fallback))}`)
  return page(
    [`**params.${key}** · ${inLanguage(SAY.parameter, language)}`, ...facts].join(' · '),
    typeof description === 'string' ? description : '',
  )
}

export function sourceDoc({ name, type }: SourceOutline, language: Language): string {
  return `**sources.${name}** · ${inLanguage(SAY.source, language)}${type === null ? '' : ` · ${type}`}`
}
