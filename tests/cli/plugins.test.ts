/** The example plugins run, their content is in the key, and their workers keep to the protocol. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../../cli/config.ts'
import { loadPlugins } from '../../cli/plugins/load.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { emptyProject } from './newcomer.ts'

const EXAMPLES = join(import.meta.dirname, '../../docs/examples/plugins')
const BUILD = join(import.meta.dirname, '../../build')
const HOST = join(BUILD, 'workers/plugin/main.mjs')
const hasPython = spawnSync('python3', ['--version']).status === 0
if (!hasPython) console.warn('SKIPPED: there is no python3, so the Python worker is not tested')

function examples() {
  const project = emptyProject()
  cpSync(EXAMPLES, project.root, { recursive: true })
  return project
}

describe('the examples', () => {
  test('in JavaScript: run, are cached, and run again when a file of the plugin changes', async () => {
    const project = examples()
    const first = await project.sluice('run', 'shorten')
    expect(first.code, first.stderr).toBe(0)
    expect(project.read('.sluice/out/words/shorten/data/rows.jsonl').trim().split('\n')).toHaveLength(2)
    expect((await project.sluice('run', 'shorten')).stdout).toContain('everything cached')
    project.write('shorten/notes.txt', 'a file of the plugin')
    expect((await project.sluice('run', 'shorten')).stdout).toContain('1 ran')
    expect((await project.sluice('schema')).stdout).toContain('Longest prompt that stays')
    expect((await project.sluice('explain', 'shorten')).stdout).toContain('shorten@1.0.0')
  })

  test.skipIf(!hasPython)('in Python: a worker behind a command', async () => {
    const project = examples()
    const { code, stderr } = await project.sluice('run')
    expect(code, stderr).toBe(0)
    expect(JSON.parse(project.read('.sluice/out/words/vocabulary/words/words.json'))).toMatchObject({
      does: 2,
    })
  })

  test('options of a plugin are checked, and a plugin that is not there is exit 2', async () => {
    const project = examples()
    project.edit('longest: 40', 'longest: none', 'pipelines/words.pipeline.yaml')
    expect(await project.sluice('validate')).toMatchObject({ code: 2 })
    project.edit('- shorten', '- shortn', 'sluice.config.yaml')
    const { code, stderr } = await project.sluice('plan')
    expect(code).toBe(2)
    expect(stderr).toContain("E321: the plugin 'shortn' cannot be used")
  })
})

describe('a package that the project has installed', () => {
  const PACKAGE = 'node_modules/@mycompany/stages'

  /** As npm would lay it out: a scope, an entry behind `exports`, a dependency beside it. */
  function installed() {
    const project = examples()
    cpSync(join(EXAMPLES, 'shorten/ops.mjs'), join(project.root, PACKAGE, 'ops.mjs'))
    const plugin = readFileSync(join(EXAMPLES, 'shorten/plugin.mjs'), 'utf8')
    project.write(
      `${PACKAGE}/lib/stages.mjs`,
      plugin
        .replace("'Leaves out rows whose prompt is long.'", 'SUMMARY')
        .replace(/^/, "import { SUMMARY } from 'words-of-others'\n"),
    )
    project.write(
      `${PACKAGE}/package.json`,
      JSON.stringify({
        name: '@mycompany/stages',
        version: '1.0.0',
        exports: { '.': { import: './lib/stages.mjs' } },
      }),
    )
    project.write(
      'node_modules/words-of-others/package.json',
      '{"name":"words-of-others","type":"module","exports":"./x.js"}',
    )
    project.write('node_modules/words-of-others/x.js', "export const SUMMARY = 'From a package of others.'\n")
    project.edit('- shorten', '- "@mycompany/stages"', 'sluice.config.yaml')
    return project
  }

  test('runs, and its own files are in the key', async () => {
    const project = installed()
    const { code, stderr } = await project.sluice('run', 'shorten')
    expect(code, stderr).toBe(0)
    expect(project.read('.sluice/out/words/shorten/data/rows.jsonl').trim().split('\n')).toHaveLength(2)
    expect((await project.sluice('explain', 'shorten')).stdout).toContain('From a package of others.')
    project.write('node_modules/words-of-others/x.js', "export const SUMMARY = 'Another version.'\n")
    expect((await project.sluice('run', 'shorten')).stdout).toContain('everything cached')
    project.edit('no row is left', 'no row at all', `${PACKAGE}/ops.mjs`)
    expect((await project.sluice('run', 'shorten')).stdout).toContain('1 ran')
  })
})

test('authors get types from the package sluice, and a wrong field is an error in their editor', () => {
  const project = emptyProject()
  const root = join(import.meta.dirname, '../..')
  mkdirSync(join(project.root, 'node_modules'))
  symlinkSync(root, join(project.root, 'node_modules/sluice'))
  const kind = (more: string) => `/** @type {import('sluice/stage-kind').StageKind} */
export const kind = { name: 'x', version: '1.0.0', summary: 'X.', options: {}, inputs: {}, outputs: () => ({}), ${more} }
/** @type {import('sluice/op').Op} */
export const op = async ({ threads }) => ({ threads })
`
  project.write('good.mjs', kind('steps: () => []'))
  project.write('bad.mjs', kind('stepz: () => []'))
  const options = '--noEmit --strict --skipLibCheck --allowJs --checkJs --module nodenext --target es2023'
  const { stdout } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      ...`${options} --allowImportingTsExtensions --types node`.split(' '),
      ...['--typeRoots', join(root, 'node_modules/@types'), 'good.mjs', 'bad.mjs'],
    ],
    { cwd: project.root, encoding: 'utf8' },
  )
  expect(stdout).toMatch(/^bad\.mjs\(2,14\): error [^\n]*'?steps'? |^bad\.mjs[^\n]*'stepz' does not exist/)
  expect(stdout).not.toContain('good.mjs')
})

test('a plugin that changes while a process goes on (run --watch) is refused, not run under the key of another', async () => {
  const project = examples()
  const builtIn = { kinds: stageKinds, ops: {}, runtimes: {}, workers: {}, slots: {}, threads: {} }
  const load = async () =>
    (
      await loadPlugins({ root: project.root, buildDir: BUILD, builtIn, config: readConfig(project.root) })
    ).diagnostics.map(({ code }) => code)
  expect(await load()).toEqual([])
  expect(await load()).toEqual([])
  project.write('shorten/notes.txt', 'changed')
  expect(await load()).toEqual(['E321'])
})

describe('worker check', () => {
  test.each([
    ['JavaScript', ['node', HOST, 'shorten/ops.mjs']],
    ...(hasPython ? [['Python', ['python3', 'vocabulary/worker.py']] as [string, string[]]] : []),
  ])('passes the example in %s', async (_, command) => {
    const { code, stdout } = await examples().sluice('worker', 'check', '--', ...command)
    expect(code, stdout).toBe(0)
    expect(stdout.match(/✓/g)).toHaveLength(14)
  })

  test('fails what does not speak it', async () => {
    const { code, stdout } = await examples().sluice('worker', 'check', 'false')
    expect(code).toBe(1)
    expect(stdout).toContain('✗ answers hello with ready   ended with exit code 1')
    const missing = await examples().sluice('worker', 'check', '--', 'nosuch')
    expect(missing.stdout).toContain('cannot start: there is no program nosuch on this machine')
  })
})
