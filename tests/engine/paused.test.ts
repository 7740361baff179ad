/** A stage that waits for people: what goes on without them, what does not, and how the run ends. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { Expression } from '../../dsl/expression/syntax.ts'
import type { Gate } from '../../dsl/pipeline.ts'
import type { Json } from '../../dsl/stage-signature.ts'
import type { Toy } from '../support/rig.ts'
import { go, lines, newRoot, pipelineOf, span } from '../support/rig.ts'

let root = ''
let mark = ''
beforeEach(() => {
  root = newRoot()
  mark = join(root, 'mark')
})

const job = (name: string, more: Record<string, Json> = {}, toy: Toy = {}): Toy => ({
  with: { mark, name, files: { 'x.txt': name }, ...more },
  ...toy,
})
const metrics = (ruler: string, values: Record<string, number | null>) => ({
  'metrics.json': JSON.stringify({
    ruler,
    split: 'test',
    rows: 4,
    metrics: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, { value, unit: '', direction: 'higher', n: 4 }]),
    ),
  }),
})
const above = (path: readonly string[], value: number): Expression => ({
  type: 'compare',
  operator: '>',
  operatorSpan: span,
  left: { type: 'name', path, parts: path.map(() => span), span },
  right: { type: 'number', value, unit: null, dim: 'num', span },
  span,
})
const check = (expression: Expression): Gate['checks'][number] => ({
  level: 'require',
  text: 'check',
  name: null,
  why: null,
  expression,
  span,
  budget: false,
})

/** `mean` is what people said; null while they have not. */
const asking = (bleu: number, mean: number | null) =>
  pipelineOf({
    eval: job('eval', { files: metrics('rows', { bleu }) }, { uses: 'measure' }),
    review: job(
      'review',
      { files: metrics('people', { mean }), summary: mean === null ? { waits: '2 of 3' } : {} },
      { uses: 'ask', inputs: { a: 'eval.scores' } },
    ),
    gate: {
      uses: 'gate',
      with: {},
      inputs: { metrics: 'eval.scores' },
      after: ['review'],
      gate: {
        judged: 'eval',
        baseline: null,
        metrics: {},
        facts: { data: [], train: [] },
        checks: [check(above(['bleu'], 0.3)), check(above(['review', 'mean'], 3))],
      },
    },
    reads: job('reads', {}, { inputs: { a: 'review.scores' } }),
    publish: job('publish', {}, { after: ['gate'] }),
    beside: job('beside'),
  })

test('the run pauses with exit code 5; what needs people waits, the rest is done', async () => {
  const ran = await go(root, asking(0.5, null))
  expect(ran.exitCode).toBe(5)
  expect(ran.status).toEqual({
    eval: 'done',
    review: 'paused',
    gate: 'skipped',
    reads: 'skipped',
    publish: 'skipped',
    beside: 'done',
  })
  expect(ran.state.stages.get('review')?.waitsFor).toBe('2 of 3')
  expect(ran.state.stages.get('gate')?.skippedBecause).toBe('review waits for people')
  expect(ran.verdicts.size).toBe(0)
  expect(existsSync(join(root, '.sluice/out/toy/review/scores/metrics.json'))).toBe(true)
  expect(existsSync(join(root, 'toy.pipeline.lock'))).toBe(false)
})

test('asking again costs nothing, and says the same', async () => {
  await go(root, asking(0.5, null))
  const before = lines(mark).length
  const again = await go(root, asking(0.5, null))
  expect(again.exitCode).toBe(5)
  expect(again.status['review']).toBe('paused')
  expect(lines(mark)).toHaveLength(before)
})

test('once people have done their part, the gate decides', async () => {
  await go(root, asking(0.5, null))
  const ran = await go(root, asking(0.5, 4.2))
  expect(ran.exitCode).toBe(0)
  expect(ran.status).toMatchObject({ eval: 'cached', review: 'done', gate: 'judged', publish: 'done' })
  expect(existsSync(join(root, 'toy.pipeline.lock'))).toBe(true)
  expect((await go(root, asking(0.5, 2.9))).exitCode).toBe(3)
})

test('a gate that fails whatever people say does not wait for them', async () => {
  const ran = await go(root, asking(0.1, null))
  expect(ran.exitCode).toBe(3)
  const [bleu, people] = ran.verdicts.get('gate')?.checks ?? []
  expect([bleu?.outcome, people?.outcome]).toEqual(['fail', 'unknown'])
  expect(people?.reason).toBe('review waits for people: 2 of 3')
  // The lock is the record of complete runs.
  expect(existsSync(join(root, 'toy.pipeline.lock'))).toBe(false)
})

test('a stage that failed wins over one that waits', async () => {
  const { stages, ...rest } = asking(0.5, null)
  const broken = stages.map((stage) =>
    stage.name === 'beside' ? { ...stage, with: { fail: { kind: 'input', message: 'no' } } } : stage,
  )
  const ran = await go(root, { ...rest, stages: broken })
  expect(ran.status['beside']).toBe('failed')
  expect(ran.exitCode).toBe(1)
})
