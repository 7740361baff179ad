/** A tiny project in a temporary folder and the real launcher over it, as a newcomer would use them. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'

const LAUNCHER = join(import.meta.dirname, '../../cli/sluice.cjs')
export const FILE = 'pipelines/tiny.pipeline.yaml'
export const LOCK = 'pipelines/tiny.pipeline.lock'
export const ADAPTER = '.sluice/out/tiny/lora-train/adapter/adapter_model.safetensors'

const PIPELINE = `version: 1
name: tiny
data: data/rows.jsonl
sources:
  corpus: { type: corpus, from: data/corpus.txt }
params:
  rate: 1e-3
flow: |
  pretrain -> tokenize;
  clean -> split -> tokenize -> lora-train -> eval -> gate
stages:
  pretrain:
    with: { hidden: 32, layers: 1, heads: 2, kv_heads: 2, ffn: 64, vocab: 300, steps: 10, context: 32 }
  split:
    with: { train: 60%, validation: 20%, test: 20% }
  tokenize:
    with: { template: "{prompt} {response}", max_length: 64 }
  lora-train:
    with:
      epochs: 1
      lr: =params.rate
  eval:
    with: { metrics: [perplexity, exact_match], max_new_tokens: 8 }
  gate:
    checks:
      - perplexity <= 100000
`

const FRUITS = 'apple pear plum fig kiwi lime mango grape peach melon lemon cherry'.split(' ')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Project {
  readonly root: string
  readonly sluice: (...argv: readonly string[]) => Promise<Ended>
  readonly start: (...argv: readonly string[]) => Running
  readonly read: (path: string) => string
  readonly write: (path: string, content: string | Uint8Array) => void
  /** Replaces a text that must be there, in the pipeline file unless another is named. */
  readonly edit: (before: string, after: string, path?: string) => void
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Settles as soon as what was printed so far matches; rejects if the process ends without. */
  readonly says: (stream: 'stdout' | 'stderr', pattern: RegExp) => Promise<void>
}

const made: string[] = []
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
})

export function emptyProject(): Project {
  const root = mkdtempSync(join(tmpdir(), 'sluice-cli-'))
  made.push(root)
  return projectAt(root)
}

/** The tiny project as it is before its first run. */
export function freshProject(): Project {
  const project = emptyProject()
  const rows = FRUITS.flatMap((fruit, i) => [
    { prompt: `What does ${fruit} cost?`, response: `${String(i + 2)} euro.` },
    { prompt: `Is there ${fruit} today?`, response: `Yes, we have ${fruit}.` },
  ])
  project.write('sluice.config.yaml', 'version: 1\n')
  project.write(FILE, PIPELINE)
  project.write('data/rows.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const line = rows.map(({ prompt, response }) => `${prompt} ${response}\n`).join('')
  project.write('data/corpus.txt', line.repeat(30))
  return project
}

let trained: Promise<Project> | null = null

/** A copy of the tiny project after a complete run; it is trained once in a test file. */
export async function trainedProject(): Promise<Project> {
  trained ??= (async () => {
    const project = freshProject()
    const { code, stderr } = await project.sluice('run')
    if (code !== 0) throw new Error(`the tiny project does not run:\n${stderr}`)
    return project
  })()
  const copy = emptyProject()
  cpSync((await trained).root, copy.root, {
    recursive: true,
    preserveTimestamps: true,
    verbatimSymlinks: true,
  })
  return copy
}

/** The trained project with its base model as the user's own `model: mine/*`, and no pretraining. */
export async function projectWithModel(): Promise<Project> {
  const project = await trainedProject()
  cpSync(join(project.root, '.sluice/out/tiny/pretrain/model'), join(project.root, 'mine'), {
    recursive: true,
    dereference: true,
  })
  project.edit('sources:\n  corpus: { type: corpus, from: data/corpus.txt }\n', 'model: mine/*\n')
  project.edit('  pretrain -> tokenize;\n', '')
  const pretrain = /  pretrain:\n.*\n/.exec(PIPELINE)?.[0] ?? ''
  project.edit(pretrain, '')
  return project
}

function projectAt(root: string): Project {
  const read = (path: string) => readFileSync(join(root, path), 'utf8')
  const write = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    // What was copied from the store is read-only.
    rmSync(join(root, path), { force: true })
    writeFileSync(join(root, path), content)
  }
  const start = (...argv: readonly string[]) => launch(root, argv)
  return {
    root,
    start,
    sluice: (...argv) => start(...argv).ended,
    read,
    write,
    edit: (before, after, path = FILE) => {
      const text = read(path)
      if (!text.includes(before)) throw new Error(`${path} does not hold ${before}`)
      write(
        path,
        text.replace(before, () => after),
      )
    },
  }
}

export function launch(
  cwd: string,
  argv: readonly string[],
  nodeArgs: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
): Running {
  const child = spawn(process.execPath, [...nodeArgs, LAUNCHER, ...argv], {
    cwd,
    env: { ...process.env, SLUICE_LANG: 'en', GITHUB_ACTIONS: '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const printed = { stdout: '', stderr: '' }
  const watchers = new Set<() => void>()
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      printed[stream] += text
      for (const look of watchers) look()
    })
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...printed }))
  })
  const says = (stream: 'stdout' | 'stderr', pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!pattern.test(printed[stream])) return
        watchers.delete(look)
        resolve()
      }
      watchers.add(look)
      look()
      void ended.then(() => reject(new Error(`ended without ${String(pattern)}:\n${printed.stderr}`)), reject)
    })
  return { child, ended, says }
}
