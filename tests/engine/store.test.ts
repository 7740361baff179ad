/** The stores: files remembered by stat, bytes by content, results by key. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { digestOf } from '../../engine/artifact.ts'
import type { Tree } from '../../engine/artifact.ts'
import { BlobStore } from '../../engine/store/blobs.ts'
import { hashFile } from '../../engine/store/digest.ts'
import { ResultStore } from '../../engine/store/results.ts'
import { newRoot, write } from '../support/rig.ts'

let root = ''
beforeEach(() => {
  root = newRoot()
})

test('a file is hashed whole, across chunks', () => {
  const bytes = Buffer.alloc((1 << 20) * 2 + 17, 'sluice')
  writeFileSync(join(root, 'big'), bytes)
  expect(hashFile(join(root, 'big'))).toBe(digestOf(bytes))
  writeFileSync(join(root, 'none'), '')
  expect(hashFile(join(root, 'none'))).toBe(digestOf(''))
})

describe('blobs', () => {
  const take = (blobs: BlobStore, files: Readonly<Record<string, string>>): Tree => {
    const dir = join(root, 'made', Math.random().toString(36).slice(2))
    for (const [path, text] of Object.entries(files)) write(dir, path, text)
    return blobs.takeTree(dir)
  }
  const files = { 'b.txt': 'same', 'a/深.txt': '文', 'a/twin.txt': 'same' }

  test('a tree goes in and comes out', () => {
    const blobs = new BlobStore(root)
    const tree = take(blobs, files)
    expect(tree.files.map((file) => file.path)).toEqual(['a/twin.txt', 'a/深.txt', 'b.txt'])
    expect(blobs.openTree(tree.digest)).toEqual(tree)
    blobs.layOut(tree, join(root, 'out'))
    for (const [path, text] of Object.entries(files))
      expect(readFileSync(join(root, 'out', path), 'utf8')).toBe(text)
    expect(statSync(join(root, 'out/b.txt')).mode & 0o222).toBe(0)
    expect(blobs.readFile(tree, 'b.txt')).toBe('same')
    expect(blobs.readFile(tree, 'c.txt')).toBeNull()
    expect(take(blobs, files).digest).toBe(tree.digest)
  })

  test('show replaces the folder whole and leaves nothing beside it', () => {
    const blobs = new BlobStore(root)
    const shown = join(root, 'shown')
    mkdirSync(`${shown}/port.new`, { recursive: true })
    blobs.show(take(blobs, { old: '1', both: '1' }), join(shown, 'port'))
    const second = take(blobs, { both: '2' })
    blobs.show(second, join(shown, 'port'))
    expect(readdirSync(join(shown, 'port'))).toEqual(['both'])
    expect(readFileSync(join(shown, 'port/both'), 'utf8')).toBe('2')
    expect(readdirSync(shown).sort()).toEqual(['port', 'port.tree'])
    const { ino } = statSync(join(shown, 'port'))
    blobs.show(second, join(shown, 'port'))
    expect(statSync(join(shown, 'port')).ino).toBe(ino)
  })

  test('a missing or damaged blob is a reason, and taking the same bytes again heals it', () => {
    const blobs = new BlobStore(root)
    const tree = take(blobs, files)
    const one = blobs.pathOf(digestOf('文'))
    rmSync(one)
    expect(blobs.openTree(tree.digest)).toEqual({ lost: 'a/深.txt is gone from the store' })
    writeFileSync(one, '')
    expect(blobs.openTree(tree.digest)).toEqual({ lost: 'a/深.txt is damaged in the store' })
    writeFileSync(blobs.pathOf(tree.digest), '[]')
    expect(blobs.openTree(tree.digest)).toEqual({
      lost: expect.stringMatching(/^the list .* is damaged$/) as string,
    })
    expect(take(blobs, files)).toEqual(tree)
    expect(blobs.openTree(tree.digest)).toEqual(tree)
    // Same size, other bytes.
    rmSync(one)
    writeFileSync(one, '火')
    take(blobs, files)
    expect(readFileSync(one, 'utf8')).toBe('文')
    rmSync(blobs.pathOf(tree.digest))
    expect(blobs.openTree(tree.digest)).toEqual({
      lost: expect.stringMatching(/^the list .* is gone/) as string,
    })
  })

  test('links are refused, to files and to folders', () => {
    const blobs = new BlobStore(root)
    for (const target of ['/etc/hostname', '/etc', 'nowhere']) {
      const dir = join(root, `linked-${target.replaceAll('/', '')}`)
      write(dir, 'a/plain', 'x')
      symlinkSync(target, join(dir, 'a/link'))
      expect(() => blobs.takeTree(dir)).toThrow('a/link is not a plain file')
    }
  })
})

describe('results', () => {
  const stored = () => {
    const blobs = new BlobStore(root)
    const dir = join(root, 'made')
    write(dir, 'x.txt', 'content')
    const tree = blobs.takeTree(dir)
    const results = new ResultStore(root, blobs)
    const key = digestOf('key')
    const result = {
      format: 1,
      key,
      manifest: { kind: '"toy"' },
      outputs: { out: { type: 'dataset', tree: tree.digest, bytes: 7 } },
      summary: {},
      durationMs: 1,
      provenance: {},
    } as const
    results.write(result)
    return { blobs, results, key, result, file: join(root, 'results', `${key.slice(7)}.json`) }
  }

  test('what was written is a hit; nothing is a miss without a reason', () => {
    const { results, key, result } = stored()
    expect(results.find(key)).toEqual({ type: 'hit', result })
    expect(results.find(digestOf('other'))).toEqual({ type: 'miss', lost: null })
  })

  test('a record without its bytes is a miss with the reason, and is put aside', () => {
    const { blobs, results, key, file } = stored()
    truncateSync(blobs.pathOf(digestOf('content')), 3)
    expect(results.find(key)).toEqual({ type: 'miss', lost: 'x.txt is damaged in the store' })
    rmSync(blobs.pathOf(digestOf('content')))
    expect(results.find(key)).toEqual({ type: 'miss', lost: 'x.txt is gone from the store' })
    results.quarantine(key)
    expect(existsSync(file)).toBe(false)
    expect(readdirSync(join(root, 'results/quarantine'))).toHaveLength(1)
    expect(results.find(key)).toEqual({ type: 'miss', lost: null })
  })

  test.each(['', '{"format":1', 'null', '{"format":2}'])('a damaged record is a miss: %s', (text) => {
    const { results, key, file } = stored()
    writeFileSync(file, text)
    expect(results.find(key)).toEqual({ type: 'miss', lost: null })
  })

  test('a record under the name of another key does not count', () => {
    const { results, key, file } = stored()
    const other = digestOf('other')
    writeFileSync(join(root, 'results', `${other.slice(7)}.json`), readFileSync(file))
    expect(results.find(other).type).toBe('miss')
    expect(results.find(key).type).toBe('hit')
  })
})
