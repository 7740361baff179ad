/** Who goes first: the longest path behind a stage, in seconds that earlier runs took. */
import { describe, expect, test } from 'vitest'
import { Past } from '../../engine/run/past.ts'
import { ranksOf } from '../../engine/run/ranks.ts'
import { environmentAt, go, newRoot, pipelineOf, write } from '../support/rig.ts'
import type { Toy } from '../support/rig.ts'

const at = (r: number): Toy => ({ more: { base: 't', point: { r } } })

describe('ranks', () => {
  test('are the longest path by time, not by number of stages', () => {
    const { stages } = pipelineOf({
      first: {},
      quick: { inputs: { a: 'first' } },
      quicker: { inputs: { a: 'quick' } },
      long: { inputs: { a: 'first' } },
    })
    const took: Record<string, number> = { first: 10, quick: 20, quicker: 30, long: 5000 }
    const ranks = ranksOf(stages, (name) => took[name] ?? null)
    expect(Object.fromEntries(ranks)).toEqual({ first: 5010, quick: 50, quicker: 30, long: 5000 })
  })

  test('of an unknown stage: as its siblings, else as its kind, else a second', () => {
    const { stages } = pipelineOf({
      't[r=1]': at(1),
      't[r=2]': at(2),
      't[r=3]': at(3),
      z: {},
      m: { uses: 'measure' },
    })
    const took: Record<string, number> = { 't[r=1]': 100, 't[r=2]': 300 }
    expect(Object.fromEntries(ranksOf(stages, (name) => took[name] ?? null))).toEqual({
      't[r=1]': 100,
      't[r=2]': 300,
      't[r=3]': 200,
      z: 200,
      m: 1000,
    })
  })

  test('decide who gets the only slot', async () => {
    const root = newRoot()
    const busy: Toy = { more: { resources: { gpu: 1 } } }
    const pipeline = pipelineOf({ a: busy, b: busy, c: busy })
    const took: Record<string, number> = { a: 1, b: 2, c: 3 }
    const { events } = await go(root, pipeline, {
      capacity: { gpu: 1 },
      gpus: ['0'],
      lastMs: (name) => took[name] ?? null,
    })
    const started = events.flatMap((event) => (event.type === 'stage.start' ? [event.stage] : []))
    // The first comes when nobody waits yet.
    expect(started).toEqual(['a', 'c', 'b'])
  })
})

describe('the past', () => {
  test('gives the newest word on each stage, whichever run has it', async () => {
    const root = newRoot()
    const { stateDir } = environmentAt(root)
    const first = await go(root, pipelineOf({ a: {}, b: {} }))
    // A later second: ids of runs are ordered by it.
    const id = `${String(Number(first.state.run?.slice(0, 8)) + 1)}-000000-beef`
    const events = [
      { type: 'run.start', format: 1, run: id, pipeline: 'toy', stages: ['a'] },
      { type: 'stage.cached', stage: 'a', key: 'sha256:new', summary: {} },
      { type: 'stage.start', stage: 'b', key: 'sha256:x', attempt: 1, reason: 'just so' },
    ].map((event, seq) => `${JSON.stringify({ ...event, seq, t: '2026-01-01T00:00:00.000Z' })}\n`)
    write(root, `.sluice/runs/${id}/run.jsonl`, events.join(''))
    const past = new Past(stateDir, 'toy')
    expect(past.lastKey('a')).toBe('sha256:new')
    expect(past.lastKey('b'), 'the newer run did not finish it').toBe(first.results.get('b')?.key)
    expect(past.lastStart('b')).toMatchObject({ run: id, reason: 'just so' })
    expect(past.lastStart('a')?.run).toBe(first.state.run)
    expect(past.lastMs('a')).toBe(first.results.get('a')?.durationMs)
    expect(past.lastMs('c')).toBeNull()
    expect(new Past(stateDir, 'other').lastKey('a')).toBeNull()
    expect(new Past(newRoot(), 'toy').lastKey('a')).toBeNull()
  })
})
