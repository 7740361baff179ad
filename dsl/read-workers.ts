/** Reads `workers:`, the processes of others that do heavy steps, and which of them a stage names. */
import { wordsOf } from './command-line.ts'
import type { Diagnostic } from './diagnostic.ts'
import { keyNames } from './keys.ts'
import type { PipelineWorker } from './pipeline.ts'
import { A, kindOf } from './problems/nouns.ts'
import { badName, reservedName, unknownKey } from './problems/text.ts'
import { notOneOf, wrongType } from './problems/values.ts'
import * as problems from './problems/workers.ts'
import { isSlug } from './slug.ts'
import type { Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import { entryOf, isText, plainValue, type MapEntry, type MapNode } from './tree.ts'
import { KERNEL_OPS } from './kernel-ops.ts'

/** The worker that a stage, or `defaults:`, asks for. */
export interface WorkerWish {
  /** `none` is the one that comes with Sluice. */
  readonly name: string
  readonly span: Span
}

/** Stays with the worker that comes with Sluice. */
export const NO_WORKER = 'none'
const KEYS = keyNames('worker')
/** A worker over the network. */
const LATER: readonly string[] = ['connect', 'token']

export type Workers = Readonly<Record<string, PipelineWorker>>

/** Null after a mistake, so that names which it may have had are not called unknown. */
export function readWorkers(entry: MapEntry | undefined, out: Diagnostic[]): Workers | null {
  if (entry === undefined) return {}
  if (entry.value.type === 'poison') return null
  if (entry.value.type !== 'map') {
    out.push(wrongType(entry.value.span, 'workers', A.map, kindOf(plainValue(entry.value))))
    return null
  }
  const before = out.length
  const workers = entry.value.entries.flatMap((each): [string, PipelineWorker][] => {
    const worker = readWorker(each, out)
    return worker === null ? [] : [[each.key, worker]]
  })
  return out.length > before ? null : Object.fromEntries(workers)
}

function readWorker({ key, keySpan, value }: MapEntry, out: Diagnostic[]): PipelineWorker | null {
  if (value.type === 'poison') return null
  if (!isSlug(key) || key === NO_WORKER) {
    out.push(key === NO_WORKER ? reservedName(keySpan, key, 'worker') : badName(keySpan, key, 'worker'))
    return null
  }
  if (value.type !== 'map') {
    const help = isText(value)
      ? [`${key}: { run: ${value.value}, capabilities: [lora-train, generate] }`]
      : []
    out.push(wrongType(value.span, key, A.map, kindOf(plainValue(value)), { help }))
    return null
  }
  const later = value.entries.find((each) => LATER.includes(each.key))
  if (later !== undefined) {
    out.push(problems.notOverTheNetwork(later.keySpan, later.key))
    return null
  }
  const stray = value.entries.find((each) => !KEYS.includes(each.key))
  if (stray !== undefined) {
    out.push(unknownKey(stray.keySpan, stray.key, 'worker', KEYS))
    return null
  }
  const command = readCommand(value, keySpan, key, out)
  const capabilities = readCapabilities(value, keySpan, key, out)
  const version = entryOf(value, 'version')
  const written = version === undefined ? null : plainValue(version.value)
  const said = typeof written === 'string' || typeof written === 'number' ? String(written) : null
  if (version !== undefined && said === null && version.value.type !== 'poison')
    out.push(wrongType(version.value.span, 'version', A.text, kindOf(written)))
  if (command === null || capabilities === null) return null
  return { name: key, command, capabilities, version: said }
}

function readCommand(map: MapNode, span: Span, name: string, out: Diagnostic[]): readonly string[] | null {
  const run = entryOf(map, 'run')
  if (run === undefined) {
    out.push(problems.workerLacks(span, name, 'run'))
    return null
  }
  if (run.value.type === 'poison') return null
  const words = isText(run.value) ? wordsOf(run.value.value) : null
  if (words === null) out.push(problems.oddCommand(run.value.span))
  return words
}

function readCapabilities(
  map: MapNode,
  span: Span,
  name: string,
  out: Diagnostic[],
): readonly string[] | null {
  const entry = entryOf(map, 'capabilities')
  if (entry === undefined) {
    out.push(problems.workerLacks(span, name, 'capabilities'))
    return null
  }
  if (entry.value.type === 'poison') return null
  const items = entry.value.type === 'list' ? entry.value.items : [entry.value]
  return items.flatMap((item) => {
    const value = plainValue(item)
    const op = KERNEL_OPS.find((each) => each === value)
    if (op !== undefined) return [op]
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    if (item.type !== 'poison')
      out.push(notOneOf(item.span, 'capabilities', text, didYouMean(text, KERNEL_OPS), KERNEL_OPS))
    return []
  })
}

/** What stands at `worker:`. */
export function readWorkerWish(entry: MapEntry | undefined, out: Diagnostic[]): WorkerWish | null {
  if (entry === undefined || entry.value.type === 'poison') return null
  const { value } = entry
  const written = plainValue(value)
  // YAML has no word for none of ours, but `worker: none` is a text and `worker: ~` is not.
  if (typeof written === 'string') return { name: written, span: value.span }
  out.push(wrongType(value.span, 'worker', A.text, kindOf(written)))
  return null
}
