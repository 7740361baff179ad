/** The launcher with a build that only says what happened: when it rebuilds, what it keeps, what it survives. */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-launcher-'))
  mkdirSync(join(root, 'cli'))
  for (const file of ['sluice.cjs', 'parts.cjs']) copyFileSync(join('cli', file), join(root, 'cli', file))
  writeFileSync(join(root, 'tsconfig.json'), '{}')
  writeFileSync(join(root, 'source.txt'), 'one')
  writeFileSync(
    join(root, 'cli', 'build.mjs'),
    `
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
export async function build() {
  process.stderr.write('built\\n')
  rmSync('build', { recursive: true, force: true })
  mkdirSync('build/cli', { recursive: true })
  const { mtimeMs, size } = statSync('source.txt')
  const said = JSON.stringify(readFileSync('source.txt', 'utf8'))
  writeFileSync('build/start.json', JSON.stringify({ main: 'main.cjs', sources: [['source.txt', mtimeMs, size]] }))
  writeFileSync('build/cli/lazy.cjs', "exports.sep = require('node:path').sep")
  writeFileSync('build/cli/main.cjs', \`exports.main = async ([verb]) => {
    if (verb !== 'help') require('./lazy.cjs')
    process.stdout.write(\${said})
    return 0
  }\`)
}
`,
  )
})
afterEach(() => rmSync(root, { recursive: true }))

const start = (...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['cli/sluice.cjs', ...args], {
    cwd: root,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}
const caches = (group = '.') =>
  readdirSync(join(root, 'build', 'caches', `${process.version}-${process.arch}`, group)).sort()

it('builds when there is no build, and again only after a source changed or went away', () => {
  expect(start('run')).toEqual({ status: 0, stdout: 'one', stderr: 'built\n' })
  expect(start('run')).toEqual({ status: 0, stdout: 'one', stderr: '' })
  writeFileSync(join(root, 'source.txt'), 'three')
  expect(start('run')).toEqual({ status: 0, stdout: 'three', stderr: 'built\n' })
  utimesSync(join(root, 'source.txt'), 1, 1)
  expect(start('run')).toEqual({ status: 0, stdout: 'three', stderr: 'built\n' })
  rmSync(join(root, 'source.txt'))
  expect(start('run').stderr).toMatch(/^built\n[^]*source\.txt/)
})

it('a package, which has no tsconfig.json, is never rebuilt', () => {
  start('run')
  rmSync(join(root, 'tsconfig.json'))
  rmSync(join(root, 'source.txt'))
  expect(start('run')).toEqual({ status: 0, stdout: 'one', stderr: '' })
})

it('keeps caches for what was loaded: what all verbs begin with, and the rest for each verb', () => {
  start('help')
  expect(caches()).toEqual(['first'])
  start('run')
  start('plan')
  expect(caches()).toEqual(['first', 'plan', 'run'])
  expect(caches('first')).toEqual(['main.cjs'])
  expect(caches('run')).toEqual(['lazy.cjs'])
  // Words that are no verb share a cache.
  start('-f', 'run')
  expect(caches()).toEqual(['first', 'other', 'plan', 'run'])
})

it('a cache that V8 refuses is made anew', () => {
  start('run')
  const cache = join(root, 'build', 'caches', `${process.version}-${process.arch}`, 'run', 'lazy.cjs')
  writeFileSync(cache, 'not a cache')
  expect(start('run')).toEqual({ status: 0, stdout: 'one', stderr: '' })
  expect(statSync(cache).size).toBeGreaterThan('not a cache'.length)
})

it('says what to do when esbuild is not installed', () => {
  writeFileSync(
    join(root, 'cli', 'build.mjs'),
    "export const build = () => import('no-such-package-as-esbuild')",
  )
  expect(start('run')).toEqual({
    status: 6,
    stdout: '',
    stderr: 'sluice is not installed completely: esbuild is missing\n  help: npm ci\n',
  })
})
