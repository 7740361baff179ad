/** Which stages take part in a run, and what one that fails means for the others. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { downstreamOf, scopeOf, wantedStages } from '../../engine/run/scope.ts'
import type { Wish } from '../../engine/run/scope.ts'
import { go, lines, newRoot, pipelineOf, runs, until } from '../support/rig.ts'
import type { Toy } from '../support/rig.ts'

/** a -> b -> c -> d, and side -> d. */
const line = pipelineOf({
  a: {},
  side: {},
  b: { inputs: { a: 'a' } },
  c: { inputs: { a: 'b' } },
  d: { inputs: { a: 'c', b: 'side' } },
})

describe('scope', () => {
  const nothing: Wish = { targets: [], from: [], only: false }
  const cases: readonly (readonly [string, Partial<Wish>, string, string | null])[] = [
    ['nothing named: all', {}, 'a side b c d', null],
    ['a target: with all it needs', { targets: ['c'] }, 'a b c', null],
    ['--only: what it needs takes part, but may not run', { targets: ['c'], only: true }, 'a b c', 'c'],
    ['--from: what follows may run', { from: ['b'] }, 'a side b c d', 'b c d'],
    ['--from and a target: what lies between', { from: ['b'], targets: ['c'] }, 'a b c', 'b c'],
    ['nothing between', { from: ['c'], targets: ['a'] }, '', ''],
  ]
  test.each(cases)('%s', (_, wish, takesPart, mayRun) => {
    const scope = scopeOf(line, { ...nothing, ...wish })
    expect(
      wantedStages(line, scope.targets)
        .map(({ name }) => name)
        .join(' '),
    ).toBe(takesPart)
    expect(scope.mayRun === null ? null : [...scope.mayRun].join(' ')).toBe(mayRun)
  })

  test('a name without a point means all instances', () => {
    const at = (r: number): Toy => ({ more: { base: 't', point: { r } } })
    const sweep = pipelineOf({ a: {}, 't[r=1]': at(1), 't[r=2]': at(2), z: { inputs: { a: 't[r=2]' } } })
    expect([...downstreamOf(sweep, ['t'])]).toEqual(['t[r=1]', 't[r=2]', 'z'])
    expect([...(scopeOf(sweep, { ...nothing, from: ['t[r=2]'] }).mayRun ?? [])]).toEqual(['t[r=2]', 'z'])
  })
})

describe('a failed stage', () => {
  const fails = { with: { fail: { kind: 'input', message: 'no good' } } }

  test('stops what needs it, and nothing else', async () => {
    const pipeline = pipelineOf({ bad: fails, after: { inputs: { a: 'bad' } }, other: {} })
    const { status, exitCode } = await go(newRoot(), pipeline)
    expect(status).toEqual({ bad: 'failed', after: 'skipped', other: 'done' })
    expect(exitCode).toBe(1)
  })

  test('with `stop` ends what runs, starts nothing more, and keeps its own exit code', async () => {
    const root = newRoot()
    const pids = join(root, 'pids')
    const pipeline = pipelineOf({
      long: { with: { hang: true, pids, files: { x: '1' } } },
      bad: { with: { slow: 300, files: { x: '1' }, exit: 3 } },
      waits: { after: ['long'] },
    })
    const { status, exitCode, state } = await go(root, pipeline, { onFailure: 'stop' })
    expect(status).toEqual({ long: 'failed', bad: 'failed', waits: 'skipped' })
    expect(state.stages.get('long')?.failure).toMatchObject({
      cause: 'cancelled',
      message: 'stopped because bad failed',
    })
    expect(state.stages.get('waits')?.skippedBecause).toBe(
      'bad failed, and the run stops at the first failure',
    )
    // The lost worker's, not that of an interruption.
    expect(exitCode).toBe(6)
    for (const pid of lines(pids)) await until(() => !runs(Number(pid)), 'the worker ended')
  })

  test.each([
    ['as-written', 'skipped'],
    ['keep-going', 'done'],
  ] as const)(
    '%s: the other points of a matrix that does not keep going are %s',
    async (onFailure, other) => {
      const sweep = { stage: 't', maxParallel: 1, keepGoing: false }
      const pipeline = pipelineOf({
        't[r=1]': { ...fails, more: { base: 't', sweep } },
        't[r=2]': { more: { base: 't', sweep } },
      })
      const { status } = await go(newRoot(), pipeline, { onFailure })
      expect(status).toEqual({ 't[r=1]': 'failed', 't[r=2]': other })
    },
  )
})
