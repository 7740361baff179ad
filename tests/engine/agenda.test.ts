/** The loop at scale: only stages for which something changed are looked at again. */
import { describe, expect, test } from 'vitest'
import type { Stage } from '../../dsl/pipeline.ts'
import { Agenda } from '../../engine/run/agenda.ts'
import { Mailbox } from '../../engine/run/mailbox.ts'
import { go, newRoot, pipelineOf, stageOf } from '../support/rig.ts'
import type { Toy } from '../support/rig.ts'

/** Names of the stages that are worth a look now. */
function looks(agenda: Agenda): string {
  const names: string[] = []
  for (let stage = agenda.next(); stage !== null; stage = agenda.next()) names.push(stage.name)
  return names.join(' ')
}

describe('the agenda', () => {
  test('names each stage once, then those behind one that ended', () => {
    const { stages } = pipelineOf({
      a: {},
      b: { inputs: { a: 'a' } },
      c: { after: ['a'] },
      d: { inputs: { a: 'b' } },
    })
    const agenda = new Agenda(stages)
    expect(looks(agenda)).toBe('a b c d')
    expect(looks(agenda)).toBe('')
    agenda.take(stageOf('a', {}))
    agenda.ended(stageOf('a', {}), false)
    expect(looks(agenda)).toBe('b c')
    agenda.markAll()
    expect(looks(agenda)).toBe('b c d')
    expect(agenda.waiting.map(({ name }) => name)).toEqual(['b', 'c', 'd'])
  })

  test.each([
    [{ maxParallel: null, keepGoing: false }, true, 't2 t3'],
    [{ maxParallel: null, keepGoing: false }, false, ''],
    [{ maxParallel: null, keepGoing: true }, true, ''],
  ])('of a matrix with %j, the end of one (failed: %j) makes worth a look: %s', (limits, failed, others) => {
    const point: Toy = { more: { sweep: { stage: 't', ...limits } } }
    const { stages } = pipelineOf({ t1: point, t2: point, t3: point, z: {} })
    const agenda = new Agenda(stages)
    looks(agenda)
    agenda.take(stageOf('t1', point))
    agenda.ended(stageOf('t1', point), failed)
    expect(looks(agenda)).toBe(others)
  })

  test('of those that wait for their turn, one is looked at for each that ends, first come first', () => {
    const point: Toy = { more: { sweep: { stage: 't', maxParallel: 1, keepGoing: true } } }
    const { stages } = pipelineOf({ t1: point, t2: point, t3: point, t4: point })
    const [one, two, three, four] = ['t1', 't2', 't3', 't4'].map((name) => stageOf(name, point))
    const agenda = new Agenda(stages)
    looks(agenda)
    agenda.take(one as Stage)
    // t2 waits for what it needs, which is another matter.
    agenda.queue(four as Stage)
    agenda.queue(three as Stage)
    agenda.ended(one as Stage, false)
    expect(looks(agenda)).toBe('t4')
    // Not taken: it stays the first.
    agenda.ended(two as Stage, false)
    expect(looks(agenda)).toBe('t4')
    agenda.take(four as Stage)
    agenda.ended(four as Stage, false)
    expect(looks(agenda)).toBe('t3')
  })
})

test('a mailbox gives what came, in order, and waits for what will', async () => {
  const box = new Mailbox<number>()
  box.put(1)
  box.put(2)
  expect([await box.next(), await box.next()]).toEqual([1, 2])
  const third = box.next()
  box.put(3)
  expect(await third).toBe(3)
})

test('a thousand instances learn that what they need has failed', async () => {
  const stages: Record<string, Toy> = { bad: { with: { fail: { kind: 'input', message: 'no' } } } }
  for (let i = 0; i < 1000; i++)
    stages[`t[i=${String(i)}]`] = {
      inputs: { a: 'bad' },
      more: { base: 't', point: { i }, sweep: { stage: 't', maxParallel: 4, keepGoing: true } },
    }
  stages['z'] = { inputs: { a: 't[i=999]' } }
  const { status, exitCode } = await go(newRoot(), pipelineOf(stages))
  expect(exitCode).toBe(1)
  expect(Object.values(status).filter((each) => each === 'skipped').length).toBe(1001)
})
