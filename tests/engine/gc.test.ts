/** What the store frees and what it keeps; what it says of damage. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { digestOf } from '../../engine/artifact.ts'
import type { Digest } from '../../engine/artifact.ts'
import { openStores } from '../../engine/environment.ts'
import type { Stores } from '../../engine/environment.ts'
import { checkStore } from '../../engine/gc/check.ts'
import type { Damage } from '../../engine/gc/check.ts'
import { collect, findGarbage } from '../../engine/gc/collect.ts'
import type { Collecting, Garbage } from '../../engine/gc/collect.ts'
import { addLock, addRuns, loggedRuns, noRoots } from '../../engine/gc/roots.ts'
import type { Roots } from '../../engine/gc/roots.ts'
import { stateSizes } from '../../engine/gc/sizes.ts'
import { readLock } from '../../engine/lock-file.ts'
import { thisProcess } from '../../engine/run/owner.ts'
import { visit } from '../../engine/run/visit.ts'
import { underWaySince } from '../../engine/run/under-way.ts'
import { go, newRoot, pipelineOf, takeTree } from '../support/rig.ts'

let root = ''
let stateDir = ''
let stores: Stores
beforeEach(() => {
  root = newRoot()
  stateDir = join(root, '.sluice')
  stores = openStores(stateDir)
})

const DAY_MS = 24 * 3_600_000

/** Runs a pipeline of one stage that writes `text`; gives its key. */
async function make(text: string): Promise<Digest> {
  const ran = await go(
    root,
    pipelineOf({ one: { with: { files: { 'x.txt': text, 'same.txt': 'shared' } } } }),
  )
  return ran.results.get('one')?.key as Digest
}

function rootsOf(last: number, openSince = Date.now()): Roots {
  const roots = noRoots()
  const lock = readLock(join(root, 'toy.pipeline.lock'))
  if (lock !== null) addLock(roots, lock)
  addRuns(roots, loggedRuns(stateDir), last, openSince)
  return roots
}

const asking = (roots: Roots, more: Partial<Collecting> = {}): Collecting => ({
  ...{ stateDir, stores, roots, since: Date.now() + 1000, now: Date.now() },
  ...more,
})

function free(roots: Roots, more: Partial<Collecting> = {}): Garbage {
  const garbage = findGarbage(asking(roots, more))
  collect(garbage, asking(roots, more), () => roots)
  return garbage
}

const isHit = (key: Digest): boolean => stores.results.find(key).type === 'hit'

describe('gc', () => {
  test('frees what neither the lock nor the last runs name, and no byte that a kept result shares', async () => {
    const [old, middle, newest] = [await make('old'), await make('middle'), await make('newest')]
    // Shown outputs are links to the same bytes.
    rmSync(join(stateDir, 'out'), { recursive: true })
    const garbage = free(rootsOf(2))
    expect(garbage.records.map(({ key, kind }) => [key, kind])).toEqual([[old, 'toy']])
    // x.txt and the list; same.txt is of all three.
    expect(garbage.objects).toHaveLength(2)
    const logs = garbage.others.reduce((sum, { bytes }) => sum + bytes, 0)
    expect(garbage.freed - logs).toBe(garbage.objects.reduce((sum, { size }) => sum + size, 0))
    expect([old, middle, newest].map(isHit)).toEqual([false, true, true])
    expect(existsSync(stores.blobs.pathOf(digestOf('old')))).toBe(false)
    expect(free(rootsOf(2))).toMatchObject({ records: [], objects: [], freed: 0 })
  })

  test('keeps what the lock names when no run does', async () => {
    const old = await make('old')
    const locked = await make('locked')
    free(rootsOf(0))
    expect([old, locked].map(isHit)).toEqual([false, true])
  })

  test('keeps bytes that a lock names although their record is gone', async () => {
    const key = await make('kept')
    for (const { path } of stores.results.records()) rmSync(path)
    free(rootsOf(0))
    expect(isHit(key)).toBe(false)
    expect(readFileSync(stores.blobs.pathOf(digestOf('kept')), 'utf8')).toBe('kept')
  })

  test('looks without touching anything', async () => {
    const old = await make('old')
    await make('new')
    expect(findGarbage(asking(rootsOf(1))).records).toHaveLength(1)
    expect(isHit(old)).toBe(true)
  })

  test('counts no bytes as freed that are still shown', async () => {
    await make('shown')
    const { freed, objects, others } = findGarbage(asking(noRoots()))
    const logs = others.reduce((sum, { bytes }) => sum + bytes, 0)
    expect(freed - logs).toBeLessThan(objects.reduce((sum, { size }) => sum + size, 0))
  })

  test('keeps what is younger than asked, and bytes without a record that were just taken in', async () => {
    const old = await make('old')
    await make('new')
    const dir = join(root, 'made')
    mkdirSync(dir)
    writeFileSync(join(dir, 'x'), 'no record yet')
    await takeTree(stores.blobs, dir)
    const garbage = free(noRoots(), { since: Date.now() - DAY_MS })
    expect([garbage.records, garbage.objects]).toEqual([[], []])
    expect(isHit(old)).toBe(true)
  })

  test('bytes that are made again count as young: their record is about to be written', async () => {
    await make('old')
    const since = Date.now() + 20
    // Times of files come from a clock with coarser ticks.
    while (Date.now() <= since + 20) await new Promise((resolve) => setImmediate(resolve))
    const dir = join(root, 'made')
    mkdirSync(dir)
    writeFileSync(join(dir, 'x'), 'old')
    await takeTree(stores.blobs, dir)
    free(noRoots(), { since })
    expect(existsSync(stores.blobs.pathOf(digestOf('old')))).toBe(true)
    expect(existsSync(stores.blobs.pathOf(digestOf('shared')))).toBe(false)
  })

  test('a result that a run found while it was being collected comes back whole', async () => {
    const old = await make('old')
    await make('new')
    const collecting = asking(rootsOf(1))
    const garbage = findGarbage(collecting)
    collect(garbage, collecting, () => {
      expect(isHit(old)).toBe(false)
      const named = rootsOf(1)
      named.keys.add(old)
      return named
    })
    expect(isHit(old)).toBe(true)
    expect(readdirSync(join(stateDir, 'results')).filter((name) => name.endsWith('.going'))).toEqual([])
  })

  test('logs of attempts go with the runs that nobody keeps; the logs of the runs stay, and what a gate names', async () => {
    await make('first')
    await make('second')
    await make('third')
    const [newest = '', named = '', oldest = ''] = loggedRuns(stateDir).map(({ run }) => run)
    const roots = rootsOf(1)
    addLock(roots, { gates: { gate: { run: named } } })
    const logs = (run: string) => readdirSync(join(stateDir, 'runs', run)).sort()
    const garbage = free(roots)
    expect(logs(newest)).toEqual(['one', 'run.jsonl'])
    expect(logs(named)).toEqual(['one', 'run.jsonl'])
    expect(logs(oldest)).toEqual(['run.jsonl'])
    expect(garbage.others).toHaveLength(1)
    expect(loggedRuns(stateDir).map(({ run }) => run)).toEqual([newest, named, oldest])
  })

  test('the size of the state folder counts bytes with several names once', async () => {
    await make('shown')
    const sizes = stateSizes(stateDir)
    const objects = [...stores.blobs.objects()].reduce(
      (sum, object) => sum + (object.digest === null ? 0 : object.size),
      0,
    )
    expect(sizes.get('cas')).toBe(objects)
    // Only the marks of what is shown.
    expect(sizes.get('out')).toBe('sha256:'.length + 64)
    expect(sizes.get('runs')).toBeGreaterThan(0)
  })

  test('a run without an end keeps what it names as long as it may be under way', async () => {
    const old = await make('old')
    await make('new')
    const [, run = ''] = loggedRuns(stateDir).map(({ run }) => run)
    const log = join(stateDir, 'runs', run, 'run.jsonl')
    const lines = readFileSync(log, 'utf8').split('\n')
    writeFileSync(log, `${lines.filter((line) => !line.includes('run.done')).join('\n')}{"torn`)
    expect(rootsOf(0, Date.now() - DAY_MS).keys.has(old)).toBe(true)
    expect(rootsOf(0, Date.now() + 1000).keys.has(old)).toBe(false)
  })

  test('old notes and abandoned checkpoints go, young ones stay', async () => {
    const key = await make('x')
    const old = (Date.now() - 40 * DAY_MS) / 1000
    for (const path of [
      'compiled/old',
      'compiled/young',
      'checkpoints/dead/op/3',
      'checkpoints/alive/op/3',
    ]) {
      mkdirSync(join(stateDir, path, '..'), { recursive: true })
      writeFileSync(join(stateDir, path), 'note')
    }
    for (const path of ['compiled/old', 'checkpoints/dead', 'checkpoints/dead/op', 'checkpoints/dead/op/3'])
      utimesSync(join(stateDir, path), old, old)
    const roots = noRoots()
    roots.keys.add(key)
    for (const { run } of loggedRuns(stateDir)) roots.runs.add(run)
    expect(free(roots).others).toHaveLength(2)
    expect(readdirSync(join(stateDir, 'compiled'))).toEqual(['young'])
    expect(readdirSync(join(stateDir, 'checkpoints'))).toEqual(['alive'])
  })

  test('knows since when a run is under way', () => {
    expect(underWaySince(stateDir)).toBeNull()
    const [first, second] = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z']
    const owner = thisProcess('b', 'sluice run')
    const present = (run: string, text: string) => {
      mkdirSync(join(stateDir, 'present'), { recursive: true })
      writeFileSync(join(stateDir, 'present', `${run}.json`), text)
    }
    present('a', JSON.stringify({ ...owner, since: first, start: 'of another process' }))
    present('b', JSON.stringify({ ...owner, since: second }))
    present('c', '')
    expect(underWaySince(stateDir)).toBe(Date.parse(second))
  })
})

describe('verify', () => {
  const verify = (full: boolean): Promise<Damage> =>
    visit(stateDir, 'sluice cache verify', (rights) => checkStore(stores, rights, { full }))

  test('leaves a record to the run that is making it anew, and nothing of itself', async () => {
    const key = await make('lost')
    rmSync(stores.blobs.pathOf(digestOf('lost')))
    mkdirSync(join(stateDir, 'locks'), { recursive: true })
    const lock = join(stateDir, 'locks', `${key.slice(7)}.lock`)
    writeFileSync(lock, JSON.stringify(thisProcess('r', 'sluice run')))
    expect((await verify(false)).lost).toEqual([])
    rmSync(lock)
    expect((await verify(false)).lost).toMatchObject([{ key }])
    expect(readdirSync(join(stateDir, 'locks'))).toEqual([])
    expect(readdirSync(join(stateDir, 'runs')).filter((run) => run.startsWith('visitor'))).toEqual([])
  })

  test('finds nothing wrong with what is whole', async () => {
    await make('whole')
    for (const full of [false, true])
      expect(await verify(full)).toMatchObject({
        records: 1,
        objects: 3,
        damaged: [],
        lost: [],
      })
  })

  test('bytes of the right size are only found out by reading them; who used them runs again', async () => {
    const key = await make('right')
    const path = stores.blobs.pathOf(digestOf('right'))
    rmSync(path)
    writeFileSync(path, 'wrong')
    expect((await verify(false)).lost).toEqual([])
    const { damaged, lost } = await verify(true)
    expect(damaged).toEqual([digestOf('right')])
    expect(lost).toEqual([{ key, why: 'x.txt is gone from the store' }])
    expect(readdirSync(join(stateDir, 'cas/quarantine'))).toEqual([digestOf('right').slice(7)])
    expect(
      (await go(root, pipelineOf({ one: { with: { files: { 'x.txt': 'right', 'same.txt': 'shared' } } } })))
        .status,
    ).toEqual({ one: 'done' })
    expect((await verify(true)).damaged).toEqual([])
  })

  test('a record without its bytes and a record that cannot be read are put aside', async () => {
    const lost = await make('lost')
    const damaged = await make('damaged')
    rmSync(stores.blobs.pathOf(digestOf('lost')))
    writeFileSync(join(stateDir, 'results', `${damaged.slice(7)}.json`), '{')
    const found = await verify(false)
    expect(new Map(found.lost.map(({ key, why }) => [key, why]))).toEqual(
      new Map([
        [lost, 'x.txt is gone from the store'],
        [damaged, 'the record is damaged'],
      ]),
    )
    expect(readdirSync(join(stateDir, 'results/quarantine'))).toHaveLength(2)
  })
})
