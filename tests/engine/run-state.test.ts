/** The log of a run and the law of its states. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../engine/artifact.ts'
import type { Logged, RunEvent } from '../../engine/run/events.ts'
import { readLog, RunLog, runIds } from '../../engine/run/log.ts'
import { stepRun, stepStage } from '../../engine/run/stage-life.ts'
import type { RunStatus, StageStatus } from '../../engine/run/stage-life.ts'
import { fold, newRun } from '../../engine/run/state.ts'
import { newRoot, write } from '../support/rig.ts'

const key = digestOf('key')
const story: readonly RunEvent[] = [
  { type: 'run.start', format: 1, run: 'r1', pipeline: 'p', stages: ['a', 'b', 'c', 'g'] },
  { type: 'stage.cached', stage: 'a', key, summary: { rows: 1 }, from: null },
  { type: 'stage.waiting', stage: 'b', holder: 'process 7' },
  { type: 'stage.start', stage: 'b', key, attempt: 1, reason: 'never run' },
  { type: 'progress', stage: 'b', op: 'act', done: 1, total: 4, unit: 'steps', values: { loss: 3 } },
  { type: 'progress', stage: 'b', op: 'act', done: 2, total: 4, unit: 'steps', values: { loss: null } },
  { type: 'progress', stage: 'b', op: 'act', done: 3, total: 4, unit: 'steps', values: { loss: 1 } },
  { type: 'note', stage: 'b', level: 'warning', text: 'few rows' },
  { type: 'stage.failed', stage: 'b', cause: 'input', message: 'no', help: null, log: 'x' },
  { type: 'stage.skipped', stage: 'c', because: 'b failed' },
  { type: 'gate.verdict', stage: 'g', verdict: { verdict: 'pass', checks: [] } },
  { type: 'run.waiting', holder: 'process 8' },
  { type: 'run.done', exitCode: 1, durationMs: 5 },
]
const logged = (events: readonly RunEvent[]): readonly Logged[] =>
  events.map((event, seq) => ({ ...event, seq, t: new Date(1000 * seq).toISOString() }))

describe('log', () => {
  const written = (events = story) => {
    const path = join(newRoot(), 'runs/r1/run.jsonl')
    const log = new RunLog(path)
    const kept = events.map((event, at) => log.append(event, new Date(1000 * at)))
    log.close()
    return { path, kept }
  }

  test('what was appended is read, numbered and timed', () => {
    const { path, kept } = written()
    expect(readLog(path)).toEqual(kept)
    expect(kept.map((event) => event.seq)).toEqual(story.map((_, at) => at))
    expect(kept[2]?.t).toBe('1970-01-01T00:00:02.000Z')
  })

  test('a torn last line is dropped wherever it was cut', () => {
    const { path, kept } = written()
    const whole = readFileSync(path, 'utf8')
    const last = whole.trimEnd().lastIndexOf('\n') + 1
    for (let cut = last; cut < whole.length - 1; cut++) {
      writeFileSync(path, whole.slice(0, cut))
      expect(readLog(path)).toEqual(kept.slice(0, -1))
    }
  })

  test('a damaged line before the end and a gap are refused with their line', () => {
    const { path } = written()
    const lines = readFileSync(path, 'utf8').split('\n')
    writeFileSync(path, lines.with(3, '{"type":').join('\n'))
    expect(() => readLog(path)).toThrow(/run\.jsonl:4 is damaged/)
    writeFileSync(path, lines.toSpliced(3, 1).join('\n'))
    expect(() => readLog(path)).toThrow(/run\.jsonl:4: an event is missing before it/)
    appendFileSync(path, '{"type":\n')
    expect(() => readLog(path)).toThrow()
  })

  test('runs are listed oldest first, folders without a log are not runs', () => {
    const root = newRoot()
    expect(runIds(root)).toEqual([])
    write(root, 'runs/20260102-000000-aa/run.jsonl', '')
    write(root, 'runs/20260101-000000-bb/run.jsonl', '')
    write(root, 'runs/20260103-000000-cc/other', '')
    expect(runIds(root)).toEqual(['20260101-000000-bb', '20260102-000000-aa'])
  })
})

describe('fold', () => {
  test('tells how the run is', () => {
    const states = logged(story).reduce((all, event) => [...all, fold(all.at(-1) ?? newRun, event)], [newRun])
    expect(states[1]).toMatchObject({
      status: 'running',
      run: 'r1',
      pipeline: 'p',
      holder: null,
      startedAt: 0,
    })
    expect(states[3]?.stages.get('b')).toMatchObject({ status: 'waiting', holder: 'process 7' })
    expect(states.at(-2)?.holder).toBe('process 8')
    const end = states.at(-1)
    expect(end).toMatchObject({ status: 'finished', exitCode: 1, durationMs: 5, holder: null })
    expect(Object.fromEntries([...(end?.stages ?? [])].map(([name, { status }]) => [name, status]))).toEqual({
      a: 'cached',
      b: 'failed',
      c: 'skipped',
      g: 'judged',
    })
    const b = end?.stages.get('b')
    expect(b).toMatchObject({ losses: [3, 1], notes: ['few rows'], failure: { cause: 'input', log: 'x' } })
    expect(b?.progress).toMatchObject({ done: 3, since: 4000 })
    // Pure: an earlier state did not change.
    expect(states[2]?.stages.get('b')?.status).toBe('waiting')
  })

  test('the curve starts anew with another op and stays short', () => {
    const progress = (op: string, loss: number): RunEvent => ({
      type: 'progress',
      stage: 'b',
      op,
      done: 1,
      total: 9,
      unit: 'steps',
      values: { loss },
    })
    const many = Array.from({ length: 500 }, (_, at) => progress('one', at))
    const before = logged([...story.slice(0, 4), ...many]).reduce(fold, newRun)
    expect(before.stages.get('b')?.losses).toHaveLength(400)
    const after = logged([...story.slice(0, 4), ...many, progress('two', 7)]).reduce(fold, newRun)
    expect(after.stages.get('b')?.losses).toEqual([7])
  })

  test('an event of a stage that is not in the run is a bug', () => {
    const [start] = logged(story.slice(0, 1))
    const [odd] = logged([{ type: 'stage.skipped', stage: 'zebra', because: '' }])
    expect(() => [start, odd].reduce((state, event) => (event ? fold(state, event) : state), newRun)).toThrow(
      'zebra',
    )
  })
})

describe('law', () => {
  const types = [
    'run.waiting',
    'run.start',
    'stage.cached',
    'stage.waiting',
    'stage.start',
    'progress',
    'note',
    'stage.done',
    'stage.failed',
    'stage.skipped',
    'gate.verdict',
    'run.done',
  ] as const satisfies readonly RunEvent['type'][]
  const table = <S extends string>(
    statuses: readonly S[],
    step: (status: S, type: RunEvent['type']) => S,
  ): string =>
    statuses
      .flatMap((status) =>
        types.map((type) => {
          let next: string
          try {
            next = step(status, type)
          } catch (error) {
            expect((error as Error).message).toBe(`bug: ${type} cannot happen to something that is ${status}`)
            next = '-'
          }
          return `${status} + ${type} = ${next}`
        }),
      )
      .join('\n')

  test('of a stage', () => {
    const all: readonly StageStatus[] = [
      'waiting',
      'running',
      'cached',
      'done',
      'failed',
      'skipped',
      'judged',
    ]
    expect(table(all, stepStage)).toMatchInlineSnapshot(`
      "waiting + run.waiting = -
      waiting + run.start = -
      waiting + stage.cached = cached
      waiting + stage.waiting = waiting
      waiting + stage.start = running
      waiting + progress = -
      waiting + note = -
      waiting + stage.done = -
      waiting + stage.failed = failed
      waiting + stage.skipped = skipped
      waiting + gate.verdict = judged
      waiting + run.done = -
      running + run.waiting = -
      running + run.start = -
      running + stage.cached = -
      running + stage.waiting = -
      running + stage.start = running
      running + progress = -
      running + note = -
      running + stage.done = done
      running + stage.failed = failed
      running + stage.skipped = -
      running + gate.verdict = -
      running + run.done = -
      cached + run.waiting = -
      cached + run.start = -
      cached + stage.cached = -
      cached + stage.waiting = -
      cached + stage.start = -
      cached + progress = -
      cached + note = -
      cached + stage.done = -
      cached + stage.failed = -
      cached + stage.skipped = -
      cached + gate.verdict = -
      cached + run.done = -
      done + run.waiting = -
      done + run.start = -
      done + stage.cached = -
      done + stage.waiting = -
      done + stage.start = -
      done + progress = -
      done + note = -
      done + stage.done = -
      done + stage.failed = -
      done + stage.skipped = -
      done + gate.verdict = -
      done + run.done = -
      failed + run.waiting = -
      failed + run.start = -
      failed + stage.cached = -
      failed + stage.waiting = -
      failed + stage.start = -
      failed + progress = -
      failed + note = -
      failed + stage.done = -
      failed + stage.failed = -
      failed + stage.skipped = -
      failed + gate.verdict = -
      failed + run.done = -
      skipped + run.waiting = -
      skipped + run.start = -
      skipped + stage.cached = -
      skipped + stage.waiting = -
      skipped + stage.start = -
      skipped + progress = -
      skipped + note = -
      skipped + stage.done = -
      skipped + stage.failed = -
      skipped + stage.skipped = -
      skipped + gate.verdict = -
      skipped + run.done = -
      judged + run.waiting = -
      judged + run.start = -
      judged + stage.cached = -
      judged + stage.waiting = -
      judged + stage.start = -
      judged + progress = -
      judged + note = -
      judged + stage.done = -
      judged + stage.failed = -
      judged + stage.skipped = -
      judged + gate.verdict = -
      judged + run.done = -"
    `)
  })

  test('of a run', () => {
    const all: readonly RunStatus[] = ['starting', 'running', 'finished']
    expect(table(all, stepRun)).toMatchInlineSnapshot(`
      "starting + run.waiting = -
      starting + run.start = running
      starting + stage.cached = -
      starting + stage.waiting = -
      starting + stage.start = -
      starting + progress = -
      starting + note = -
      starting + stage.done = -
      starting + stage.failed = -
      starting + stage.skipped = -
      starting + gate.verdict = -
      starting + run.done = finished
      running + run.waiting = running
      running + run.start = -
      running + stage.cached = -
      running + stage.waiting = -
      running + stage.start = -
      running + progress = -
      running + note = -
      running + stage.done = -
      running + stage.failed = -
      running + stage.skipped = -
      running + gate.verdict = -
      running + run.done = finished
      finished + run.waiting = -
      finished + run.start = -
      finished + stage.cached = -
      finished + stage.waiting = -
      finished + stage.start = -
      finished + progress = -
      finished + note = -
      finished + stage.done = -
      finished + stage.failed = -
      finished + stage.skipped = -
      finished + gate.verdict = -
      finished + run.done = -"
    `)
  })
})
