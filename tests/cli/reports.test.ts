/** What people read, drawn from plain values: the live block, a plan, a verdict. */
import { describe, expect, test, vi } from 'vitest'
import { draw } from '../../cli/reports/live.ts'
import { metricsText } from '../../cli/reports/metrics.ts'
import { PlainReport } from '../../cli/reports/plain.ts'
import { planText, reasonText } from '../../cli/reports/plan.ts'
import { painter, width } from '../../cli/reports/style.ts'
import { verdictText } from '../../cli/reports/verdict.ts'
import type { Stage } from '../../dsl/pipeline.ts'
import { stageOf as toyStage } from '../support/rig.ts'
import { digestOf } from '../../engine/artifact.ts'
import { SURE } from '../../engine/plan/outlook.ts'
import type { Planned } from '../../engine/plan/plan.ts'
import type { RunEvent } from '../../engine/run/events.ts'
import { fold, newRun } from '../../engine/run/state.ts'
import type { RunState } from '../../engine/run/state.ts'

/** A stage of which only the name matters here. */
const stageOf = (name: string): Stage => toyStage(name, { uses: name, with: {} })

const START = Date.parse('2026-01-02T03:04:05.000Z')
const plain = painter(false)

/** Events one second apart, folded. */
function stateAfter(...events: readonly RunEvent[]): RunState {
  return events.reduce((state, event, seq) => {
    const t = new Date(START + seq * 1000).toISOString()
    return fold(state, { ...event, seq, t })
  }, newRun)
}

const key = digestOf('any')
const began: readonly RunEvent[] = [
  { type: 'run.start', format: 1, run: '20260102-030405-abcd', pipeline: 'tiny', stages: ['clean', 'lora-train', 'eval'] },
  { type: 'stage.cached', stage: 'clean', key, summary: {}, from: null },
  { type: 'stage.start', stage: 'lora-train', key, attempt: 1, reason: 'with.lr' },
] // prettier-ignore
const step = (done: number, loss: number): RunEvent => ({
  type: 'progress',
  stage: 'lora-train',
  op: 'lora-train',
  done,
  total: 40,
  unit: 'step',
  values: { loss, tokensPerSecond: 812.4 },
})

describe('draw', () => {
  const training = stateAfter(...began, step(0, 5), step(10, 2.5))

  test('at 120 columns everything is there', () => {
    expect(draw(training, 120, START + 13_000, plain)).toEqual([
      'tiny  run 20260102-030405-abcd  13.0 s',
      '  ✓ clean       cached',
      '  ▶ lora-train  lora-train  ████░░░░░░░░░░░░ 10/40 step  loss 2.500 █▁  812 tok/s  left 30.0 s',
      '  ○ eval        ',
    ])
  })

  test('at 40 columns lines are cut, never wrapped', () => {
    const lines = draw(training, 40, START + 13_000, plain)
    expect(lines[0]).toBe('tiny  run 20260102-030405-abcd  13.0 s')
    expect(lines[2]).toBe('  ▶ lora-train  lora-train  ████░░░░░░…')
    for (const line of lines) expect(width(line)).toBeLessThanOrEqual(40)
  })

  test.each([40, 120])('no line is wider than %i columns or holds a line break', (columns) => {
    const name = 'a-stage-with-a-name-that-is-longer-than-any-terminal-'.repeat(3)
    const states = [
      stateAfter(
        { type: 'run.start', format: 1, run: 'r', pipeline: 'p', stages: [name] },
        { type: 'stage.waiting', stage: name, holder: `process 4711 since ${'2026 '.repeat(40)}` },
        { type: 'run.waiting', holder: `process 4711 since ${'2026 '.repeat(40)}` },
      ),
      stateAfter(
        { type: 'run.start', format: 1, run: 'r'.repeat(200), pipeline: '客服'.repeat(30), stages: [name] },
        { type: 'stage.start', stage: name, key, attempt: 1, reason: '' },
        {
          type: 'stage.failed',
          stage: name,
          cause: 'input',
          message: '坏行\n  第二行 '.repeat(30),
          help: null,
          log: null,
        },
      ),
    ]
    for (const line of states.flatMap((state) => draw(state, columns, START, plain))) {
      expect(width(line)).toBeLessThanOrEqual(columns)
      expect(line).not.toContain('\n')
    }
  })

  test('colour adds codes only', () => {
    const bare = (line: string) => line.replaceAll(/\u001b\[\d+m/g, '')
    const painted = draw(training, 60, START + 13_000, painter(true))
    expect(painted.join()).toContain('\u001b[')
    expect(painted.map(bare)).toEqual(draw(training, 60, START + 13_000, plain))
  })
})

test('outside of a terminal a stage that says nothing is named once a minute, until the run is over', () => {
  vi.useFakeTimers({ now: START })
  try {
    let said = ''
    const report = new PlainReport((text) => void (said += text), 15_000)
    const take = (state: RunState, event: RunEvent, seq: number) =>
      report.take(state, { ...event, seq, t: new Date(START + seq * 1000).toISOString() })
    began.forEach((event, seq) => take(stateAfter(...began.slice(0, seq + 1)), event, seq))
    said = ''
    vi.advanceTimersByTime(179_000)
    expect(said).toBe('03:06:05 lora-train   runs     for 1m58s\n')
    report.end()
    vi.advanceTimersByTime(600_000)
    expect(said.trim().split('\n')).toHaveLength(1)
  } finally {
    vi.useRealTimers()
  }
})

describe('planText', () => {
  const span = { source: { path: 'a.pipeline.yaml', text: 'x\ny\n' }, start: 2, end: 3 }
  const run = (stage: Stage, ...reasons: Extract<Planned, { type: 'run' }>['reasons']): Planned => ({
    type: 'run',
    stage,
    key: null,
    manifest: {},
    reasons,
  })

  test('names what changed with its place, what follows from it, and how long it took', () => {
    const planned = [
      run(stageOf('train'), { type: 'changed', ingredient: 'with.lr', before: '0.1', after: '0.2', span }),
      run(stageOf('eval'), { type: 'upstream', port: 'adapter', stage: 'train' }),
      { type: 'judge', stage: stageOf('gate') },
    ] satisfies readonly Planned[]
    expect(
      planText({ name: 'tiny', description: 'Answers\nquestions' }, planned, {
        outlookOf: () => SURE,
        lastMs: (kind) => (kind === 'train' ? 65_000 : null),
        say: reasonText,
        paint: plain,
      }).split('\n'),
    ).toEqual([
      'tiny   2 of 2 stages will run, about 1m05s (as last time)',
      'Answers questions',
      '',
      '  ● train  RUN  with.lr  0.1 → 0.2   a.pipeline.yaml:2',
      '  ● eval   RUN  adapter will be made anew by train; reused if it comes out the same',
      '  ◆ gate   judged on every run',
    ])
  })

  test('says that nothing will run', () => {
    const text = planText({ name: 'tiny', description: null }, [{ type: 'judge', stage: stageOf('gate') }], {
      outlookOf: () => SURE,
      lastMs: () => null,
      say: reasonText,
      paint: plain,
    })
    expect(text).toMatch(/^tiny {3}everything is cached; the gates will be judged\n/)
  })
})

describe('metricsText', () => {
  const column = (stage: string, split: string, rows: number, bleu: number) => ({
    stage,
    metrics: {
      ruler: 'r',
      split,
      rows,
      metrics: { bleu: { value: bleu, unit: 'num', direction: 'higher', signature: '', n: rows } },
    } as const,
  })
  test('names the rows of every column, in a table for each set of rows', () => {
    const columns = [
      column('score', 'validation', 111, 0.5),
      column('final', 'test', 130, 0.4),
      column('before', 'test', 130, 0.1),
    ]
    expect(metricsText(columns, plain).replaceAll(/ +\n/g, '\n')).toBe(
      [
        '           score  validation, 111 rows',
        '  bleu ↑   0.500',
        '',
        '           final   before  test, 130 rows',
        '  bleu ↑   0.400    0.100',
      ].join('\n'),
    )
  })
})

describe('verdictText', () => {
  const check = {
    level: 'require',
    name: null,
    why: 'users leave',
    margin: null,
    reason: null,
    code: null,
    significance: null,
    budget: false,
  } as const

  test('shows every check with its operands, and for failures by how much and why', () => {
    const text = verdictText(
      stageOf('gate'),
      {
        verdict: 'fail',
        checks: [
          {
            ...check,
            text: 'bleu >= 0.3',
            outcome: 'fail',
            margin: -0.171,
            operands: [{ text: 'bleu', value: 0.129, source: 'eval' }],
          },
          {
            ...check,
            text: 'loss <= 9',
            outcome: 'pass',
            margin: 1,
            operands: [{ text: 'loss', value: 8, source: 'eval' }],
          },
          {
            ...check,
            text: 'bleu >= main',
            outcome: 'unknown',
            operands: [{ text: 'main', value: null, source: '' }],
            reason: 'no branch main',
            code: 'E207',
          },
        ],
      },
      plain,
    )
    expect(text.split('\n')).toEqual([
      'gate   FAIL',
      '',
      '  ✗ bleu >= 0.3    bleu 0.129   short by 0.171',
      '      why: users leave',
      '  ✓ loss <= 9      loss 8',
      '  ? bleu >= main   main missing',
      '      no branch main   (E207)',
      '      why: users leave',
    ])
  })
})
