/** A toy project that is killed again and again, and a checker of its state folder that shares no code with the engine. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Plugin } from 'esbuild'
import type { Pipeline } from '../../dsl/pipeline.ts'
import { pipelineOf } from './rig.ts'

/** Three stages in a row, texts of their own in each round, so that every round makes everything anew. */
export function tortured(round: number): Pipeline {
  const text = `of round ${String(round)}, ${'and so on '.repeat(400)}`
  return pipelineOf({
    a: { with: { files: { 'x.txt': `one ${text}`, 'deep/y.txt': 'always the same' } } },
    b: {
      uses: 'twice',
      with: { files: { 'm.txt': `two ${text}` } },
      inputs: { a: 'a.out' },
    },
    c: { with: { copy: true }, inputs: { a: 'a.out', b: 'b.out' } },
  })
}

export interface ChildOrder {
  readonly root: string
  readonly pipeline: Pipeline
  /** As `SLUICE_FAILPOINT`; null runs to its end, or until somebody kills it. */
  readonly failpoint: string | null
}

/** What a run does in a process of its own: every step goes to stdout as it is reached. */
const CHILD = `
import { writeSync } from 'node:fs'
import { killAt, watchSteps } from '../../engine/failpoint.ts'
import { go } from './rig.ts'
const { root, pipeline, failpoint } = JSON.parse(process.argv[2])
if (failpoint === null) watchSteps((step) => writeSync(1, step + '\\n'))
else if (killAt(failpoint) !== null) throw new Error(failpoint)
const ran = await go(root, pipeline)
process.exit(ran.exitCode)`

/** Bundles the child once; `plugins` may plant a fault. */
export async function torturedChild(outfile: string, plugins: Plugin[] = []): Promise<void> {
  await build({
    stdin: { contents: CHILD, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    define: { 'import.meta.dirname': JSON.stringify(import.meta.dirname) },
    banner: {
      js: "import { createRequire as torn } from 'node:module'; const require = torn(import.meta.url);",
    },
    plugins,
    outfile,
    logLevel: 'error',
  })
}

export interface Found {
  /** What must never be: something that looks whole and is not. */
  readonly corrupt: readonly string[]
  /** Keys on record, with all of their bytes. */
  readonly records: ReadonlySet<string>
}

/** Reads a state folder as a dead run left it. */
export function inspect(root: string): Found {
  const state = join(root, '.sluice')
  const corrupt: string[] = []
  const records = new Set<string>()
  const check = (what: string, look: () => boolean) => {
    try {
      if (!look()) corrupt.push(what)
    } catch (error) {
      corrupt.push(`${what}: ${(error as Error).message}`)
    }
  }
  const blobs = join(state, 'cas/sha256')
  const blobAt = (digest: string) => join(blobs, digest.slice(7, 9), digest.slice(9))
  for (const folder of namesIn(blobs)) {
    for (const name of namesIn(join(blobs, folder))) {
      if (isDraft(name)) continue
      const path = join(blobs, folder, name)
      check(`blob ${folder}${name} is not what its name says`, () => sha256(path) === `${folder}${name}`)
    }
  }
  const filesOf = (tree: string) =>
    JSON.parse(readFileSync(blobAt(tree), 'utf8')) as { path: string; size: number; digest: string }[]
  for (const name of namesIn(join(state, 'results'))) {
    if (isDraft(name)) continue
    if (name === 'quarantine') {
      corrupt.push('a record was put aside: its bytes were lost')
      continue
    }
    check(`record ${name} without all of its bytes`, () => {
      const record = JSON.parse(readFileSync(join(state, 'results', name), 'utf8')) as {
        key: string
        outputs: Record<string, { tree: string }>
      }
      const whole = Object.values(record.outputs).every(({ tree }) =>
        filesOf(tree).every(({ size, digest }) => statSync(blobAt(digest)).size === size),
      )
      if (whole) records.add(record.key)
      return whole && `sha256:${name.slice(0, -'.json'.length)}` === record.key
    })
  }
  const shown = join(state, 'out/toy')
  for (const stage of namesIn(shown)) {
    for (const marker of namesIn(join(shown, stage)).filter((name) => name.endsWith('.tree'))) {
      const path = join(shown, stage, marker)
      check(`out/toy/${stage} does not hold what it says`, () =>
        filesOf(readFileSync(path, 'utf8')).every(({ path: file, digest }) => {
          return `sha256:${sha256(join(path.slice(0, -'.tree'.length), file))}` === digest
        }),
      )
    }
  }
  for (const run of namesIn(join(state, 'runs'))) {
    check(`the log of ${run} is damaged`, () => {
      const lines = readFileSync(join(state, 'runs', run, 'run.jsonl'), 'utf8').split('\n')
      return lines.slice(0, -1).every((line, at) => (JSON.parse(line) as { seq: number }).seq === at)
    })
  }
  return { corrupt, records }
}

/** What a run that came through may not leave behind. */
export function leftovers(root: string): readonly string[] {
  const state = join(root, '.sluice')
  return [
    ...namesIn(join(state, 'staging')).map((name) => `staging/${name}`),
    ...namesIn(join(state, 'locks')).map((name) => `locks/${name}`),
  ]
}

/** Text of the lock file, or null. */
export function lockIn(root: string): string | null {
  const path = join(root, 'toy.pipeline.lock')
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}

function isDraft(name: string): boolean {
  return name.endsWith('.tmp')
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : []
}
