/** The stores: files remembered by stat, bytes by content, results by key. */
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { digestOf } from '../../engine/artifact.ts'
import type { Tree } from '../../engine/artifact.ts'
import { BlobStore } from '../../engine/store/blobs.ts'
import { hashFile } from '../../engine/store/digest.ts'
import { ResultStore } from '../../engine/store/results.ts'
import { damage, newRoot, write, takeTree } from '../support/rig.ts'

let root = ''
beforeEach(() => {
  root = newRoot()
})

test('a file is hashed whole, across chunks', async () => {
  const bytes = Buffer.alloc((1 << 20) * 2 + 17, 'sluice')
  writeFileSync(join(root, 'big'), bytes)
  expect(hashFile(join(root, 'big'))).toBe(digestOf(bytes))
  writeFileSync(join(root, 'none'), '')
  expect(hashFile(join(root, 'none'))).toBe(digestOf(''))
})

describe('blobs', () => {
  const take = (blobs: BlobStore, files: Readonly<Record<string, string>>): Promise<Tree> => {
    const dir = join(root, 'made', Math.random().toString(36).slice(2))
    for (const [path, text] of Object.entries(files)) write(dir, path, text)
    return takeTree(blobs, dir)
  }
  const files = { 'b.txt': 'same', 'a/深.txt': '文', 'a/twin.txt': 'same' }

  test('a tree goes in and comes out', async () => {
    const blobs = new BlobStore(root)
    const tree = await take(blobs, files)
    expect(tree.files.map((file) => file.path)).toEqual(['a/twin.txt', 'a/深.txt', 'b.txt'])
    expect(blobs.openTree(tree.digest)).toEqual(tree)
    blobs.layOut(tree, join(root, 'out'))
    for (const [path, text] of Object.entries(files))
      expect(readFileSync(join(root, 'out', path), 'utf8')).toBe(text)
    expect(statSync(join(root, 'out/b.txt')).mode & 0o222).toBe(0)
    expect(blobs.readFile(tree, 'b.txt')).toBe('same')
    expect(blobs.readFile(tree, 'c.txt')).toBeNull()
    expect((await take(blobs, files)).digest).toBe(tree.digest)
  })

  test('show replaces the folder whole and leaves nothing beside it', async () => {
    const blobs = new BlobStore(root)
    const shown = join(root, 'shown')
    mkdirSync(`${shown}/port.new`, { recursive: true })
    blobs.show(await take(blobs, { old: '1', both: '1' }), join(shown, 'port'))
    const second = await take(blobs, { both: '2' })
    blobs.show(second, join(shown, 'port'))
    expect(readdirSync(join(shown, 'port'))).toEqual(['both'])
    expect(readFileSync(join(shown, 'port/both'), 'utf8')).toBe('2')
    expect(readdirSync(shown).sort()).toEqual(['port', 'port.tree'])
    const { ino } = statSync(join(shown, 'port'))
    blobs.show(second, join(shown, 'port'))
    expect(statSync(join(shown, 'port')).ino).toBe(ino)
  })

  test('a missing or damaged blob is a reason, and taking the same bytes again heals it', async () => {
    const blobs = new BlobStore(root)
    const tree = await take(blobs, files)
    const one = blobs.pathOf(digestOf('文'))
    rmSync(one)
    expect(blobs.openTree(tree.digest)).toEqual({ lost: 'a/深.txt is gone from the store' })
    writeFileSync(one, '')
    expect(blobs.openTree(tree.digest)).toEqual({ lost: 'a/深.txt is damaged in the store' })
    damage(blobs.pathOf(tree.digest), '[]')
    expect(blobs.openTree(tree.digest)).toEqual({
      lost: expect.stringMatching(/^the list .* is damaged$/) as string,
    })
    expect(await take(blobs, files)).toEqual(tree)
    expect(blobs.openTree(tree.digest)).toEqual(tree)
    // Same size, other bytes.
    rmSync(one)
    writeFileSync(one, '火')
    await take(blobs, files)
    expect(readFileSync(one, 'utf8')).toBe('文')
    rmSync(blobs.pathOf(tree.digest))
    expect(blobs.openTree(tree.digest)).toEqual({
      lost: expect.stringMatching(/^the list .* is gone/) as string,
    })
  })

  test('a file with another name elsewhere is copied: what is written there later does not reach the store', async () => {
    const blobs = new BlobStore(root)
    write(root, 'elsewhere', 'then')
    mkdirSync(join(root, 'made'))
    linkSync(join(root, 'elsewhere'), join(root, 'made/x'))
    linkSync(join(root, 'elsewhere'), join(root, 'made/y'))
    const tree = await takeTree(blobs, join(root, 'made'))
    writeFileSync(join(root, 'elsewhere'), 'now!')
    for (const path of ['x', 'y']) expect(blobs.readFile(tree, path)).toBe('then')
    expect(statSync(blobs.pathOf(digestOf('then'))).mode & 0o222).toBe(0)
    expect(readdirSync(blobs.draftFolder)).toEqual([])
  })

  test('stages that end together each find all that they took, also what is the same', async () => {
    const blobs = new BlobStore(root)
    const many = Array.from({ length: 20 }, (_, i) => take(blobs, { same: 'same', own: String(i % 7) }))
    for (const tree of await Promise.all(many)) expect(blobs.openTree(tree.digest)).toEqual(tree)
    expect(readdirSync(blobs.draftFolder)).toEqual([])
  })

  test('what cannot be taken leaves nothing on its way', async () => {
    const blobs = new BlobStore(root)
    write(root, 'made/x', 'x')
    linkSync(join(root, 'made/x'), join(root, 'twin'))
    write(root, 'cas/sha256/2d', 'a file where x and its like would lie')
    await expect(takeTree(blobs, join(root, 'made'))).rejects.toThrow()
    expect(readdirSync(blobs.draftFolder)).toEqual([])
  })

  test('links are refused, to files and to folders', async () => {
    const blobs = new BlobStore(root)
    for (const target of ['/etc/hostname', '/etc', 'nowhere']) {
      const dir = join(root, `linked-${target.replaceAll('/', '')}`)
      write(dir, 'a/plain', 'x')
      symlinkSync(target, join(dir, 'a/link'))
      await expect(takeTree(blobs, dir)).rejects.toThrow('a/link is not a plain file')
    }
  })
})

describe('results', () => {
  const stored = async () => {
    const blobs = new BlobStore(root)
    const dir = join(root, 'made')
    write(dir, 'x.txt', 'content')
    const tree = await takeTree(blobs, dir)
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
    await results.write(result, [])
    return { blobs, results, key, result, file: join(root, 'results', `${key.slice(7)}.json`) }
  }

  test('what was written is a hit; nothing is a miss without a reason', async () => {
    const { results, key, result } = await stored()
    expect(results.find(key)).toEqual({ type: 'hit', result })
    expect(results.find(digestOf('other'))).toEqual({ type: 'miss', lost: null })
  })

  test('a record without its bytes is a miss with the reason, and is put aside', async () => {
    const { blobs, results, key, file } = await stored()
    damage(blobs.pathOf(digestOf('content')), 'con')
    expect(results.find(key)).toEqual({ type: 'miss', lost: 'x.txt is damaged in the store' })
    rmSync(blobs.pathOf(digestOf('content')))
    expect(results.find(key)).toEqual({ type: 'miss', lost: 'x.txt is gone from the store' })
    results.quarantine(key)
    expect(existsSync(file)).toBe(false)
    expect(readdirSync(join(root, 'results/quarantine'))).toHaveLength(1)
    expect(results.find(key)).toEqual({ type: 'miss', lost: null })
  })

  test.each(['', '{"format":1', 'null', '{"format":2}'])('a damaged record is a miss: %s', async (text) => {
    const { results, key, file } = await stored()
    writeFileSync(file, text)
    expect(results.find(key)).toEqual({ type: 'miss', lost: null })
  })

  test('a record under the name of another key does not count', async () => {
    const { results, key, file } = await stored()
    const other = digestOf('other')
    writeFileSync(join(root, 'results', `${other.slice(7)}.json`), readFileSync(file))
    expect(results.find(other).type).toBe('miss')
    expect(results.find(key).type).toBe('hit')
  })
})
