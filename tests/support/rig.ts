/** A project in a temporary folder, hand-made pipelines and `run()` over them with a puppet worker. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pipeline, PipelineSource, Reference, Stage } from '../../dsl/pipeline.ts'
import type { Span } from '../../dsl/source.ts'
import type { Yardstick } from '../../dsl/judge.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { Tree } from '../../engine/artifact.ts'
import { openStores } from '../../engine/environment.ts'
import type { Environment, FoundSource } from '../../engine/environment.ts'
import { findSource } from '../../engine/plan/sources.ts'
import type { Logged } from '../../engine/run/events.ts'
import { run } from '../../engine/run/run.ts'
import type { RunOutcome, RunRequest } from '../../engine/run/run.ts'
import type { BlobStore } from '../../engine/store/blobs.ts'
import { takeTrees } from '../../engine/store/intake.ts'
import { toyKinds } from './toy-kinds.ts'

const PUPPET = join(import.meta.dirname, 'puppet-worker.mjs')

export const span: Span = { source: { path: 'toy.pipeline.yaml', text: '' }, start: 0, end: 0 }

export function newRoot(): string {
  return mkdtempSync(join(tmpdir(), 'sluice-engine-'))
}

export function environmentAt(root: string, changes: Partial<Environment> = {}): Environment {
  const puppet = { command: process.execPath, args: [PUPPET] }
  return {
    root,
    stateDir: join(root, '.sluice'),
    kinds: toyKinds,
    ops: { 'text/act': 'a1', 'kernel/again': 'b1' },
    runtimes: { text: {}, kernel: { engine: '1' } },
    workers: { text: puppet, kernel: puppet },
    slots: { text: 4, kernel: 1 },
    threads: { text: 1, kernel: 1 },
    provenance: {},
    ...changes,
  }
}

/** `inputs` as port -> `stage.port` or `@source`. */
export interface Toy {
  readonly uses?: string
  readonly with?: JsonObject
  readonly inputs?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  readonly after?: readonly string[]
  readonly cache?: Stage['cache']
  readonly gate?: Stage['gate']
  /** Anything else of a stage. */
  readonly more?: Partial<Stage>
}

export function pipelineOf(
  stages: Readonly<Record<string, Toy>>,
  sources: Readonly<Record<string, string>> = {},
): Pipeline {
  return {
    name: 'toy',
    description: null,
    source: span.source,
    params: {},
    sources: Object.fromEntries(
      Object.entries(sources).map(([name, from]): [string, PipelineSource] => [
        name,
        { name, type: 'dataset', from, optional: false, span },
      ]),
    ),
    stages: Object.entries(stages).map(([name, toy]) => stageOf(name, toy)),
    notify: [],
    workers: {},
  }
}

export function stageOf(name: string, toy: Toy): Stage {
  const uses = toy.uses ?? 'toy'
  const options = toy.with ?? { files: { 'x.txt': name } }
  return {
    name,
    base: name,
    point: {},
    sweep: null,
    uses,
    with: options,
    optionSpans: {},
    inputs: Object.fromEntries(
      Object.entries(toy.inputs ?? {}).map(([port, from]) => [port, referenceOf(from)]),
    ),
    after: toy.after ?? [],
    outputs: toyKinds[uses]?.outputs(options) ?? {},
    cache: toy.cache ?? 'auto',
    also: [],
    timeoutMs: toy.timeoutMs ?? null,
    retry: null,
    resources: {},
    mutex: [],
    worker: null,
    when: null,
    watch: [],
    span,
    synthesised: false,
    gate: toy.gate ?? null,
    selection: null,
    ...toy.more,
  }
}

function referenceOf(from: string): Reference {
  if (from.startsWith('@')) return { type: 'source', source: from.slice(1) }
  const [stage = '', port = 'out'] = from.split('.')
  return { type: 'stage', stage, port }
}

export interface Ran extends RunOutcome {
  readonly events: readonly Logged[]
  /** Stage -> its last status. */
  readonly status: Readonly<Record<string, string>>
  /** `stage.port` -> tree digest. */
  readonly digests: Readonly<Record<string, string>>
}

export interface RunChanges extends Partial<Omit<RunRequest, 'environment' | 'pipeline' | 'yardsticks'>> {
  readonly environment?: Partial<Environment>
  /** The same for every gate. */
  readonly yardsticks?: Readonly<Record<string, Yardstick>>
  readonly onEvent?: (event: Logged) => void
}

export async function go(root: string, pipeline: Pipeline, changes: RunChanges = {}): Promise<Ran> {
  const { environment: different, onEvent, yardsticks = {}, ...request } = changes
  const environment = environmentAt(root, different)
  const stores = openStores(environment.stateDir)
  const sources: Record<string, FoundSource> = {}
  for (const source of Object.values(pipeline.sources)) {
    const found = await findSource(source, root, stores.stats)
    if ('missing' in found) throw new Error(`no ${found.missing}`)
    sources[source.name] = found
  }
  const events: Logged[] = []
  const outcome = await run({
    pipeline,
    environment,
    stores,
    sources,
    targets: null,
    forced: new Set(),
    onFailure: 'as-written',
    yardsticks: () => yardsticks,
    facts: {},
    capacity: {},
    command: 'sluice run',
    gpus: [],
    lastMs: () => null,
    reasonOf: () => 'test',
    remote: null,
    lockPath: join(root, 'toy.pipeline.lock'),
    listener: (_, event) => {
      events.push(event)
      onEvent?.(event)
    },
    signal: new AbortController().signal,
    ...request,
  })
  return {
    ...outcome,
    events,
    status: Object.fromEntries([...outcome.state.stages].map(([name, stage]) => [name, stage.status])),
    digests: Object.fromEntries(
      [...outcome.results].flatMap(([name, { outputs }]) =>
        Object.entries(outputs).map(([port, { tree }]) => [`${name}.${port}`, tree]),
      ),
    ),
  }
}

export function write(root: string, path: string, text: string): void {
  mkdirSync(join(root, path, '..'), { recursive: true })
  writeFileSync(join(root, path), text)
}

/** What a bad disk does: the store's own files are read-only. */
export function damage(path: string, text: string): void {
  chmodSync(path, 0o644)
  writeFileSync(path, text)
}

export function lines(path: string): readonly string[] {
  return existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : []
}

/** Attempt folders that are still staged. */
export function staged(root: string): readonly string[] {
  const folder = join(root, '.sluice', 'staging')
  return existsSync(folder) ? readdirSync(folder) : []
}

/** One finished directory into the store. */
export async function takeTree(blobs: BlobStore, dir: string): Promise<Tree> {
  const { trees } = await takeTrees([dir], blobs)
  if (trees[0] === undefined) throw new Error('nothing was taken')
  return trees[0]
}

export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  const path = `/proc/${String(pid)}/stat`
  // A killed child that nobody has collected yet is over.
  return !existsSync(path) || !/\) Z /.test(readFileSync(path, 'utf8'))
}

/** Waits for something that other processes do; fails loudly instead of for ever. */
export async function until(met: () => boolean, what: string, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs
  while (!met()) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
