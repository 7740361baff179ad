/** Our own walk of a source finds what tinyglobby finds, in path order; what it does not understand it leaves to it. */
import { mkdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { glob } from 'tinyglobby'
import { describe, expect, test } from 'vitest'
import { listPattern } from '../../engine/plan/listing.ts'
import { EVERYTHING, patternOf } from '../../engine/plan/pattern.ts'
import { newRoot, write } from '../support/rig.ts'

const NAMES = ['a', 'ab', 'a.x', 'b.x', 'c.x.y', '.x', '.hid', 'd-e', 'd', '文']
const PIECES = ['a', 'ab', '*', '*', '**', '**', '*.x', 'a*', '*.*', 'd', 'a*b', '*x*', '文*', '*-*']

async function asTinyglobby(root: string, pattern: string): Promise<readonly string[]> {
  return (await glob(pattern, { cwd: root, onlyFiles: true })).sort()
}

function ours(root: string, text: string): readonly string[] {
  const pattern = patternOf(text)
  if (pattern === null) throw new Error(`${text} is not understood`)
  return [...listPattern(root, pattern).paths()]
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

test('every pattern of names and stars finds the same files, sorted', async () => {
  let found = 0
  const name = fc.constantFrom(...NAMES)
  const trees = fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 4 }), {
    minLength: 10,
    maxLength: 40,
  })
  const patterns = fc.array(fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 4 }), {
    minLength: 8,
    maxLength: 8,
  })
  await fc.assert(
    fc.asyncProperty(trees, patterns, async (files, pieces) => {
      const root = newRoot()
      for (const path of files) {
        try {
          write(root, path.join('/'), 'x')
        } catch {
          // The name is a folder already, or a file stands where a folder would be.
        }
      }
      for (const pattern of pieces.map((each) => each.join('/')).filter((each) => each.includes('*'))) {
        const compiled = patternOf(pattern)
        if (compiled === null) continue
        // findSource leaves a pattern that begins with a file, or with nothing, to tinyglobby.
        if (!isFolder(join(root, compiled.base))) continue
        const listed = ours(root, pattern)
        expect(listed, pattern).toEqual(await asTinyglobby(root, pattern))
        found += listed.length
      }
    }),
    { numRuns: 100 },
  )
  expect(found).toBeGreaterThan(500)
})

test.each([
  'data/{a,b}.x',
  'data/?.x',
  'data/[ab].x',
  'data/+(a|b).x',
  'data/!(a).x',
  '!data/*',
  'a**b/*',
  'a/**/**/b',
  'a/*/.b',
  '../*/a',
  String.raw`a\*`,
])('%s is left to tinyglobby', (pattern) => {
  expect(patternOf(pattern)).toBeNull()
})

test.each(['./data/*.x', 'data//*.x', 'data/../data/*.x', 'data/*/', 'data/**/', '.hidden/*.x'])(
  'unusual spelling: %s',
  async (pattern) => {
    const above = newRoot()
    for (const path of ['a.x', 'b/a.x', 'b/.h.x'])
      for (const folder of ['data', '.hidden']) write(above, `root/${folder}/${path}`, 'x')
    const root = join(above, 'root')
    const listed = await asTinyglobby(root, pattern)
    expect(ours(root, pattern)).toEqual(listed)
    expect(listed.length).toBeGreaterThan(0)
  },
)

describe('links', () => {
  test('are followed, but not in circles', async () => {
    const root = newRoot()
    write(root, 'elsewhere/deep/f.x', 'x')
    write(root, 'data/own.x', 'x')
    symlinkSync('../elsewhere', join(root, 'data/linked'))
    symlinkSync('own.x', join(root, 'data/again.x'))
    expect(ours(root, 'data/**/*.x')).toEqual(['data/again.x', 'data/linked/deep/f.x', 'data/own.x'])
    expect(ours(root, 'data/**/*.x')).toEqual(await asTinyglobby(root, 'data/**/*.x'))
    mkdirSync(join(root, 'data/sub'))
    symlinkSync('..', join(root, 'data/sub/up'))
    symlinkSync('.', join(root, 'data/sub/here'))
    expect(ours(root, 'data/**/*.x')).toEqual(['data/again.x', 'data/linked/deep/f.x', 'data/own.x'])
  })

  test('that lead nowhere are a mistake where they stand for a file, and nothing elsewhere', () => {
    const root = newRoot()
    write(root, 'data/own.x', 'x')
    symlinkSync('gone', join(root, 'data/lost.y'))
    symlinkSync('gone', join(root, 'data/.lock'))
    expect(ours(root, 'data/*.x')).toEqual(['data/own.x'])
    expect(() => listPattern(root, { base: 'data', steps: EVERYTHING })).toThrow(
      'data/lost.y cannot be reached',
    )
  })
})

test('files and folders come in the order of their paths', () => {
  const root = newRoot()
  const paths = ['a-b', 'a.x', 'a/b', 'a/b-c', 'a0', 'z/\u{1f600}', 'z/\uff21', 'z/文']
  for (const path of paths) write(root, path, 'x')
  expect([...listPattern(root, { base: '', steps: EVERYTHING }).paths()]).toEqual([...paths].sort())
})
