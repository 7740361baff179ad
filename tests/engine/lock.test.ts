/** The lock among people: what makes it stale, and how two versions of it become one. */
import { describe, expect, test } from 'vitest'
import { openStores } from '../../engine/environment.ts'
import { readLock } from '../../engine/lock-file.ts'
import type { Lock } from '../../engine/lock-file.ts'
import { conflictSides, unmixed } from '../../engine/lock/conflict.ts'
import { mergeLocks } from '../../engine/lock/merge.ts'
import { resolveLock } from '../../engine/lock/resolve.ts'
import { hasPassed, settleGates } from '../../engine/lock/settle.ts'
import { staleness } from '../../engine/lock/stale.ts'
import type { Compared } from '../../engine/lock/stale.ts'
import { findSource } from '../../engine/plan/sources.ts'
import { join } from 'node:path'
import { rmSync } from 'node:fs'
import { environmentAt, go, newRoot, pipelineOf, write } from '../support/rig.ts'
import type { Toy } from '../support/rig.ts'

const text = (words: string): Toy => ({ with: { files: { 'x.txt': words } } })
const after = (stage: string, words: string): Toy => ({ ...text(words), inputs: { a: stage } })
const measured: Toy = {
  uses: 'measure',
  with: {
    files: {
      'metrics.json': JSON.stringify({
        ruler: 'r',
        split: 'test',
        rows: 4,
        metrics: { bleu: { value: 0.5, unit: '', direction: 'higher', signature: '', n: 4 } },
      }),
    },
  },
}

/** Runs a pipeline of toys, so that the lock and the cache know it. */
async function locked(root: string, stages: Readonly<Record<string, Toy>>): Promise<Lock> {
  const path = join(root, 'toy.pipeline.lock')
  rmSync(path, { force: true })
  const { exitCode } = await go(root, pipelineOf(stages))
  const lock = readLock(path)
  if (exitCode !== 0 || lock === null) throw new Error(`the toys do not run: ${String(exitCode)}`)
  return lock
}

function now(root: string, stages: Readonly<Record<string, Toy>>): Compared {
  return { pipeline: pipelineOf(stages), environment: environmentAt(root), sources: {} }
}

describe('staleness', () => {
  const root = newRoot()
  const file = { clean: text('a'), train: after('clean', 'b'), eval: { ...measured, inputs: { a: 'train' } } }

  test('nothing is stale after a run, whatever this machine has cached', async () => {
    const lock = await locked(root, file)
    expect(staleness(now(root, file), lock)).toEqual([])
    expect(staleness(now(newRoot(), file), lock)).toEqual([])
  })

  test('a changed option is named once, with both values, not again by what follows', async () => {
    const lock = await locked(root, file)
    const stale = staleness(now(root, { ...file, clean: text('c') }), lock)
    expect(stale).toMatchObject([{ stage: 'clean', type: 'changed' }])
    expect(stale[0]).toMatchObject({
      reasons: [{ ingredient: 'with.files', before: '{"x.txt":"a"}', after: '{"x.txt":"c"}' }],
    })
  })

  test('other wiring, new stages and stages that are gone', async () => {
    const lock = await locked(root, { ...file, more: after('train', 'm'), old: text('o') })
    const { old: _gone, ...rest } = { ...file, more: after('clean', 'm'), old: text('o') }
    expect(staleness(now(root, { ...rest, fresh: after('more', 'f') }), lock)).toEqual([
      { stage: 'more', type: 'wiring', port: 'a', before: 'train.out', after: 'clean.out' },
      { stage: 'fresh', type: 'not-locked' },
      { stage: 'old', type: 'not-in-file' },
    ])
  })

  test('a stage whose input is not in the lock cannot be compared, which is said', async () => {
    const lock = await locked(root, file)
    const { clean: _dropped, ...stages } = lock['stages'] ?? {}
    expect(staleness(now(root, file), { ...lock, stages })).toEqual([
      { stage: 'clean', type: 'not-locked' },
      { stage: 'train', type: 'no-input', port: 'a', from: 'clean.out' },
    ])
  })

  test('the content of a source counts', async () => {
    const project = newRoot()
    const pipeline = pipelineOf({ clean: { ...text('a'), inputs: { a: '@data' } } }, { data: 'd.txt' })
    write(project, 'd.txt', 'one')
    await go(project, pipeline)
    const lock = readLock(join(project, 'toy.pipeline.lock'))
    write(project, 'd.txt', 'two')
    const source = pipeline.sources['data']
    if (source === undefined || lock === null) throw new Error('bug')
    const found = await findSource(source, project, openStores(join(project, '.sluice')).stats)
    if ('missing' in found) throw new Error('bug')
    const environment = environmentAt(project)
    expect(staleness({ pipeline, environment, sources: { data: found } }, lock)).toMatchObject([
      { stage: 'clean', type: 'changed', reasons: [{ ingredient: 'input.a' }] },
    ])
  })
})

describe('a gate keeps the run that reached its verdict', () => {
  const lock = (verdict: string, bleu: number): Lock => ({
    gates: { gate: { verdict } },
    scores: { eval: { bleu } },
  })
  const first = settleGates(lock('pass', 0.5), null, { run: 'one', at: '2026-01-01' })

  test('while verdict and scores stay the same', () => {
    expect(first['gates']).toEqual({ gate: { verdict: 'pass', run: 'one', at: '2026-01-01' } })
    expect(settleGates(lock('pass', 0.5), first, { run: 'two', at: '2026-01-02' })).toEqual(first)
  })

  test.each([
    ['another score', lock('pass', 0.6)],
    ['another verdict', lock('fail', 0.5)],
  ])('not with %s', (_, next) => {
    const gate = settleGates(next, first, { run: 'two', at: '2026-01-02' })['gates']?.['gate']
    expect(gate).toMatchObject({ run: 'two', at: '2026-01-02' })
  })

  test('no verdict is no pass', () => {
    expect(hasPassed(first)).toBe(true)
    expect(hasPassed({ ...first, gates: {} })).toBe(false)
    expect(hasPassed({})).toBe(false)
    expect(hasPassed({ gates: { a: { verdict: 'pass' }, b: { verdict: 'undecided' } } })).toBe(false)
  })
})

describe('conflict markers', () => {
  test('give both sides, with and without the common ancestor', () => {
    const merged = 'a\n<<<<<<< HEAD\nb\n||||||| base\nx\n=======\nc\n>>>>>>> theirs\nd\n'
    expect(conflictSides(merged)).toEqual({ ours: 'a\nb\nd\n', theirs: 'a\nc\nd\n' })
    expect(conflictSides(merged.replace(/\|{7}[^=]*/, ''))).toEqual({
      ours: 'a\nb\nd\n',
      theirs: 'a\nc\nd\n',
    })
  })

  test.each(['no conflict\n', '<<<<<<< HEAD\nb\n', '=======\n', '>>>>>>> x\n', '<<<<<<< a\n<<<<<<< b\n'])(
    'are not guessed: %j',
    (broken) => expect(conflictSides(broken)).toBeNull(),
  )

  test('a stage on whose key the sides disagree is not trusted: git mixes lines', () => {
    const side = (key: string): Lock => ({ stages: { train: { key }, clean: { key: 'same' } } })
    expect(unmixed([side('1'), side('2')])).toEqual([
      { stages: { clean: { key: 'same' } } },
      { stages: { clean: { key: 'same' } } },
    ])
  })
})

describe('resolveLock', () => {
  const root = newRoot()
  const stores = openStores(environmentAt(root).stateDir)
  const base = { clean: text('a'), train: after('clean', 'b'), eval: { ...measured, inputs: { a: 'train' } } }
  const ours = { ...base, train: after('clean', 'ours') }
  const theirs = { ...base, clean: text('theirs') }

  test('keeps the side that fits the merged file, whichever way round', async () => {
    const [mine, yours] = [await locked(root, ours), await locked(root, base)]
    const empty = openStores(join(newRoot(), '.sluice'))
    for (const sides of [
      [mine, yours],
      [yours, mine],
    ]) {
      const resolved = resolveLock(sides, now(root, ours), empty)
      expect(resolved).toMatchObject({ kept: ['clean', 'train', 'eval'], refilled: [], dropped: [] })
      expect(resolved.lock['stages']).toEqual(mine['stages'])
      expect(resolved.lock['scores']).toEqual(mine['scores'])
    }
  })

  test('what neither side made is taken from the cache, else left out with all that reads it', async () => {
    const both = { ...theirs, train: after('clean', 'ours') }
    const [mine, yours] = [await locked(root, ours), await locked(root, theirs)]
    const cold = resolveLock([mine, yours], now(root, both), openStores(join(newRoot(), '.sluice')))
    expect(cold).toMatchObject({ kept: ['clean'], refilled: [], dropped: ['train', 'eval'] })
    expect(cold.lock['scores']).toEqual({})
    expect(cold.lock['wiring']).toMatchObject({ train: { a: 'clean.out' } })
    const merged = await locked(root, both)
    const warm = resolveLock([mine, yours], now(root, both), stores)
    // The refilled train came out as ours did, so our eval fits again.
    expect(warm).toMatchObject({ kept: ['clean', 'eval'], refilled: ['train'], dropped: [] })
    expect(warm.lock['stages']).toEqual(merged['stages'])
    expect(warm.lock['scores']).toEqual(merged['scores'])
  })

  test('of two results of one recipe the same one wins in both directions', async () => {
    const mine = await locked(root, base)
    const other = { ...mine['stages']?.['train'], 'out.out': 'sha256:0000' }
    const yours: Lock = { ...mine, stages: { ...mine['stages'], train: other } }
    const results = [
      resolveLock([mine, yours], now(root, base), stores),
      resolveLock([yours, mine], now(root, base), stores),
    ]
    expect(results[0]?.lock).toEqual(results[1]?.lock)
    expect(results[0]?.lock['stages']?.['train']).toEqual(other)
  })

  test('a key that somebody wrote by hand over other facts is not believed', async () => {
    const mine = await locked(root, base)
    const forged = { ...mine['stages']?.['clean'], 'with.files': { 'x.txt': 'forged' } }
    const sides = [{ ...mine, stages: { ...mine['stages'], clean: forged } }]
    const resolved = resolveLock(sides, now(root, base), openStores(join(newRoot(), '.sluice')))
    expect(resolved).toMatchObject({ kept: [], dropped: ['clean', 'train', 'eval'] })
  })
})

describe('mergeLocks', () => {
  const base: Lock = {
    stages: { clean: { key: 'c0' }, train: { key: 't0' } },
    scores: { eval: { bleu: 0.5 } },
    gates: { gate: { verdict: 'pass', run: '0' } },
  }
  const change = (lock: Lock, stage: string, key: string): Lock => ({
    ...lock,
    stages: { ...lock['stages'], [stage]: { key } },
  })

  test('takes what one side changed', () => {
    const merged = mergeLocks(base, change(base, 'clean', 'c1'), change(base, 'train', 't1'))
    expect(merged.dropped).toEqual([])
    expect(merged.lock['stages']).toEqual({ clean: { key: 'c1' }, train: { key: 't1' } })
    expect(merged.lock['gates']).toEqual(base['gates'])
  })

  test('leaves out what both changed in their own way, with its scores and the verdict on them', () => {
    const ours = { ...change(base, 'eval', 'e1'), scores: { eval: { bleu: 0.6 } } }
    const theirs = { ...change(base, 'eval', 'e2'), scores: { eval: { bleu: 0.4 } } }
    const merged = mergeLocks(base, ours, theirs)
    expect(merged.dropped).toEqual(['eval'])
    expect(merged.lock['stages']).toEqual(base['stages'])
    expect(merged.lock['scores']).toEqual({})
    expect(merged.lock['gates']).toEqual({})
  })

  test('a verdict goes with the scores that it was spoken on', () => {
    const scores: Lock = { ...base, scores: { eval: { bleu: 0.9 } } }
    const verdict: Lock = { ...base, gates: { gate: { verdict: 'fail', run: '1' } } }
    // Their checks changed on the old scores, our scores changed under the old checks: nobody judged both.
    expect(mergeLocks(base, scores, verdict).lock['gates']).toEqual({})
    expect(mergeLocks(base, base, verdict).lock['gates']).toEqual(verdict['gates'])
  })

  test('an entry that one side deleted is gone, unless the other changed it', () => {
    const { train: _gone, ...stages } = base['stages'] ?? {}
    const deleted = { ...base, stages }
    expect(mergeLocks(base, deleted, base).lock['stages']).toEqual(stages)
    expect(mergeLocks(base, deleted, change(base, 'train', 't1'))).toMatchObject({ dropped: ['train'] })
  })
})
