/** Sources are read again exactly when they may have changed; their digest is that of the whole list of files. */
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { PipelineSource } from '../../dsl/pipeline.ts'
import { canonicalJson, digestOf, mergedTreeDigest, treeOf } from '../../engine/artifact.ts'
import type { Digest, TreeFile } from '../../engine/artifact.ts'
import type { FoundSource } from '../../engine/environment.ts'
import { filesOfSource, findSource, sourceTree } from '../../engine/plan/sources.ts'
import { hashFile } from '../../engine/store/digest.ts'
import { hashFiles } from '../../engine/store/hash-files.ts'
import { StatCache } from '../../engine/store/stat-cache.ts'
import { newRoot, span, write } from '../support/rig.ts'

const HOUR_MS = 3_600_000
const lie = digestOf('a lie')
let root = ''
beforeEach(() => {
  root = newRoot()
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Files get old without waiting. */
function anHourPasses(): void {
  const later = Date.now() + HOUR_MS
  vi.spyOn(Date, 'now').mockReturnValue(later)
}

function sourceOf(from: PipelineSource['from'], more: Partial<PipelineSource> = {}): PipelineSource {
  return { name: 'data', type: 'dataset', from, optional: false, span, ...more }
}

async function find(from: PipelineSource['from'], more: Partial<PipelineSource> = {}): Promise<FoundSource> {
  const found = await findSource(sourceOf(from, more), root, new StatCache(join(root, '.sluice')))
  if ('missing' in found) throw new Error(`no ${found.missing}`)
  return found
}

/** Makes the memory of a source lie, so that it shows whether it was asked. */
function lieAbout(from: PipelineSource['from']): void {
  const stats = new StatCache(join(root, '.sluice'))
  const name = canonicalJson(from)
  const summary = stats.summary(name)
  if (summary === null) throw new Error('nothing is remembered')
  const columns = stats.columns(name).map(({ paths, stamps, digests }) => ({
    count: stamps.count,
    pathBytes: paths.length,
    parts: () => [...stamps.bytes(), digests.map(() => 0xab), paths],
  }))
  stats.write(name, { ...summary, digest: lie }, columns)
}

const fileOf = (path: string, text: string): TreeFile => ({
  path,
  size: Buffer.byteLength(text),
  digest: digestOf(text),
})

describe('the digest', () => {
  const texts = {
    'data/a.x': 'one',
    'data/b/c.x': 'two',
    'data/b.x': 'three',
    'data/文.x': '',
    'data/.h.x': 'no',
  }
  beforeEach(() => {
    for (const [path, text] of Object.entries(texts)) write(root, path, text)
  })
  const files = treeOf([
    fileOf('a.x', 'one'),
    fileOf('b/c.x', 'two'),
    fileOf('b.x', 'three'),
    fileOf('文.x', ''),
  ])

  test.each(['data', 'data/', 'data/**', './data/**/*.x', 'data/{a,b,文}.x'])('of %s', async (from) => {
    const found = await find(from)
    const some = from.includes('{') ? treeOf(files.files.filter(({ path }) => !path.includes('/'))) : files
    expect(found.digest).toBe(some.digest)
    expect(found.files).toEqual(some.files.map(({ path }) => path))
    expect(found.count).toBe(some.files.length)
    expect(found.dir).toBe(join(root, 'data'))
    expect(await sourceTree(sourceOf(from), root, new StatCache(join(root, '.sluice')))).toEqual(some)
  })

  test('of splits and fields, which are marks among the files', async () => {
    const mark = (path: string): TreeFile => ({ path, size: 0, digest: '' as Digest })
    const found = await find(
      { test: 'data/b', train: 'data/*.x' },
      { schema: { input: 'question', output: 'answer' } },
    )
    const marks = ['test: b/c.x', 'train: a.x', 'train: b.x', 'train: 文.x']
    const schema = ['schema.input: question', 'schema.output: answer']
    expect(found.digest).toBe(treeOf([...files.files, ...[...marks, ...schema].map(mark)]).digest)
    expect(found.splits).toEqual({ test: ['b/c.x'], train: ['a.x', 'b.x', '文.x'] })
    expect(found.files).toEqual(files.files.map(({ path }) => path))
  })

  test('of nothing, where that is allowed', async () => {
    const found = await find('none/*.x', { optional: true })
    expect([found.digest, found.count, found.dir]).toEqual([treeOf([]).digest, 0, root])
  })

  test('of a tree in several rows is that of all its files', () => {
    const [a, b, c, d] = files.files as [TreeFile, TreeFile, TreeFile, TreeFile]
    expect(mergedTreeDigest([[b, d], [], [a, c]])).toBe(files.digest)
    expect(mergedTreeDigest([])).toBe(treeOf([]).digest)
  })

  test('some of the files are found without the others', async () => {
    expect(await filesOfSource(sourceOf('data'), root, 2)).toEqual(
      ['a.x', 'b.x'].map((f) => join(root, 'data', f)),
    )
  })
})

describe('what is remembered', () => {
  test('an unchanged source is not read again, whatever its fields', async () => {
    write(root, 'data/a', 'one')
    anHourPasses()
    const { digest } = await find('data')
    lieAbout('data')
    expect((await find('data')).digest).toBe(lie)
    // Other fields, other digest: made from the digests of the files, which are not read for it.
    const fields = await find('data', { schema: { input: 'a', output: 'b' } })
    expect(fields.digest).not.toBe(digest)
    expect(
      (await sourceTree(sourceOf('data'), root, new StatCache(join(root, '.sluice')))).files[0]?.digest,
    ).toBe(`sha256:${'ab'.repeat(32)}`)
  })

  const data = (): string => join(root, 'data/b')
  const changes: Readonly<Record<string, () => void>> = {
    'more bytes': () => appendFileSync(data(), 'x'),
    'other bytes of the same size': () => writeFileSync(data(), 'owt'),
    'another time': () => utimesSync(data(), 1, 1),
    'another inode with the same size and times': () => {
      const { atime, mtime } = statSync(data())
      write(root, 'other', 'owt')
      utimesSync(join(root, 'other'), atime, mtime)
      renameSync(join(root, 'other'), data())
    },
    'a link in its place': () => {
      write(root, 'other', 'owt')
      rmSync(data())
      symlinkSync('../other', data())
    },
    'a new file': () => write(root, 'data/c', 'new'),
    'one file less': () => rmSync(join(root, 'data/a')),
    'another name': () => renameSync(join(root, 'data/a'), join(root, 'data/z')),
  }
  test.each(Object.entries(changes))('%s is seen', async (_, change) => {
    for (const [name, text] of Object.entries({ a: 'one', b: 'two' })) write(root, `data/${name}`, text)
    anHourPasses()
    await find('data')
    change()
    const names = readdirSync(join(root, 'data'))
    const now = names.map((name) => fileOf(name, readFileSync(join(root, 'data', name), 'utf8')))
    expect((await find('data')).digest).toBe(treeOf(now).digest)
  })

  test('of a source that changed in part only the changed files are read', async () => {
    for (const name of ['a', 'b', 'c']) write(root, `data/${name}`, name)
    anHourPasses()
    await find('data')
    lieAbout('data')
    write(root, 'data/b', 'new')
    write(root, 'data/b2', 'more')
    rmSync(join(root, 'data/a'))
    const lying = { ...fileOf('c', 'c'), digest: `sha256:${'ab'.repeat(32)}` as Digest }
    expect((await find('data')).digest).toBe(treeOf([fileOf('b', 'new'), fileOf('b2', 'more'), lying]).digest)
  })

  test('a file written just now is read again every time: a rewrite in the same tick leaves no trace', async () => {
    write(root, 'data/a', 'one')
    // An old time of the bytes does not help: the time of the inode cannot be set back.
    utimesSync(join(root, 'data/a'), 1, 1)
    await find('data')
    expect(new StatCache(join(root, '.sluice')).summary(canonicalJson('data'))?.seal).toBeNull()
    lieAbout('data')
    expect((await find('data')).digest).toBe(treeOf([fileOf('a', 'one')]).digest)
  })

  test('one that was written in the future is never trusted, nor are any while the clock is set back', async () => {
    write(root, 'data/a', 'one')
    write(root, 'data/b', 'two')
    utimesSync(join(root, 'data/a'), 1e10, 1e10)
    anHourPasses()
    await find('data')
    const [column] = new StatCache(join(root, '.sluice')).columns(canonicalJson('data'))
    expect(Buffer.from(column?.paths ?? []).toString()).toBe('data/b\0')
    vi.spyOn(Date, 'now').mockReturnValue(0)
    write(root, 'data/b', 'owt')
    await find('data')
    expect(new StatCache(join(root, '.sluice')).columns(canonicalJson('data'))[0]?.stamps.count).toBe(0)
  })

  test('a damaged memory costs one hashing', async () => {
    write(root, 'data/a', 'one')
    anHourPasses()
    const { digest } = await find('data')
    const folder = join(root, '.sluice/stat')
    const memory = join(folder, readdirSync(folder)[0] ?? '')
    const { size } = statSync(memory)
    const damages = [
      () => writeFileSync(memory, ''),
      () => writeFileSync(memory, 'no header at all'),
      () => writeFileSync(memory, '{"format":9}\n'),
      () => {
        truncateSync(memory, size - 1)
        appendFileSync(join(root, 'data/a'), '')
        utimesSync(join(root, 'data/a'), 1, 1)
      },
    ]
    for (const damage of damages) {
      damage()
      expect((await find('data')).digest).toBe(digest)
    }
  })

  test('a state folder that cannot be written is no reason to fail', async () => {
    write(root, 'data/a', 'one')
    write(root, '.sluice', 'a file where the folder should be')
    await expect(find('data')).resolves.toMatchObject({ count: 1 })
  })
})

describe('a link or name that leads nowhere', () => {
  test('is named as what is missing', async () => {
    write(root, 'data/a', 'one')
    symlinkSync('gone', join(root, 'data/b'))
    const found = await findSource(sourceOf('data'), root, new StatCache(join(root, '.sluice')))
    expect(found).toEqual({ missing: 'data/b' })
  })

  test('a name that is no UTF-8, too', async () => {
    mkdirSync(join(root, 'data'))
    writeFileSync(Buffer.concat([Buffer.from(join(root, 'data/')), Buffer.from([0xff])]), 'x')
    const found = await findSource(sourceOf('data'), root, new StatCache(join(root, '.sluice')))
    expect(found).toEqual({ missing: 'data/\ufffd' })
  })
})

describe('hashing', () => {
  test('many files in threads gives what one file at a time gives', async () => {
    const paths = Array.from({ length: 1500 }, (_, i) => `many/${String(i)}`)
    for (const path of paths) write(root, path, path)
    const digests = new Map<string, string>()
    await hashFiles(
      paths.map((path) => ({ path: join(root, path), size: path.length })),
      (index, { digest }) => digests.set(paths[index] ?? '', Buffer.from(digest).toString('hex')),
    )
    expect(digests.size).toBe(1500)
    for (const path of paths) expect(`sha256:${digests.get(path) ?? ''}`).toBe(digestOf(path))
  })

  test('a large file in a thread', async () => {
    const bytes = Buffer.alloc((16 << 20) + 17, 'sluice')
    writeFileSync(join(root, 'big'), bytes)
    expect((await find('big')).digest).toBe(
      treeOf([{ path: 'big', size: bytes.length, digest: digestOf(bytes) }]).digest,
    )
    expect(hashFile(join(root, 'big'))).toBe(digestOf(bytes))
  })

  test.each([1, 600])('a file that cannot be read fails with its path, %i files', async (count) => {
    const files = Array.from({ length: count }, () => ({ path: join(root, 'gone'), size: 1 }))
    await expect(hashFiles(files, () => undefined)).rejects.toMatchObject({
      code: 'ENOENT',
      path: join(root, 'gone'),
    })
  })
})
