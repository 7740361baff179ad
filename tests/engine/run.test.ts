/** A whole run over toy stages: what runs, what is reused, what is judged, what is written. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Gate } from '../../dsl/pipeline.ts'
import type { Expression } from '../../dsl/expression/syntax.ts'
import type { Json } from '../../dsl/stage-signature.ts'
import { openStores } from '../../engine/environment.ts'
import { readLock } from '../../engine/lock-file.ts'
import { lockedOutput } from '../../engine/lock/facts.ts'
import { makePlan } from '../../engine/plan/plan.ts'
import { readLog, runIds } from '../../engine/run/log.ts'
import type { Ran, Toy } from '../support/rig.ts'
import { damage, environmentAt, go, lines, newRoot, pipelineOf, span, staged, write } from '../support/rig.ts'

let root = ''
let mark = ''
beforeEach(() => {
  root = newRoot()
  mark = join(root, 'mark')
})

/** A stage that leaves a trace when it really runs. */
const job = (name: string, more: Record<string, Json> = {}, toy: Toy = {}): Toy => ({
  with: { mark, name, files: { 'x.txt': name }, ...more },
  ...toy,
})
const out = (path: string) => readFileSync(join(root, '.sluice/out/toy', path), 'utf8')

describe('reuse', () => {
  test('inputs come from sources, stages and steps; the second run does nothing', async () => {
    write(root, 'data/rows.jsonl', 'rows')
    const pipeline = pipelineOf(
      {
        first: job('first', { files: { 'deep/x.txt': 'one' }, summary: { rows: 3 } }),
        copy: job('copy', { files: {}, copy: true }, { inputs: { a: '@data', b: 'first.out' } }),
        twice: job('twice', { files: { 'm.txt': 'mid' } }, { uses: 'twice', inputs: { a: 'copy.out' } }),
      },
      { data: 'data/*.jsonl' },
    )
    const first = await go(root, pipeline)
    expect(first.exitCode).toBe(0)
    expect(first.status).toEqual({ first: 'done', copy: 'done', twice: 'done' })
    expect(out('copy/out/all.txt')).toBe('a/rows.jsonl=rows\nb/deep/x.txt=one')
    expect(out('twice/out/all.txt')).toBe('middle/m.txt=mid')
    expect(first.results.get('first')?.summary).toEqual({ rows: 3 })
    expect(lines(mark)).toEqual(['first', 'copy', 'twice'])
    expect(staged(root)).toEqual([])

    const second = await go(root, pipeline)
    expect(second.exitCode).toBe(0)
    expect(second.status).toEqual({ first: 'cached', copy: 'cached', twice: 'cached' })
    expect(second.digests).toEqual(first.digests)
    expect(lines(mark)).toHaveLength(3)

    // Both logs can be read back and tell the same as the listener heard.
    const ids = runIds(join(root, '.sluice'))
    const logs = ids.map((id) => JSON.stringify(readLog(join(root, '.sluice/runs', id, 'run.jsonl'))))
    expect(logs.sort()).toEqual([JSON.stringify(first.events), JSON.stringify(second.events)].sort())
  })

  test('a changed source runs what reads it, and only that', async () => {
    write(root, 'data.jsonl', 'one')
    const pipeline = pipelineOf(
      { other: job('other'), read: job('read', { copy: true }, { inputs: { a: '@data' } }) },
      { data: 'data.jsonl' },
    )
    await go(root, pipeline)
    write(root, 'data.jsonl', 'two')
    expect((await go(root, pipeline)).status).toEqual({ other: 'cached', read: 'done' })
    expect(out('read/out/all.txt')).toBe('a/data.jsonl=two')
  })

  test('a source that is edited under a running stage fails it; nothing is kept under the key of the old content', async () => {
    write(root, 'data.jsonl', 'one')
    const pipeline = pipelineOf(
      { read: job('read', { slow: 100, copy: true }, { inputs: { a: '@data' } }) },
      { data: 'data.jsonl' },
    )
    const edit = (text: string) => ({
      onEvent: ({ type }: { readonly type: string }) => {
        if (type === 'stage.start') write(root, 'data.jsonl', text)
      },
    })
    const ran = await go(root, pipeline, edit('two'))
    expect(ran.exitCode).toBe(1)
    expect(ran.state.stages.get('read')?.failure).toMatchObject({
      cause: 'input',
      message: 'the source behind a changed while the stage was running',
    })
    write(root, 'data.jsonl', 'one')
    expect((await go(root, pipeline)).status).toEqual({ read: 'done' })
    expect(out('read/out/all.txt')).toBe('a/data.jsonl=one')
    // Written again with the same bytes it is the same source.
    const other = pipelineOf(
      { read: job('read', { slow: 100, copy: true, again: 1 }, { inputs: { a: '@data' } }) },
      { data: 'data.jsonl' },
    )
    expect((await go(root, other, edit('one'))).status).toEqual({ read: 'done' })
  })

  test('early cut-off: a change that makes the same bytes stops there', async () => {
    const pipeline = (salt: number, text = 'same') =>
      pipelineOf({
        up: job('up', { salt, files: { 'x.txt': text } }),
        middle: job('middle', { copy: true }, { inputs: { a: 'up.out' } }),
        end: job('end', { copy: true }, { inputs: { a: 'middle.out' } }),
      })
    await go(root, pipeline(1))
    expect((await go(root, pipeline(2))).status).toEqual({ up: 'done', middle: 'cached', end: 'cached' })
    expect((await go(root, pipeline(3, 'new'))).status).toEqual({ up: 'done', middle: 'done', end: 'done' })
    // Back to the first options: all known.
    expect((await go(root, pipeline(1))).status).toEqual({ up: 'cached', middle: 'cached', end: 'cached' })
    expect(out('end/out/all.txt')).toContain('same')
  })

  test('new code of an op runs its stages again; a renamed stage does not run', async () => {
    await go(root, pipelineOf({ one: job('x') }))
    expect((await go(root, pipelineOf({ renamed: job('x') }))).status).toEqual({ renamed: 'cached' })
    const environment = { ops: { 'text/act': 'a2', 'kernel/again': 'b1' } }
    expect((await go(root, pipelineOf({ one: job('x') }), { environment })).status).toEqual({ one: 'done' })
  })

  test('forced, cache: off and lost bytes run; bytes that are damaged heal', async () => {
    const pipeline = pipelineOf({ a: job('a'), b: job('b', {}, { inputs: { a: 'a.out' } }) })
    const first = await go(root, pipeline)
    expect((await go(root, pipeline, { forced: new Set(['a']) })).status).toEqual({ a: 'done', b: 'cached' })
    const off = pipelineOf({ a: job('a', {}, { cache: 'off' }), b: job('b', {}, { inputs: { a: 'a.out' } }) })
    expect((await go(root, off)).status).toEqual({ a: 'done', b: 'cached' })
    const { blobs } = openStores(join(root, '.sluice'))
    const tree = blobs.openTree(first.results.get('a')?.outputs['out']?.tree ?? ('' as never))
    if ('lost' in tree) throw new Error(tree.lost)
    const blob = blobs.pathOf(tree.files[0]?.digest ?? ('' as never))
    damage(blob, '')
    const healed = await go(root, pipeline)
    expect(healed.status).toEqual({ a: 'done', b: 'cached' })
    expect(healed.digests).toEqual(first.digests)
    expect(readFileSync(blob, 'utf8')).toBe('a')
    rmSync(join(root, '.sluice/cas'), { recursive: true })
    const again = await go(root, pipeline)
    expect(again.status).toEqual({ a: 'done', b: 'done' })
    expect(again.digests).toEqual(first.digests)
  })

  test('a damaged record is made again', async () => {
    const pipeline = pipelineOf({ a: job('a') })
    const key = (await go(root, pipeline)).results.get('a')?.key.slice(7) ?? ''
    writeFileSync(join(root, '.sluice/results', `${key}.json`), '{"form')
    expect((await go(root, pipeline)).status).toEqual({ a: 'done' })
    expect((await go(root, pipeline)).status).toEqual({ a: 'cached' })
  })

  test('targets bring up what they need and leave the rest and the lock alone', async () => {
    const pipeline = pipelineOf({ a: job('a'), b: job('b', {}, { inputs: { a: 'a.out' } }), c: job('c') })
    expect((await go(root, pipeline, { targets: ['b'] })).status).toEqual({ a: 'done', b: 'done' })
    expect(existsSync(join(root, 'toy.pipeline.lock'))).toBe(false)
  })

  test('independent stages share the slots, the longer path goes first', async () => {
    const pipeline = pipelineOf({
      short: job('short'),
      alone: job('alone'),
      long: job('long'),
      after: job('after', {}, { inputs: { a: 'long.out' } }),
    })
    const ran = await go(root, pipeline, { environment: { slots: { text: 1, kernel: 1 } } })
    expect(ran.exitCode).toBe(0)
    // `short` had the slot at once; of the two that waited, the longer path won.
    expect(lines(mark)).toEqual(['short', 'long', 'alone', 'after'])
  })
})

describe('plan', () => {
  const plan = (pipeline: ReturnType<typeof pipelineOf>) => {
    const environment = environmentAt(root)
    const { results } = openStores(environment.stateDir)
    return makePlan({
      pipeline,
      environment,
      sources: {},
      lock: readLock(join(root, 'toy.pipeline.lock')),
      forced: new Set(),
      find: (key) => results.find(key),
      shared: () => null,
      read: (key) => results.read(key),
      last: () => null,
      choose: () => null,
    }).map((entry) => [entry.stage.name, entry.type === 'run' ? entry.reasons : entry.type])
  }
  const pipeline = (lr: number) =>
    pipelineOf({ a: job('a', { lr }), b: job('b', {}, { inputs: { a: 'a.out' } }) })

  test('says why, before, after', async () => {
    expect(plan(pipeline(1))).toEqual([
      ['a', [{ type: 'never-run' }]],
      ['b', [{ type: 'upstream', port: 'a', stage: 'a' }]],
    ])
    await go(root, pipeline(1))
    expect(plan(pipeline(1))).toEqual([
      ['a', 'cached'],
      ['b', 'cached'],
    ])
    expect(plan(pipeline(2))).toEqual([
      ['a', [{ type: 'changed', ingredient: 'with.lr', before: '1', after: '2', span: null }]],
      ['b', [{ type: 'upstream', port: 'a', stage: 'a' }]],
    ])
    // The lock alone, on a machine that has no results, says it too.
    rmSync(join(root, '.sluice'), { recursive: true })
    expect(plan(pipeline(2))[0]).toEqual([
      'a',
      [{ type: 'changed', ingredient: 'with.lr', before: '1', after: '2', span: null }],
    ])
    expect(plan(pipeline(1))[0]?.[1]).toMatchObject([{ type: 'lost' }])
  })
})

describe('gates', () => {
  const name = (path: readonly string[]): Expression => ({
    type: 'name',
    path,
    parts: path.map(() => span),
    span,
  })
  const above = (value: number): Expression => ({
    type: 'compare',
    operator: '>',
    operatorSpan: span,
    left: name(['bleu']),
    span,
    right: { type: 'number', value, unit: null, dim: 'num', span },
  })
  const gateOf = (expression: Expression, baseline: string | null = null): Gate => ({
    judged: 'eval',
    baseline,
    metrics: {},
    facts: { data: [], train: [] },
    checks: [{ level: 'require', text: 'check', name: null, why: null, expression, span, budget: false }],
  })
  const metrics = (bleu: number | null, ruler = 'r') => ({
    'metrics.json': JSON.stringify({
      ruler,
      split: 'test',
      rows: 4,
      metrics: { bleu: { value: bleu, unit: '', direction: 'higher', signature: 's', n: 4 } },
    }),
  })
  const gated = (gate: Gate, bleu: number | null, base = 0.1) =>
    pipelineOf({
      eval: job('eval', { files: metrics(bleu) }, { uses: 'measure' }),
      'eval-base': job('base', { files: metrics(base) }, { uses: 'measure' }),
      gate: { uses: 'gate', with: {}, inputs: { metrics: 'eval.scores' }, gate },
      publish: job('publish', {}, { after: ['gate'] }),
      beside: job('beside'),
    })

  test('a passing gate lets on; scores and verdict go to the lock', async () => {
    const ran = await go(root, gated(gateOf(above(0.3)), 0.5))
    expect(ran.exitCode).toBe(0)
    expect(ran.status).toMatchObject({ gate: 'judged', publish: 'done' })
    expect(JSON.parse(out('gate/verdict.json'))).toMatchObject({ verdict: 'pass' })
    const lock = readLock(join(root, 'toy.pipeline.lock'))
    expect(lock?.['gates']?.['gate']).toMatchObject({ verdict: 'pass', run: ran.state.run })
    expect(lock?.['scores']?.['eval']).toEqual({ bleu: 0.5, rows: 4, ruler: 'r' })
    expect(lock?.['wiring']?.['gate']).toEqual({ metrics: 'eval.scores' })
    expect(Object.keys(lock?.['stages'] ?? {})).toEqual(['beside', 'eval', 'eval-base', 'publish'])
    expect(lock?.['stages']?.['eval']).toMatchObject({
      key: ran.results.get('eval')?.key,
      'out.scores': ran.digests['eval.scores'],
    })
  })

  test('a failing gate is exit 3 and stops what waits for it; the rest runs; it is judged every time', async () => {
    const locks: string[] = []
    for (const publish of ['first', 'second']) {
      const ran = await go(root, gated(gateOf(above(0.9)), 0.5))
      expect(ran.exitCode, publish).toBe(3)
      expect(ran.status).toMatchObject({ gate: 'judged', publish: 'skipped' })
      expect(ran.state.stages.get('publish')?.skippedBecause).toBe('the gate did not pass')
      locks.push(readFileSync(join(root, 'toy.pipeline.lock'), 'utf8'))
    }
    // The verdict is the same on the same scores: it keeps its run and day, and no byte of the lock changes.
    expect(locks[1]).toBe(locks[0])
    expect(locks[0]).toMatch(/gate:\n {4}at: "\d{4}-\d\d-\d\d"\n {4}run: "[\da-f-]+"\n {4}verdict: "fail"\n/)
    expect([...lines(mark)].sort()).toEqual(['base', 'beside', 'eval'])
  })

  test('an undecided gate is exit 4 and does not let on', async () => {
    const ran = await go(root, gated(gateOf(above(0.3)), null))
    expect(ran.exitCode).toBe(4)
    expect(ran.status['publish']).toBe('skipped')
    const main: Expression = {
      type: 'compare',
      operator: '>',
      operatorSpan: span,
      left: name(['bleu']),
      right: name(['main', 'bleu']),
      span,
    }
    const yardsticks = { main: { missing: 'no branch' } }
    expect((await go(root, gated(gateOf(main), 0.5), { yardsticks })).exitCode).toBe(4)
    const there = { main: { ruler: 'r', origin: 'main@1', values: { bleu: 0.4 } } }
    expect((await go(root, gated(gateOf(main), 0.5), { yardsticks: there })).exitCode).toBe(0)
    const otherRuler = { main: { ...there.main, ruler: 'q' } }
    expect((await go(root, gated(gateOf(main), 0.5), { yardsticks: otherRuler })).exitCode).toBe(4)
  })

  test('the baseline is another stage of this run', async () => {
    const better: Expression = {
      type: 'compare',
      operator: '>',
      operatorSpan: span,
      left: name(['bleu']),
      right: name(['baseline', 'bleu']),
      span,
    }
    expect((await go(root, gated(gateOf(better, 'eval-base'), 0.5, 0.4))).exitCode).toBe(0)
    expect((await go(root, gated(gateOf(better, 'eval-base'), 0.5, 0.6))).exitCode).toBe(3)
  })

  test('metrics that cannot be read fail the gate stage in words', async () => {
    const broken = pipelineOf({
      eval: job('eval', { files: { 'metrics.json': '{' } }, { uses: 'measure' }),
      gate: { uses: 'gate', with: {}, inputs: { metrics: 'eval.scores' }, gate: gateOf(above(0)) },
    })
    const ran = await go(root, broken)
    expect(ran.exitCode).toBe(1)
    expect(ran.status).toEqual({ eval: 'done', gate: 'failed' })
  })
})

describe('two runs at once', () => {
  test('the second waits, names the holder, and uses what the first made', async () => {
    const pipeline = pipelineOf({ a: job('a', { slow: 150 }), b: job('b', {}, { inputs: { a: 'a.out' } }) })
    const [first, second] = await Promise.all([go(root, pipeline), go(root, pipeline)])
    const [worked, waited] = first.status['a'] === 'done' ? [first, second] : [second, first]
    expect(worked.status).toEqual({ a: 'done', b: 'done' })
    expect(waited.status).toEqual({ a: 'cached', b: 'cached' })
    // For `b`, too, if it comes to it while the first is at work on it.
    expect(waited.events.find(({ type }) => type === 'stage.waiting')).toMatchObject({
      stage: 'a',
      holder: expect.stringContaining(`process ${String(process.pid)} on ${hostname()} since `) as string,
    })
    const { from } = waited.state.stages.get('a') ?? {}
    expect(from).toMatch(/^made by process .* \(sluice run\)$/)
    expect(waited.digests).toEqual(worked.digests)
    expect(lines(mark)).toEqual(['a', 'b'])
  })

  test('a stage that both have is made once, the rest at the same time', async () => {
    const shared = job('shared', { slow: 150 })
    const one = pipelineOf({ shared, one: job('one', {}, { inputs: { a: 'shared.out' } }) })
    const two = pipelineOf({ shared, two: job('two', { slow: 50 }) })
    const ran = await Promise.all([go(root, one), go(root, { ...two, name: 'other' }, { lockPath: null })])
    expect(ran.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    expect([...lines(mark)].sort()).toEqual(['one', 'shared', 'two'])
    expect(ran[0].digests['shared.out']).toBe(ran[1].digests['shared.out'])
  })

  test('two stages of one run that want the same are one job', async () => {
    const ran = await go(root, pipelineOf({ a: job('same', { slow: 50 }), b: job('same', { slow: 50 }) }))
    expect(lines(mark)).toEqual(['same'])
    expect(Object.values(ran.status).sort()).toEqual(['cached', 'done'])
    const holder = expect.stringMatching(/^[ab] of this run$/) as string
    expect(ran.events.find(({ type }) => type === 'stage.waiting')).toMatchObject({ holder })
  })

  test('the second makes what the first failed to make', async () => {
    const pipeline = pipelineOf({ a: job('a', { slow: 100 }, { timeoutMs: 20 }) })
    const patient = pipelineOf({ a: job('a', { slow: 100 }) })
    const [failed, made] = await Promise.all([go(root, pipeline), go(root, patient)])
    expect([failed.status['a'], made.status['a']]).toEqual(['failed', 'done'])
  })

  test('after both, out/ and the lock are of one run', async () => {
    const version = (text: string) =>
      pipelineOf({ a: job(text, { slow: 30 }), b: job(`${text} b`, { slow: 60 }), c: job(`${text} c`) })
    for (let round = 0; round < 3; round++) {
      const both = await Promise.all([
        go(root, version(`x${String(round)}`)),
        go(root, version(`y${String(round)}`)),
      ])
      const lock = readLock(join(root, 'toy.pipeline.lock'))
      const last = both.find(
        ({ digests }) => lockedOutput(lock?.['stages']?.['a'], 'out') === digests['a.out'],
      )
      for (const stage of ['a', 'b', 'c']) {
        expect(lockedOutput(lock?.['stages']?.[stage], 'out')).toBe(last?.digests[`${stage}.out`])
        expect(readFileSync(join(root, `.sluice/out/toy/${stage}/out.tree`), 'utf8')).toBe(
          last?.digests[`${stage}.out`],
        )
      }
    }
  })

  test('the one that began with older files and ends later leaves the lock and out/ to the newer one', async () => {
    write(root, 'data/rows.txt', 'old')
    const version = (b: Toy) =>
      pipelineOf({ a: job('a', { copy: true }, { inputs: { a: '@data' } }), b }, { data: 'data/rows.txt' })
    let newer: Promise<Ran> | null = null
    let newerEnded = false
    const older = await go(root, version(job('b', { slow: 3000 })), {
      onEvent: (event) => {
        if (event.type !== 'stage.done' || event.stage !== 'a') return
        write(root, 'data/rows.txt', 'new')
        newer = go(root, version(job('quick')))
        void newer.then(() => (newerEnded = true))
      },
    })
    expect(newerEnded, 'the newer one has ended first').toBe(true)
    const { digests } = await (newer as unknown as Promise<Ran>)
    expect(digests['a.out']).not.toBe(older.digests['a.out'])
    const lock = readLock(join(root, 'toy.pipeline.lock'))
    for (const stage of ['a', 'b']) {
      expect(lockedOutput(lock?.['stages']?.[stage], 'out')).toBe(digests[`${stage}.out`])
      expect(readFileSync(join(root, `.sluice/out/toy/${stage}/out.tree`), 'utf8')).toBe(
        digests[`${stage}.out`],
      )
    }
    expect(older.state.stages.get('b')?.notes.join()).toContain('left to it')
  })

  test('a newer one that found everything as the lock says has the last word, too', async () => {
    const version = (b: Toy) =>
      pipelineOf({ a: job('a', { copy: true }, { inputs: { a: '@data' } }), b }, { data: 'data/rows.txt' })
    write(root, 'data/rows.txt', 'new')
    await go(root, version(job('quick')))
    const lock = readFileSync(join(root, 'toy.pipeline.lock'), 'utf8')
    write(root, 'data/rows.txt', 'old')
    // Their ids have to tell which one began first.
    await sleep(1000)
    let newer: Promise<Ran> | null = null
    const older = await go(root, version(job('b', { slow: 4000 })), {
      onEvent: (event) => {
        if (event.type !== 'stage.done' || event.stage !== 'a') return
        write(root, 'data/rows.txt', 'new')
        newer = sleep(1100).then(() => go(root, version(job('quick'))))
        write(root, '.sluice/runs/99991231-235959-ffff/run.jsonl', 'damaged\n{}\n')
      },
    })
    const { status, digests } = await (newer as unknown as Promise<Ran>)
    expect(status).toEqual({ a: 'cached', b: 'cached' })
    expect(readFileSync(join(root, 'toy.pipeline.lock'), 'utf8')).toBe(lock)
    expect(readFileSync(join(root, '.sluice/out/toy/a/out.tree'), 'utf8')).toBe(digests['a.out'])
    expect(older.state.stages.get('b')?.notes.join()).toContain('left to it')
  })

  test('nothing is locked for what is up to date', async () => {
    const pipeline = pipelineOf({ a: job('a'), b: job('b', {}, { inputs: { a: 'a.out' } }) })
    await go(root, pipeline)
    rmSync(join(root, '.sluice/locks'), { recursive: true })
    expect((await go(root, pipeline)).status).toEqual({ a: 'cached', b: 'cached' })
    expect(existsSync(join(root, '.sluice/locks'))).toBe(false)
  })

  test('of two pipelines do not wait for each other', async () => {
    const one = pipelineOf({ a: job('a') })
    const two = { ...pipelineOf({ c: job('c') }), name: 'other' }
    const ran = await Promise.all([go(root, one), go(root, two, { lockPath: null })])
    expect(ran.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    expect(ran.flatMap(({ events }) => events).filter(({ type }) => type === 'run.waiting')).toEqual([])
  })
})

test.each<readonly [string, (path: string) => void]>([
  ['removed', (path) => rmSync(path)],
  [
    'replaced by another of its size',
    (path) => {
      const other = `${path}.other`
      writeFileSync(other, readFileSync(path, 'utf8').toUpperCase())
      renameSync(other, path)
    },
  ],
  [
    'replaced by a folder',
    (path) => {
      rmSync(path)
      mkdirSync(path)
    },
  ],
])('a shown file that was %s is there again after the next run, which makes nothing', async (_, harm) => {
  const pipeline = pipelineOf({ a: { with: { files: { 'deep/x.txt': 'one' } } } })
  await go(root, pipeline)
  const path = join(root, '.sluice/out/toy/a/out/deep/x.txt')
  const untouched = statSync(path).ino
  expect((await go(root, pipeline)).status).toEqual({ a: 'cached' })
  expect(statSync(path).ino).toBe(untouched)
  // As if it had been shown a while ago.
  utimesSync(join(root, '.sluice/out/toy/a/out.tree'), 1, 1)
  harm(path)
  expect((await go(root, pipeline)).status).toEqual({ a: 'cached' })
  expect(readFileSync(path, 'utf8')).toBe('one')
})

test('what is shown is read-only', async () => {
  await go(root, pipelineOf({ a: job('a') }))
  const shown = statSync(join(root, '.sluice/out/toy/a/out/x.txt'))
  expect(shown.mode & 0o222).toBe(0)
})
