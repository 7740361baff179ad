/** Reads how a stage is run: `cache`, `timeout`, `retry`, `resources`, `mutex`, and the file's `notify`. */
import type { Diagnostic } from './diagnostic.ts'
import { keyNames } from './keys.ts'
import { own } from './own.ts'
import { NOTIFY_EVENTS, type Notification, type Resources, type Retry, type RetryCause } from './pipeline.ts'
import { A, kindOf } from './problems/nouns.ts'
import { addressInFile, badCount, badNotify } from './problems/run-settings.ts'
import { badName, unknownKey } from './problems/text.ts'
import { inLongForm, missingUnit, notOneOf, wrongType, wrongUnit } from './problems/values.ts'
import { readWorkerWish, type WorkerWish } from './read-workers.ts'
import { isSlug } from './slug.ts'
import type { Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import {
  entryOf,
  isPoisoned,
  isText,
  plainValue,
  type ListNode,
  type MapEntry,
  type MapNode,
  type Node,
} from './tree.ts'
import { readQuantity } from './units.ts'

export type CacheMode = 'auto' | 'off' | 'refresh'

/** What `defaults:` lays under every stage. */
export interface RunSettings {
  readonly cache: CacheMode
  /** Where `cache: off` is written, if it is. */
  readonly cacheOff: Span | null
  /** The list under `cache: { also: [...] }`, not computed yet. */
  readonly also: ListNode | null
  readonly timeoutMs: number | null
  readonly retry: Retry | null
  readonly resources: Resources
  readonly mutex: readonly string[]
  readonly worker: WorkerWish | null
}

export const NO_SETTINGS: RunSettings = {
  cache: 'auto',
  cacheOff: null,
  also: null,
  timeoutMs: null,
  retry: null,
  resources: {},
  mutex: [],
  worker: null,
}

export function readSettings(map: MapNode, defaults: RunSettings, out: Diagnostic[]): RunSettings {
  const get = (key: string): MapEntry | undefined => entryOf(map, key)
  return {
    ...readCache(get('cache'), defaults, out),
    timeoutMs: readDuration(get('timeout'), out) ?? defaults.timeoutMs,
    retry: readRetry(get('retry'), out) ?? defaults.retry,
    resources: readResources(get('resources'), defaults.resources, out),
    mutex: readMutex(get('mutex'), out) ?? defaults.mutex,
    worker: readWorkerWish(get('worker'), out) ?? defaults.worker,
  }
}

const CACHE_WORDS = ['auto', 'off', 'refresh'] as const

function readCache(
  entry: MapEntry | undefined,
  defaults: RunSettings,
  out: Diagnostic[],
): Pick<RunSettings, 'cache' | 'cacheOff' | 'also'> {
  if (entry === undefined || entry.value.type === 'poison') return defaults
  const { value: node } = entry
  if (node.type === 'map') {
    const also = entryOf(node, 'also')
    for (const each of node.entries)
      if (each.key !== 'also') out.push(unknownKey(each.keySpan, each.key, 'cache', ['also']))
    if (also?.value.type === 'list') return { cache: 'auto', cacheOff: null, also: also.value }
    if (also !== undefined && also.value.type !== 'poison')
      out.push(wrongType(also.value.span, 'also', A.list, kindOf(plainValue(also.value))))
    return defaults
  }
  const value = plainValue(node)
  const word = CACHE_WORDS.find((each) => each === value)
  if (word !== undefined) return { cache: word, cacheOff: word === 'off' ? node.span : null, also: null }
  const written = typeof value === 'string' ? value : JSON.stringify(value)
  out.push(notOneOf(node.span, 'cache', written, didYouMean(written, CACHE_WORDS), CACHE_WORDS))
  return defaults
}

/** Milliseconds; null if it is not written or wrong. */
function readDuration(entry: MapEntry | undefined, out: Diagnostic[]): number | null {
  if (entry === undefined || isPoisoned(entry.value)) return null
  const value = plainValue(entry.value)
  const { span } = entry.value
  const written = typeof value === 'string' ? value : JSON.stringify(value)
  const quantity = readQuantity(written)
  if (quantity.type === 'quantity' && quantity.dim === 's' && quantity.value > 0)
    return Math.round(quantity.value * 1000)
  if (quantity.type === 'quantity' && quantity.unit === null) out.push(missingUnit(span, written, 'duration'))
  else out.push(wrongUnit(span, written, 'duration'))
  return null
}

const RETRY_KEYS = keyNames('retry')
const RETRY_CAUSES: readonly RetryCause[] = ['worker-lost', 'timeout', 'oom', 'error']
/** A mistake in the data comes back the same; what the machine did may not. */
const RETRY_DEFAULT: readonly RetryCause[] = ['worker-lost', 'timeout']
const MOST_RETRIES = 100

function readRetry(entry: MapEntry | undefined, out: Diagnostic[]): Retry | null {
  const short = entry === undefined ? null : plainValue(entry.value)
  if (entry !== undefined && typeof short === 'number') {
    const form = inLongForm(entry.value.span, 'retry', `{ max: ${short} }`)
    out.push(wrongType(entry.value.span, 'retry', A.map, A.number, form))
    return null
  }
  const map = mapIn(entry, 'retry', out)
  if (map === null || entry === undefined) return null
  const before = out.length
  for (const each of map.entries)
    if (!RETRY_KEYS.includes(each.key)) out.push(unknownKey(each.keySpan, each.key, 'retry', RETRY_KEYS))
  const maxEntry = entryOf(map, 'max')
  const max = maxEntry === undefined ? 1 : plainValue(maxEntry.value)
  const countable = typeof max === 'number' && Number.isInteger(max) && max >= 0 && max <= MOST_RETRIES
  if (!countable) out.push(badCount(maxEntry?.value.span ?? entry.keySpan, 'max', 0))
  const on = readCauses(entryOf(map, 'on'), out)
  const backoffMs = readDuration(entryOf(map, 'backoff'), out) ?? 0
  return out.length > before || !countable ? null : { max, on, backoffMs }
}

function readCauses(entry: MapEntry | undefined, out: Diagnostic[]): readonly RetryCause[] {
  if (entry === undefined || entry.value.type === 'poison') return RETRY_DEFAULT
  const items = entry.value.type === 'list' ? entry.value.items : [entry.value]
  return items.flatMap((item) => {
    const value = plainValue(item)
    const cause = RETRY_CAUSES.find((each) => each === value)
    if (cause !== undefined) return [cause]
    const written = typeof value === 'string' ? value : JSON.stringify(value)
    if (item.type !== 'poison')
      out.push(notOneOf(item.span, 'on', written, didYouMean(written, RETRY_CAUSES), RETRY_CAUSES))
    return []
  })
}

const RESOURCE_FIELDS = {
  gpu: 'gpu',
  vram: 'vramBytes',
  cpu: 'cpu',
  memory: 'memoryBytes',
  disk: 'diskBytes',
} as const

/** A name of our own first; what looks like none of them is one of the user's. */
function readResources(entry: MapEntry | undefined, defaults: Resources, out: Diagnostic[]): Resources {
  const map = mapIn(entry, 'resources', out)
  const claims: [string, number][] = []
  const named: [string, { amount: number; span: Span }][] = []
  for (const each of map?.entries ?? []) {
    const field = own(RESOURCE_FIELDS, each.key)
    if (field === undefined) {
      if (didYouMean(each.key, Object.keys(RESOURCE_FIELDS)) !== null)
        out.push(unknownKey(each.keySpan, each.key, 'resources', Object.keys(RESOURCE_FIELDS)))
      else if (!isSlug(each.key)) out.push(badName(each.keySpan, each.key, 'resource'))
      else {
        const amount = readNumber(each, out)
        if (amount !== null) named.push([each.key, { amount, span: each.keySpan }])
      }
      continue
    }
    const amount = field === 'gpu' || field === 'cpu' ? readNumber(each, out) : readSize(each.value, out)
    if (amount !== null) claims.push([field, amount])
  }
  const all = { ...defaults.named, ...Object.fromEntries(named) }
  return {
    ...defaults,
    ...Object.fromEntries(claims),
    ...(Object.keys(all).length === 0 ? {} : { named: all }),
  }
}

function readMutex(entry: MapEntry | undefined, out: Diagnostic[]): readonly string[] | null {
  if (entry === undefined || entry.value.type === 'poison') return null
  const items = entry.value.type === 'list' ? entry.value.items : [entry.value]
  const names = items.flatMap((item) => {
    if (item.type === 'poison') return []
    if (!isText(item)) {
      out.push(wrongType(item.span, 'mutex', A.text, kindOf(plainValue(item))))
      return []
    }
    if (!isSlug(item.value)) out.push(badName(item.span, item.value, 'mutex'))
    return [item.value]
  })
  return [...new Set(names)].sort()
}

function readNumber(entry: MapEntry, out: Diagnostic[]): number | null {
  if (entry.value.type === 'poison') return null
  const value = plainValue(entry.value)
  const low = entry.key === 'gpu' ? 0 : 1
  if (typeof value === 'number' && Number.isInteger(value) && value >= low) return value
  out.push(badCount(entry.value.span, entry.key, low))
  return null
}

function readSize(node: Node, out: Diagnostic[]): number | null {
  if (node.type === 'poison') return null
  const value = plainValue(node)
  const written = typeof value === 'string' ? value : JSON.stringify(value)
  const quantity = readQuantity(written)
  if (quantity.type === 'quantity' && quantity.dim === 'B' && quantity.value > 0) return quantity.value
  if (quantity.type === 'quantity' && quantity.unit === null)
    out.push(missingUnit(node.span, written, 'bytes'))
  else out.push(wrongUnit(node.span, written, 'bytes'))
  return null
}

function mapIn(entry: MapEntry | undefined, what: string, out: Diagnostic[]): MapNode | null {
  if (entry === undefined || entry.value.type === 'poison') return null
  if (entry.value.type === 'map') return entry.value
  out.push(wrongType(entry.value.span, what, A.map, kindOf(plainValue(entry.value))))
  return null
}

const NOTIFY_KEYS = keyNames('notification')

export function readNotify(entry: MapEntry | undefined, out: Diagnostic[]): readonly Notification[] {
  if (entry === undefined || entry.value.type === 'poison') return []
  if (entry.value.type !== 'list') {
    out.push(badNotify(entry.value.span))
    return []
  }
  return entry.value.items.flatMap((item) => readNotification(item, out) ?? [])
}

function readNotification(item: Node, out: Diagnostic[]): Notification | null {
  if (item.type === 'poison') return null
  if (item.type !== 'map') {
    out.push(badNotify(item.span))
    return null
  }
  const stray = item.entries.find(({ key }) => !NOTIFY_KEYS.includes(key))
  if (stray !== undefined) {
    out.push(unknownKey(stray.keySpan, stray.key, 'notify', NOTIFY_KEYS))
    return null
  }
  const on = entryOf(item, 'on')?.value
  const webhook = entryOf(item, 'webhook')?.value
  const run = entryOf(item, 'run')?.value
  const target = webhook ?? run
  if (
    on === undefined ||
    target === undefined ||
    (webhook !== undefined && run !== undefined) ||
    !isText(target)
  ) {
    if (!isPoisoned(item)) out.push(badNotify(item.span))
    return null
  }
  const names = on.type === 'list' ? on.items : [on]
  const events = names.flatMap((node) => {
    const event = NOTIFY_EVENTS.find((each) => each === plainValue(node))
    if (event !== undefined) return [event]
    const written = JSON.stringify(plainValue(node)).replace(/^"|"$/g, '')
    if (node.type !== 'poison')
      out.push(notOneOf(node.span, 'on', written, didYouMean(written, NOTIFY_EVENTS), NOTIFY_EVENTS))
    return []
  })
  if (webhook === undefined) return { on: events, to: { type: 'run', command: target.value } }
  if (/^https?:/.test(target.value)) out.push(addressInFile(target.span))
  else if (!/^env:[A-Za-z_]\w*$/.test(target.value)) out.push(badNotify(target.span))
  return { on: events, to: { type: 'webhook', address: target.value } }
}
