/** The file's keys as typed declarations; refuses every key that is not of the language. */
import type { Diagnostic } from './diagnostic.ts'
import { parseFlow, type Flow } from './expression/parse.ts'
import { hubAddress, isCommit, meantAddress } from './hub-address.ts'
import { keyNames } from './keys.ts'
import * as checkProblems from './problems/checks.ts'
import * as graphProblems from './problems/graph.ts'
import * as hubProblems from './problems/hub.ts'
import * as textProblems from './problems/text.ts'
import * as valueProblems from './problems/values.ts'
import { A, kindOf, type Thing } from './problems/nouns.ts'
import { words } from './problems/problem.ts'
import { slipInPath } from './slips.ts'
import { isSlug, RESERVED } from './slug.ts'
import type { Span } from './source.ts'
import { ARTIFACT_TYPES } from './stage-signature.ts'
import { didYouMean } from './spelling.ts'
import type { Notification, PipelineSource, SourceSchema } from './pipeline.ts'
import { conditionStartsWithSign, gateIsNotRun, oddWatch, whenNeedsText } from './problems/run-settings.ts'
import { NO_SETTINGS, readNotify, readSettings, type RunSettings } from './read-settings.ts'
import { readWorkers, type Workers } from './read-workers.ts'
import {
  entryOf,
  isPoisoned,
  isText,
  plainValue,
  type ListNode,
  type MapEntry,
  type MapNode,
  type Node,
  type ScalarNode,
} from './tree.ts'

export interface StageDeclaration {
  readonly name: string
  readonly span: Span
  readonly uses: { readonly name: string; readonly span: Span } | null
  readonly inputs: readonly { readonly port: string; readonly keySpan: Span; readonly value: TextNode }[]
  readonly with: MapNode | null
  readonly needs: readonly TextNode[]
  readonly settings: RunSettings
  /** Read once parameters are known. */
  readonly matrix: MapEntry | null
  readonly when: TextNode | null
  readonly watch: ListNode | null
  readonly metrics: TextNode | null
  readonly baseline: TextNode | null
  readonly checks: ListNode | null
  readonly budget: ListNode | null
  /** Where gate keys stand, to refuse them elsewhere. */
  readonly gateKeys: readonly MapEntry[]
  /** What is wrong with them; worth saying only if the stage is a gate. */
  readonly gateProblems: readonly Diagnostic[]
  /** A mistake in it was reported; what depends on it stays unsaid. */
  readonly poisoned: boolean
}

export type TextNode = ScalarNode & { readonly value: string }

export interface Declarations {
  readonly name: string
  readonly description: string | null
  readonly params: Node | null
  readonly sources: readonly PipelineSource[]
  readonly flow: { readonly chains: Flow; readonly span: Span } | null
  readonly stages: readonly StageDeclaration[]
  /** For every stage that does not say otherwise. */
  readonly defaults: RunSettings
  readonly notify: readonly Notification[]
  /** Null if they are unreadable, so that no name is called unknown. */
  readonly workers: Workers | null
  /** `flow:` is unreadable or misspelt, so nothing can be said about wiring. */
  readonly flowBroken: boolean
  /** True if `flow:` or a source is unreadable, so that wiring must not complain. */
  readonly poisoned: boolean
}

const TOP_KEYS = keyNames('pipeline')
const GATE_KEYS = keyNames('stage', 'gate')
const STAGE_KEYS = keyNames('stage')
/** Keys that say how a stage is run, which a gate is not. */
const NOT_FOR_GATES = keyNames('stage', 'work')
const SOURCE_KEYS = keyNames('source')

export function readFile(root: MapNode, out: Diagnostic[]): Declarations {
  const poisonedKeys = knownKeys(root, TOP_KEYS, 'pipeline', out)
  const get = (key: string): MapEntry | undefined => entryOf(root, key)
  const top: Span = { ...root.span, end: Math.min(root.span.end, root.span.start + 1) }
  readVersion(get('version'), top, out)
  const name = readName(get('name'), top, out)
  const description = textOf(get('description'), out)
  const before = out.length
  const sources = readSources(root, out)
  const flowEntry = get('flow')
  const flow = flowEntry === undefined ? null : readFlow(flowEntry, out)
  const stagesNode = mapOf(get('stages'), 'stages', out)
  const stagesPoisoned = get('stages') !== undefined && stagesNode === null
  const broken = out.length > before
  const defaults = mapOf(get('defaults'), 'defaults', out)
  if (defaults !== null) knownKeys(defaults, keyNames('defaults'), 'defaults', out)
  const fallback = defaults === null ? NO_SETTINGS : readSettings(defaults, NO_SETTINGS, out)
  if (fallback.cacheOff !== null) out.push(graphProblems.cacheOff(fallback.cacheOff, null))
  const stages = (stagesNode?.entries ?? []).map((entry) => readStage(entry, fallback, out))
  if (flowEntry === undefined && stages.length === 0 && !poisonedKeys && !stagesPoisoned)
    out.push(textProblems.nothingToDo(top))
  return {
    name,
    description,
    params: get('params')?.value ?? null,
    sources,
    flow,
    stages,
    defaults: fallback,
    notify: readNotify(get('notify'), out),
    workers: readWorkers(get('workers'), out),
    // A misspelt `flow` has its own message, too.
    flowBroken: flow === null && (flowEntry !== undefined || poisonedKeys),
    poisoned: broken || poisonedKeys || stagesPoisoned,
  }
}

/** Refuses unknown keys; true if there were any. */
function knownKeys(map: MapNode, known: readonly string[], what: Thing, out: Diagnostic[]): boolean {
  let found = false
  for (const entry of map.entries) {
    if (known.includes(entry.key)) continue
    found = true
    out.push(textProblems.unknownKey(entry.keySpan, entry.key, what, known))
  }
  return found
}

function readVersion(entry: MapEntry | undefined, top: Span, out: Diagnostic[]): void {
  if (entry === undefined) out.push(textProblems.missingKey(top, 'version', 'version: 1'))
  else if (!isPoisoned(entry.value) && plainValue(entry.value) !== 1)
    out.push(
      textProblems.wrongVersion(entry.value.span, entry.value.type === 'scalar' ? entry.value.raw : ''),
    )
}

function readName(entry: MapEntry | undefined, top: Span, out: Diagnostic[]): string {
  const path = top.source.path
  const file = /([^/\\]+)\.pipeline\.ya?ml$/.exec(path)?.[1] ?? null
  if (entry === undefined) {
    out.push(textProblems.missingKey(top, 'name', `name: ${file ?? 'my-pipeline'}`))
    return file ?? ''
  }
  const name = textOf(entry, out)
  if (name === null) return ''
  if (!isSlug(name)) out.push(textProblems.badName(entry.value.span, name, 'pipeline'))
  else if (file !== null && file !== name) out.push(textProblems.nameIsNotFile(entry.value.span, name, file))
  return name
}

function textOf(entry: MapEntry | undefined, out: Diagnostic[]): string | null {
  if (entry === undefined) return null
  return textNode(entry.value, entry.key, out)?.value ?? null
}

function textNode(node: Node, what: string, out: Diagnostic[]): TextNode | null {
  if (isText(node)) return node
  if (node.type !== 'poison')
    out.push(valueProblems.wrongType(node.span, what, A.text, kindOf(plainValue(node))))
  return null
}

function mapOf(entry: MapEntry | undefined, what: string, out: Diagnostic[]): MapNode | null {
  if (entry === undefined) return null
  if (entry.value.type === 'map') return entry.value
  if (entry.value.type !== 'poison')
    out.push(valueProblems.wrongType(entry.value.span, what, A.map, kindOf(plainValue(entry.value))))
  return null
}

function readFlow(entry: MapEntry, out: Diagnostic[]): Declarations['flow'] {
  const { value } = entry
  if (value.type === 'poison') return null
  if (value.type === 'list') {
    const words = value.items.map((item) => (isText(item) ? item.value : '…')).join(' -> ')
    out.push(textProblems.flowAsList(value.span, words))
    return null
  }
  if (!isText(value)) {
    out.push(
      valueProblems.wrongType(
        value.span,
        'flow',
        words('text like `clean -> split`', '文本，如 `clean -> split`'),
        kindOf(plainValue(value)),
      ),
    )
    return null
  }
  const chains = parseFlow({ source: value.span.source, text: value.value, offsets: value.offsets }, out)
  return chains === null ? null : { chains, span: value.span }
}

function readSources(root: MapNode, out: Diagnostic[]): readonly PipelineSource[] {
  const sources: PipelineSource[] = []
  const model = entryOf(root, 'model')
  const data = entryOf(root, 'data')
  for (const [entry, type] of [
    [model, 'model'],
    [data, 'dataset'],
  ] as const) {
    if (entry === undefined) continue
    const from = readFrom(entry.value, entry.key, type, out)
    if (from !== null) sources.push({ name: entry.key, type, from, optional: false, span: entry.keySpan })
  }
  const map = mapOf(entryOf(root, 'sources'), 'sources', out)
  for (const entry of map?.entries ?? []) {
    if (!isSlug(entry.key)) out.push(textProblems.badName(entry.keySpan, entry.key, 'source'))
    const twice = sources.find((source) => source.name === entry.key)
    if (twice !== undefined) {
      out.push(textProblems.sourceTwice(entry.keySpan, entry.key, twice.span))
      continue
    }
    if (entry.value.type !== 'map') {
      if (entry.value.type !== 'poison')
        out.push(graphProblems.sourceWithoutType(entry.value.span, entry.key))
      continue
    }
    const source = readSource(entry, entry.value, out)
    if (source !== null) sources.push(source)
  }
  return sources
}

function readSource(entry: MapEntry, map: MapNode, out: Diagnostic[]): PipelineSource | null {
  if (knownKeys(map, SOURCE_KEYS, 'source', out)) return null
  const typeEntry = entryOf(map, 'type')
  const fromEntry = entryOf(map, 'from')
  if (typeEntry === undefined || fromEntry === undefined) {
    out.push(graphProblems.sourceWithoutType(entry.keySpan, entry.key))
    return null
  }
  const typeName = textOf(typeEntry, out)
  const type = ARTIFACT_TYPES.find((each) => each === typeName)
  const from = readFrom(fromEntry.value, 'from', type, out)
  if (typeName !== null && type === undefined)
    out.push(
      valueProblems.notOneOf(
        typeEntry.value.span,
        'type',
        typeName,
        didYouMean(typeName, ARTIFACT_TYPES),
        ARTIFACT_TYPES,
      ),
    )
  const optionalEntry = entryOf(map, 'optional')
  const optional = optionalEntry === undefined ? false : plainValue(optionalEntry.value)
  if (optionalEntry !== undefined && typeof optional !== 'boolean')
    out.push(
      valueProblems.notTruth(
        optionalEntry.value.span,
        'optional',
        typeof optional === 'string' ? optional : kindOf(optional),
      ),
    )
  const schemaEntry = entryOf(map, 'schema')
  const schema = schemaEntry === undefined ? undefined : readSchema(schemaEntry, type, out)
  if (type === undefined || from === null || schema === null) return null
  return {
    name: entry.key,
    type,
    from,
    // Ratings come after the answers that they are about.
    optional: optionalEntry === undefined ? type === 'ratings' : optional === true,
    ...(schema === undefined ? {} : { schema }),
    span: entry.keySpan,
  }
}

const SCHEMA_ROLES = ['input', 'output', 'id'] as const

/** Which fields of a row are the prompt and the response; null if that was not said, which is reported. */
function readSchema(
  entry: MapEntry,
  type: PipelineSource['type'] | undefined,
  out: Diagnostic[],
): SourceSchema | null {
  const map = mapOf(entry, 'schema', out)
  if (map === null) return null
  if (type !== undefined && type !== 'dataset') {
    out.push(graphProblems.schemaWithoutRows(entry.keySpan, type))
    return null
  }
  if (knownKeys(map, SCHEMA_ROLES, 'schema', out)) return null
  const roles = new Map<string, TextNode>()
  for (const role of map.entries) {
    const field = textNode(role.value, role.key, out)
    if (field === null) return null
    const taken = [...roles].find(([, other]) => other.value === field.value)
    if (field.value === '') out.push(graphProblems.emptyField(field.span, role.key))
    else if (taken !== undefined)
      out.push(graphProblems.fieldTwice(field.span, field.value, taken[0], taken[1].span))
    else roles.set(role.key, field)
  }
  const [input, output, id] = SCHEMA_ROLES.map((role) => roles.get(role)?.value)
  if (input !== undefined && output !== undefined && roles.size === map.entries.length)
    return { input, output, ...(id === undefined ? {} : { id }) }
  const lacking = SCHEMA_ROLES.slice(0, 2).filter((role) => entryOf(map, role) === undefined)
  if (lacking.length > 0) out.push(graphProblems.schemaWithoutRole(entry.keySpan, lacking))
  return null
}

const SPLIT_NAME = /^[a-z][a-z0-9_-]*$/

/** Whether a text can be a path or pattern; says what it is otherwise. */
function isPath(text: TextNode, out: Diagnostic[]): boolean {
  const problem =
    text.value.trim() === ''
      ? graphProblems.emptyPath(text.span)
      : ADDRESS.test(text.value)
        ? hubProblems.addressAsPath(text.span, text.value, 'elsewhere')
        : slipInPath(text)
  if (problem !== null) out.push(problem)
  return problem === null
}

const ADDRESS = /^[a-z][a-z0-9]*:/i

/** A model may also lie on a hub. */
function isPlace(text: TextNode, type: PipelineSource['type'] | undefined, out: Diagnostic[]): boolean {
  const meant = type === 'model' ? meantAddress(text.value) : null
  if (meant !== null) {
    out.push(hubProblems.otherAddress(text.span, text.value, meant))
    return false
  }
  if (type !== 'model' || !text.value.startsWith('hf:')) return isPath(text, out)
  const address = hubAddress(text.value)
  if (address === null) out.push(hubProblems.addressAsPath(text.span, text.value, 'model'))
  else if (address.revision !== null && !isCommit(address.revision))
    out.push(hubProblems.movingRevision(text.span, address, address.revision))
  return address !== null
}

function readFrom(
  node: Node,
  what: string,
  type: PipelineSource['type'] | undefined,
  out: Diagnostic[],
): PipelineSource['from'] | null {
  if (node.type !== 'map') {
    const text = textNode(node, what, out)
    return text === null || !isPlace(text, type, out) ? null : text.value
  }
  const splits: [string, string][] = []
  for (const entry of node.entries) {
    if (!SPLIT_NAME.test(entry.key)) out.push(textProblems.badName(entry.keySpan, entry.key, 'split'))
    const path = textNode(entry.value, entry.key, out)
    if (path !== null && isPath(path, out)) splits.push([entry.key, path.value])
  }
  return splits.length === node.entries.length && splits.length > 0 ? Object.fromEntries(splits) : null
}

function readStage(entry: MapEntry, defaults: RunSettings, out: Diagnostic[]): StageDeclaration {
  const before = out.length
  const { key: name, keySpan, value } = entry
  if (RESERVED.includes(name)) out.push(textProblems.reservedName(keySpan, name))
  else if (!isSlug(name)) out.push(textProblems.badName(keySpan, name, 'stage'))
  const empty = value.type === 'scalar' && value.value === null
  if (value.type !== 'map' && value.type !== 'poison' && !empty)
    out.push(valueProblems.wrongType(value.span, name, A.map, kindOf(plainValue(value))))
  const map: MapNode = value.type === 'map' ? value : { type: 'map', entries: [], span: value.span }
  knownKeys(map, STAGE_KEYS, 'stage', out)
  const get = (key: string): MapEntry | undefined => entryOf(map, key)
  const gateProblems: Diagnostic[] = []
  const text = (key: string, problemsOf: Diagnostic[]): TextNode | null => {
    const found = get(key)
    return found === undefined ? null : textNode(found.value, key, problemsOf)
  }
  const uses = text('uses', out)
  const inputs = (mapOf(get('inputs'), 'inputs', out)?.entries ?? []).flatMap((each) => {
    const reference = textNode(each.value, each.key, out)
    return reference === null ? [] : [{ port: each.key, keySpan: each.keySpan, value: reference }]
  })
  const withNode = mapOf(get('with'), 'with', out)
  const checks = (key: string): ListNode | null => {
    const node = get(key)?.value
    if (node?.type === 'list') return node
    if (node !== undefined && node.type !== 'poison')
      gateProblems.push(checkProblems.checksNotAList(node.span))
    return null
  }
  const checksNode = checks('checks')
  const budget = checks('budget')
  for (const each of map.entries)
    if (NOT_FOR_GATES.includes(each.key)) gateProblems.push(gateIsNotRun(each.keySpan, each.key))
  const settings = readSettings(map, defaults, out)
  return {
    name,
    span: keySpan,
    uses: uses === null ? null : { name: uses.value, span: uses.span },
    inputs,
    with: withNode,
    needs: readNeeds(get('needs'), out),
    settings,
    matrix: get('matrix') ?? null,
    when: readWhen(get('when'), out),
    watch: readWatch(get('watch'), out),
    metrics: text('metrics', gateProblems),
    baseline: text('baseline', gateProblems),
    checks: checksNode,
    budget,
    gateKeys: map.entries.filter((each) => GATE_KEYS.includes(each.key)),
    gateProblems,
    poisoned:
      out.length > before ||
      value.type === 'poison' ||
      map.entries.some((each) => each.value.type === 'poison'),
  }
}

function readWhen(entry: MapEntry | undefined, out: Diagnostic[]): TextNode | null {
  if (entry === undefined || entry.value.type === 'poison') return null
  if (!isText(entry.value)) out.push(whenNeedsText(entry.value.span))
  else if (entry.value.value.startsWith('='))
    out.push(conditionStartsWithSign(entry.value.span, entry.value.value.slice(1).trim()))
  else return entry.value
  return null
}

function readWatch(entry: MapEntry | undefined, out: Diagnostic[]): ListNode | null {
  if (entry === undefined || entry.value.type === 'poison') return null
  if (entry.value.type === 'list') return entry.value
  out.push(oddWatch(entry.value.span))
  return null
}

function readNeeds(entry: MapEntry | undefined, out: Diagnostic[]): readonly TextNode[] {
  if (entry === undefined) return []
  if (isText(entry.value)) return [entry.value]
  if (entry.value.type !== 'list') {
    if (entry.value.type !== 'poison')
      out.push(
        valueProblems.wrongType(
          entry.value.span,
          'needs',
          words('a list of stages', '阶段列表'),
          kindOf(plainValue(entry.value)),
        ),
      )
    return []
  }
  return entry.value.items.flatMap((item) => textNode(item, 'needs', out) ?? [])
}
