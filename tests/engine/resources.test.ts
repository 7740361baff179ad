/** What stages hold of the machine while they run: GPUs by name, resources of the user's own, mutexes. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { visible } from '../../cli/gpus.ts'
import type { Resources, Stage } from '../../dsl/pipeline.ts'
import { claimsOf } from '../../engine/run/tries.ts'
import { go, lines, newRoot, pipelineOf, runs, span, stageOf, until } from '../support/rig.ts'
import type { Ran, Toy } from '../support/rig.ts'

/** The most stages that were between start and end at once. */
function mostAtOnce({ events }: Ran): number {
  let now = 0
  let most = 0
  for (const { type } of events) {
    if (type === 'stage.start') most = Math.max(most, ++now)
    if (type === 'stage.done' || type === 'stage.failed') now--
  }
  return most
}

/** Stages that want the same result would wait for each other. */
let others = 0
const another = () => ({ other: others++ })

describe('gpus', () => {
  const onGpu = (gpu: number, log: string, more: Toy = {}): Toy => ({
    with: { gpus: log, slow: 50, files: { x: '1' }, ...another() },
    ...more,
    more: { resources: { gpu }, cache: 'off' },
  })

  test('a stage sees those that it holds, others see others, and each has its warm worker', async () => {
    const root = newRoot()
    const log = join(root, 'seen')
    const names = ['a', 'b', 'c', 'd']
    const stages = Object.fromEntries(names.map((name) => [name, onGpu(1, log)]))
    const ran = await go(root, pipelineOf(stages), { capacity: { gpu: 2 }, gpus: ['3', 'GPU-x'] })
    expect(ran.exitCode).toBe(0)
    const seen = lines(log)
    expect(seen.length).toBe(4)
    expect([...new Set(seen)].map((line) => line.split(' ')[0]).sort(), 'a process for each').toEqual([
      '3',
      'GPU-x',
    ])
    expect(mostAtOnce(ran)).toBe(2)
    const held = [...ran.results.values()].map(({ provenance }) => provenance['gpus'])
    expect(held).toEqual(expect.arrayContaining([['3'], ['GPU-x']]))
  })

  test('both together: the idle worker of one of them is ended first', async () => {
    const root = newRoot()
    const [first, second] = [join(root, 'first'), join(root, 'second')]
    const pipeline = pipelineOf({
      one: onGpu(1, first),
      both: onGpu(2, second, { after: ['one'], with: { gpus: second, hang: true, files: { x: '1' } } }),
    })
    const stop = new AbortController()
    const ran = go(root, pipeline, {
      capacity: { gpu: 2 },
      gpus: ['0', '1'],
      signal: stop.signal,
    })
    await until(() => lines(second).length > 0, 'the second stage began')
    const alive = runs(Number(lines(first)[0]?.split(' ')[1]))
    stop.abort()
    await ran
    expect(lines(second)[0]).toMatch(/^0,1 /)
    expect(alive).toBe(false)
  })

  test('a stage that claims none sees what we see', async () => {
    const root = newRoot()
    const log = join(root, 'seen')
    await go(root, pipelineOf({ a: onGpu(0, log) }))
    expect(lines(log)[0]?.split(' ')[0]).toBe(process.env['CUDA_VISIBLE_DEVICES'] ?? 'all')
  })

  const card = (name: string, memoryBytes: number) => ({ name, uuid: `GPU-${name}f`, memoryBytes })
  const cards = [card('0', 10), card('1', 20), card('2', 30)]
  test.each([
    [undefined, ['0', '1', '2']],
    ['2,0', ['2', '0']],
    [' 1 ', ['1']],
    ['GPU-1', ['GPU-1']],
    ['', []],
    ['-1', []],
    ['0,9,1', ['0']],
    ['1,1', ['1']],
    ['MIG-7', ['MIG-7']],
  ])('CUDA_VISIBLE_DEVICES=%s leaves %j', (variable, left) => {
    expect(visible(cards, variable).map(({ name }) => name)).toEqual(left)
    expect(visible([], variable)).toEqual([])
  })
})

describe("the user's own", () => {
  const busy = (more: Partial<Stage>): Toy => ({
    with: { slow: 30, files: { x: '1' }, ...another() },
    more: { cache: 'off', ...more },
  })
  const licences = (amount: number): Partial<Stage> => ({
    resources: { named: { licence: { amount, span } } },
  })

  test('are held while a stage runs', async () => {
    const stages = { a: busy(licences(1)), b: busy(licences(1)), c: busy(licences(2)), d: busy(licences(1)) }
    const ran = await go(newRoot(), pipelineOf(stages), { capacity: { 'resources.licence': 2 } })
    expect(ran.exitCode).toBe(0)
    expect(mostAtOnce(ran)).toBe(2)
  })

  test('stages with a mutex in common never run at once, others do', async () => {
    const mutex = (...names: readonly string[]) => busy({ mutex: names })
    const shared = { a: mutex('db'), b: mutex('db', 'port'), c: mutex('db') }
    expect(mostAtOnce(await go(newRoot(), pipelineOf(shared)))).toBe(1)
    const apart = { a: mutex('db'), b: mutex('port') }
    expect(mostAtOnce(await go(newRoot(), pipelineOf(apart)))).toBe(2)
  })

  test('are taken in one order by all, the GPU last', () => {
    const resources: Resources = {
      gpu: 1,
      cpu: 2,
      memoryBytes: 3,
      named: { z: { amount: 1, span }, a: { amount: 2, span } },
    }
    const stage = stageOf('s', { more: { resources, mutex: ['b', 'gpu'] } })
    expect(claimsOf(stage)).toEqual([
      ['mutex.b', 1],
      ['mutex.gpu', 1],
      ['resources.a', 2],
      ['resources.z', 1],
      ['cpu', 2],
      ['memory', 3],
      ['gpu', 1],
    ])
  })
})
