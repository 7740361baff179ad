/** Swept stages, choices, conditions, watches, retries and claims, with a puppet for a worker. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Expression } from '../../dsl/expression/syntax.ts'
import type { Condition, Retry, Selection, Stage, Sweep } from '../../dsl/pipeline.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import { digestOf } from '../../engine/artifact.ts'
import { pauseMs } from '../../engine/run/tries.ts'
import { go, lines, newRoot, pipelineOf, span } from '../support/rig.ts'
import type { Toy } from '../support/rig.ts'

let root: string
let mark: string
beforeEach(() => {
  root = newRoot()
  mark = join(root, 'mark.txt')
})

const job = (name: string, told: JsonObject = {}, toy: Toy = {}): Toy => ({
  ...toy,
  with: { name, mark, files: { 'x.txt': name }, ...told },
})
const name = (text: string): Expression => {
  const path = text.split('.')
  return { type: 'name', path, parts: path.map(() => span), span }
}
const number = (value: number): Expression => ({ type: 'number', value, unit: null, dim: 'num', span })
const compare = (operator: '>' | '<', left: Expression, right: Expression): Expression => ({
  type: 'compare',
  operator,
  operatorSpan: span,
  left,
  right,
  span,
})

const trial = (r: number, sweep: Partial<Sweep>, told: JsonObject = {}, toy: Toy = {}): Toy =>
  job(`train ${String(r)}`, told, {
    ...toy,
    more: {
      base: 'train',
      point: { r },
      sweep: { stage: 'train', maxParallel: null, keepGoing: false, ...sweep },
    },
  })
const score = (r: number, value: number | null): Toy => {
  const metrics = { loss: { value, unit: 'num', direction: 'lower', signature: 's', n: 3 } }
  const file = JSON.stringify({ ruler: 'r', split: 'validation', rows: 3, metrics })
  return job(
    `score ${String(r)}`,
    { files: { 'metrics.json': file } },
    { uses: 'measure', inputs: { a: `train[r=${String(r)}].out` }, more: { base: 'score', point: { r } } },
  )
}
const pick = (rs: readonly number[], selection: Partial<Selection> = {}): Toy => ({
  uses: 'choice',
  with: {},
  inputs: Object.fromEntries(
    rs.flatMap((r) => [
      [`metrics[r=${String(r)}]`, `score[r=${String(r)}].scores`],
      [`adapter[r=${String(r)}]`, `train[r=${String(r)}].out`],
    ]),
  ),
  more: {
    selection: {
      by: { metric: 'loss', wants: 'lowest' },
      where: null,
      tie: null,
      atLeast: rs.length,
      of: rs.length,
      ...selection,
    },
  },
})

describe('a choice', () => {
  const sweep = (values: Readonly<Record<number, number | null>>, selection: Partial<Selection> = {}) => {
    const rs = Object.keys(values).map(Number)
    return pipelineOf({
      ...Object.fromEntries(rs.map((r) => [`train[r=${String(r)}]`, trial(r, {})])),
      ...Object.fromEntries(rs.map((r) => [`score[r=${String(r)}]`, score(r, values[r] ?? null)])),
      pick: pick(rs, selection),
      after: job('after', {}, { inputs: { a: 'pick.adapter' } }),
    })
  }

  test('hands on what the best trial made, and the next run finds it all cached', async () => {
    const first = await go(root, sweep({ 4: 3, 8: 2, 16: 5 }))
    expect(first.exitCode).toBe(0)
    expect(first.digests['pick.adapter']).toBe(first.digests['train[r=8].out'])
    expect(first.events).toContainEqual(expect.objectContaining({ type: 'stage.chosen', chosen: 'r=8' }))
    const shown = join(root, '.sluice/out/toy/pick/adapter/x.txt')
    expect(readFileSync(shown, 'utf8')).toBe('train 8')
    const second = await go(root, sweep({ 4: 3, 8: 2, 16: 5 }))
    expect(second.status).toMatchObject({ 'train[r=4]': 'cached', after: 'cached', pick: 'chosen' })
  })

  test('a tie is broken as the file says', async () => {
    const tie = { axis: 'r', wants: 'largest' } as const
    const ran = await go(root, sweep({ 4: 2, 8: 2, 16: 5 }, { tie }))
    expect(ran.digests['pick.adapter']).toBe(ran.digests['train[r=8].out'])
  })

  test('only trials that fulfil the condition and were measured are considered', async () => {
    const where = { text: 'loss > 2.5', expression: compare('>', name('loss'), number(2.5)) }
    const ran = await go(root, sweep({ 4: 3, 8: 2, 16: null }, { where }))
    expect(ran.digests['pick.adapter']).toBe(ran.digests['train[r=4].out'])
    const strict = { text: 'loss > 9', expression: compare('>', name('loss'), number(9)) }
    const none = await go(root, sweep({ 4: 3, 8: 2 }, { where: strict }))
    expect(none.exitCode).toBe(1)
    expect(none.state.stages.get('pick')?.failure?.message).toContain('no trial is left to choose')
    expect(none.status['after']).toBe('skipped')
  })

  test.each([
    ['enough trials came through', 2, 'chosen'],
    ['too few trials came through', 3, 'failed'],
  ])('%s', async (_, atLeast, status) => {
    const failing = { fail: { kind: 'bug', message: 'boom' } }
    const ran = await go(
      root,
      pipelineOf({
        'train[r=4]': trial(4, { keepGoing: true }),
        'train[r=8]': trial(8, { keepGoing: true }, failing),
        'train[r=16]': trial(16, { keepGoing: true }),
        'score[r=4]': score(4, 3),
        'score[r=8]': score(8, 1),
        'score[r=16]': score(16, 2),
        pick: pick([4, 8, 16], { atLeast, of: 3 }),
      }),
    )
    expect(ran.status).toMatchObject({ 'train[r=16]': 'done', 'score[r=8]': 'skipped', pick: status })
    if (status === 'chosen') expect(ran.digests['pick.adapter']).toBe(ran.digests['train[r=16].out'])
    else
      expect(ran.state.stages.get('pick')?.failure?.message).toBe('2 of 3 trials succeeded, at_least wants 3')
  })
})

describe('a matrix', () => {
  test('without keep_going starts no more trials after one failed', async () => {
    const failing = { fail: { kind: 'bug', message: 'boom' } }
    const ran = await go(
      root,
      pipelineOf({
        'train[r=4]': trial(4, { maxParallel: 1 }, failing),
        'train[r=8]': trial(8, { maxParallel: 1 }),
      }),
    )
    expect(ran.status).toEqual({ 'train[r=4]': 'failed', 'train[r=8]': 'skipped' })
    expect(ran.state.stages.get('train[r=8]')?.skippedBecause).toContain('does not keep going')
  })

  test('runs no more trials at once than max_parallel', async () => {
    const running = new Set<string>()
    let most = 0
    await go(
      root,
      pipelineOf(
        Object.fromEntries([1, 2, 3, 4].map((r) => [`train[r=${String(r)}]`, trial(r, { maxParallel: 2 })])),
      ),
      {
        onEvent: (event) => {
          if (event.type === 'stage.start') running.add(event.stage)
          if (event.type === 'stage.done') running.delete(event.stage)
          most = Math.max(most, running.size)
        },
      },
    )
    expect(most).toBe(2)
  })

  test('a target without its point means all its trials', async () => {
    const pipeline = pipelineOf({
      'train[r=4]': trial(4, {}),
      'train[r=8]': trial(8, {}),
      other: job('other'),
    })
    const ran = await go(root, pipeline, { targets: ['train'] })
    expect(ran.status).toEqual({ 'train[r=4]': 'done', 'train[r=8]': 'done' })
  })
})

describe('when', () => {
  const asks = (text: string, wanted: string, asked: readonly string[] = []): Condition => ({
    text,
    asks: asked,
    span,
    expression: {
      type: 'compare',
      operator: '==',
      operatorSpan: span,
      left: name(text),
      right: { type: 'string', value: wanted, span },
      span,
    },
  })

  test.each([
    ['main', 'done', null],
    ['topic', 'skipped', "when: run.branch (run.branch is 'topic')"],
    [null, 'skipped', 'when: run.branch is not known here'],
  ])('on branch %s the stage is %s', async (branch, status, because) => {
    const pipeline = pipelineOf({
      a: job('a', {}, { more: { when: asks('run.branch', 'main') } }),
      b: job('b', {}, { inputs: { a: 'a.out' } }),
    })
    const ran = await go(root, pipeline, { facts: { 'run.branch': branch } })
    expect(ran.exitCode).toBe(0)
    expect(ran.status).toEqual({ a: status, b: status })
    expect(ran.state.stages.get('a')?.skippedBecause ?? null).toBe(because)
  })

  test('a stage may run because another failed', async () => {
    const failed: Condition = { text: 'a.failed', asks: ['a'], span, expression: name('a.failed') }
    const pipeline = (told: JsonObject) =>
      pipelineOf({ a: job('a', told), tell: job('tell', {}, { after: ['a'], more: { when: failed } }) })
    const broken = await go(root, pipeline({ fail: { kind: 'bug', message: 'boom' } }))
    expect(broken.status).toEqual({ a: 'failed', tell: 'done' })
    const fine = await go(root, pipeline({}))
    expect(fine.status).toEqual({ a: 'done', tell: 'skipped' })
  })
})

describe('watch', () => {
  const watch = (expression: Expression): Stage['watch'] => [{ text: 'the check', expression, span }]
  const loss = name('train.loss')

  test('stops the stage at the first value that fulfils it, keeps nothing, and says which', async () => {
    const told = { losses: [3, 25, 2], hang: true }
    const ran = await go(
      root,
      pipelineOf({ a: job('a', told, { more: { watch: watch(compare('>', loss, number(20))) } }) }),
    )
    expect(ran.exitCode).toBe(1)
    expect(ran.state.stages.get('a')?.failure).toMatchObject({
      cause: 'watch',
      message: 'its watch stopped it at steps 2: the check (train.loss = 25)',
    })
    expect(ran.results.size).toBe(0)
  })

  test('a value that is no number is missing', async () => {
    const missing: Expression = { type: 'missing', value: loss, negated: false, span }
    const told = { losses: [3, null], hang: true }
    const ran = await go(root, pipelineOf({ a: job('a', told, { more: { watch: watch(missing) } }) }))
    expect(ran.state.stages.get('a')?.failure?.cause).toBe('watch')
  })

  test('values that do not fulfil it change nothing', async () => {
    const told = { losses: [3, 2] }
    const ran = await go(
      root,
      pipelineOf({ a: job('a', told, { more: { watch: watch(compare('>', loss, number(20))) } }) }),
    )
    expect(ran.exitCode).toBe(0)
  })
})

describe('retry', () => {
  const retry = (changes: Partial<Retry>): { more: Partial<Stage> } => ({
    more: { retry: { max: 2, on: ['worker-lost'], backoffMs: 0, ...changes } },
  })

  test('tries again as often as it says, and the last failure counts', async () => {
    const ran = await go(root, pipelineOf({ a: job('a', { kill: true }, retry({})) }))
    expect(ran.exitCode).toBe(6)
    expect(lines(mark)).toEqual(['a', 'a', 'a'])
    const types = ran.events.map(({ type }) => type).filter((type) => type.startsWith('stage.'))
    expect(types).toEqual([
      'stage.start',
      'stage.retry',
      'stage.start',
      'stage.retry',
      'stage.start',
      'stage.failed',
    ])
  })

  test('for memory that ran out, and not for a full disk', async () => {
    const told = (kind: string) => ({ fail: { kind, message: 'no' } })
    const oom = retry({ max: 1, on: ['oom'] })
    const ran = await go(
      root,
      pipelineOf({ a: job('a', told('memory'), oom), b: job('b', told('resources'), oom) }),
    )
    expect(ran.exitCode).toBe(6)
    expect([...lines(mark)].sort()).toEqual(['a', 'a', 'b'])
  })

  test('the pause doubles, and differs from key to key by up to a quarter', () => {
    const keys = Array.from({ length: 50 }, (_, i) => digestOf(String(i)))
    for (const attempts of [1, 2, 3]) {
      const pauses = keys.map((key) => pauseMs(1000, key, attempts) / (1000 * 2 ** (attempts - 1)))
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(1)
      expect(Math.max(...pauses)).toBeLessThanOrEqual(1.25)
      expect(new Set(pauses).size).toBeGreaterThan(40)
    }
    expect(pauseMs(1000, digestOf('x'), 2)).toBe(pauseMs(1000, digestOf('x'), 2))
    expect(pauseMs(0, digestOf('x'), 3)).toBe(0)
  })

  test('not for a cause that it does not name', async () => {
    const told = { fail: { kind: 'input', message: 'a bad row' } }
    const ran = await go(root, pipelineOf({ a: job('a', told, retry({})) }))
    expect(ran.exitCode).toBe(1)
    expect(lines(mark)).toEqual(['a'])
  })
})

describe('claims', () => {
  test('stages that claim more memory together than there is run one after the other', async () => {
    let running = 0
    let most = 0
    const claim = { more: { resources: { memoryBytes: 6 } } }
    const pipeline = pipelineOf({ a: job('a', {}, claim), b: job('b', {}, claim), c: job('c', {}, claim) })
    const ran = await go(root, pipeline, {
      capacity: { memory: 10 },
      onEvent: (event) => {
        if (event.type === 'stage.start') most = Math.max(most, ++running)
        if (event.type === 'stage.done') running--
      },
    })
    expect(ran.exitCode).toBe(0)
    expect(most).toBe(1)
  })
})
