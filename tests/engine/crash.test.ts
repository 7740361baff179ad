/** The machine stops in the middle, again and again: the next run always finishes, with the same results. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { digestOf, treeOf } from '../../engine/artifact.ts'
import { readLog, runIds } from '../../engine/run/log.ts'
import { go, lines, newRoot, pipelineOf, runs, staged, until } from '../support/rig.ts'

const SUPPORT = join(import.meta.dirname, '../support')
const ROUNDS = 15
/** A run has 8 events; the kill comes after one of the first 7, so that it meets every stage on any machine, ... */
const eventsBefore = (round: number) => 1 + (round % 7)
/** ... and up to this much later, about as long as a stage takes. */
const SPAN_MS = 80
const delayOf = () => Math.random() * SPAN_MS

const texts = (round: number) => ({ one: `one ${String(round)}`, two: `two ${String(round)}` })
const pipelineFor = (round: number, mark: string) =>
  pipelineOf({
    a: {
      with: { files: { 'x.txt': texts(round).one, 'deep/y.txt': 'always the same' }, slow: 20, pids: mark },
    },
    b: {
      with: { files: { 'm.txt': texts(round).two }, slow: 20, pids: mark },
      uses: 'twice',
      inputs: { a: 'a.out' },
    },
    c: { with: { copy: true, pids: mark }, inputs: { a: 'a.out', b: 'b.out' } },
  })

function expected(round: number): Record<string, string> {
  const { one, two } = texts(round)
  const tree = (files: Record<string, string>) =>
    treeOf(
      Object.entries(files).map(([path, text]) => ({
        path,
        size: Buffer.byteLength(text),
        digest: digestOf(text),
      })),
    ).digest
  return {
    'a.out': tree({ 'x.txt': one, 'deep/y.txt': 'always the same' }),
    'b.out': tree({ 'all.txt': `middle/m.txt=${two}` }),
    'c.out': tree({
      'all.txt': `a/deep/y.txt=always the same\na/x.txt=${one}\nb/all.txt=middle/m.txt=${two}`,
    }),
  }
}

async function childBundle(root: string): Promise<string> {
  const outfile = join(root, 'child.cjs')
  const contents = `
    import { go, pipelineOf } from './rig.ts'
    const { root, pipeline } = JSON.parse(process.argv[2])
    go(root, pipeline, { onEvent: (event) => process.stdout.write(event.type + '\\n') }).then(({ exitCode }) => process.exit(exitCode))`
  await build({
    stdin: { contents, resolveDir: SUPPORT, loader: 'ts' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    define: { 'import.meta.dirname': JSON.stringify(SUPPORT) },
    outfile,
    logLevel: 'error',
  })
  return outfile
}

/** Ends a run with SIGKILL some time after one of its events; says how far it came. */
async function runAndKill(bundle: string, root: string, round: number, mark: string): Promise<string> {
  const told = JSON.stringify({ root, pipeline: pipelineFor(round, mark) })
  const child = spawn(process.execPath, [bundle, told], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const exit = once(child, 'exit')
  await Promise.race([
    until(() => said.split('\n').length > eventsBefore(round), 'the run comes so far'),
    exit,
  ])
  const timer = setTimeout(() => child.kill('SIGKILL'), delayOf())
  await exit
  clearTimeout(timer)
  return said
}

test(`killed ${String(ROUNDS)} times at different moments`, { timeout: 90_000 }, async () => {
  const root = newRoot()
  const mark = join(root, 'pids')
  const bundle = await childBundle(root)
  const killedAt = new Set<string>()
  for (let round = 0; round < ROUNDS; round++) {
    const said = await runAndKill(bundle, root, round, mark)
    killedAt.add(said.trimEnd().split('\n').at(-1) ?? '')
    const ran = await go(root, pipelineFor(round, mark))
    expect(ran.exitCode, `round ${String(round)} after ${said}`).toBe(0)
    expect(ran.digests).toEqual(expected(round))
    expect(staged(root)).toEqual([])
    expect(readFileSync(join(root, '.sluice/out/toy/a/out/x.txt'), 'utf8')).toBe(texts(round).one)
    const again = await go(root, pipelineFor(round, mark))
    expect(Object.values(again.status)).toEqual(['cached', 'cached', 'cached'])
  }
  // The kills were not all at one point, and some were in the middle of a stage.
  expect([...killedAt]).toContain('stage.start')
  expect(killedAt.size).toBeGreaterThan(1)
  expect(readdirSync(join(root, '.sluice/out/toy/a')).sort()).toEqual(['out', 'out.tree'])
  expect(readdirSync(join(root, '.sluice/locks'))).toEqual([])
  expect(existsSync(join(root, '.sluice/results/quarantine'))).toBe(false)
  for (const id of runIds(join(root, '.sluice'))) readLog(join(root, '.sluice/runs', id, 'run.jsonl'))
  // A worker leaves when its engine is gone.
  await until(() => !lines(mark).map(Number).some(runs), 'no worker is left')
})
