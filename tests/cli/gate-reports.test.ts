/** Verdicts as other programs show them: JUnit, GitHub's annotations and summary, the comment of a pull request. */
import { describe, expect, test } from 'vitest'
import type { JudgedGate } from '../../cli/judging.ts'
import { compare } from '../../cli/comparison.ts'
import { commentText, MOST_CHARACTERS } from '../../cli/reports/comment.ts'
import type { CommentFacts } from '../../cli/reports/comment.ts'
import { answersText, diffText } from '../../cli/reports/diff.ts'
import type { Diff } from '../../cli/reports/diff.ts'
import { gateJson } from '../../cli/reports/gate-json.ts'
import { checkAnnotations, cutBytes, summaryText } from '../../cli/reports/github.ts'
import { junitText } from '../../cli/reports/junit.ts'
import { code, inline, shortened } from '../../cli/reports/markdown.ts'
import { metricsTableText, runsText, whenText } from '../../cli/reports/runs.ts'
import type { RunRow } from '../../cli/reports/runs.ts'
import { painter } from '../../cli/reports/style.ts'
import { judge } from '../../dsl/judge.ts'
import type { Scores } from '../../dsl/judge.ts'
import type { Lock } from '../../engine/lock-file.ts'
import type { RowChange } from '../../engine/run/rows.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { pipelineWith } from '../dsl/gate-fixture.ts'

const plain = painter(false)
const scores: Scores = {
  judged: { ruler: 'r1', origin: 'eval', values: { bleu: 0.271, perplexity: 11, rouge_l: 0.3 } },
  spaces: {
    baseline: { ruler: 'r1', origin: 'untuned', values: { perplexity: 20 } },
    untuned: { ruler: 'r1', origin: 'untuned', values: { perplexity: 20 } },
    main: { missing: 'main is not fetched here: git fetch --depth=200 origin main' },
  },
}

function judgedGate(checks: readonly string[]): JudgedGate {
  const stage = pipelineWith(checks).stages.find(({ gate }) => gate !== null)
  if (stage?.gate == null) throw new Error('the fixture has no gate')
  return { stage, verdict: judge(stage.gate, scores), rulers: { eval: 'r1', untuned: 'r1' } }
}

const gate = judgedGate([
  'perplexity better than baseline',
  '{ require: bleu >= 0.30, name: 答得对, why: "用户会走 & <离开>" }',
  'bleu no worse than main',
  'warn: rouge_l >= 40%',
])

test('JSON has every operand with unit, source and ruler, and the place of every check', () => {
  expect(gateJson(gate)).toMatchObject({
    verdict: 'fail',
    judged: 'eval',
    baseline: 'untuned',
    checks: [
      {
        text: 'perplexity better than baseline',
        outcome: 'pass',
        level: 'require',
        margin: 9,
        operands: [
          { text: 'perplexity', value: 11, unit: 'num', source: 'eval', ruler: 'r1' },
          { text: 'baseline.perplexity', value: 20, unit: 'num', source: 'untuned', ruler: 'r1' },
        ],
        range: { file: 't', start: { line: 12, column: 9 }, end: { line: 12, column: 40 } },
      },
      { outcome: 'fail', name: '答得对' },
      { outcome: 'unknown', reason: expect.stringContaining('git fetch') as string },
      { outcome: 'fail', level: 'warn' },
    ],
  })
})

describe('JUnit', () => {
  const xml = junitText('t', [gate])

  test('has a test case for every check: failure, error for undecided, skipped for a warning', () => {
    expect(xml).toContain('<testsuite name="t gate" tests="4" failures="1" errors="1" skipped="1">')
    expect(xml).toContain(
      '<testcase classname="t.gate" name="perplexity better than baseline" file="t" line="12">',
    )
    expect(xml).toContain(
      '<failure message="0.271 &lt; 0.300, short by 0.029 (9.7 %); why: 用户会走 &amp; &lt;离开&gt;" type="gate.failed">bleu &gt;= 0.30</failure>',
    )
    expect(xml).toContain('type="gate.undecided"')
    expect(xml).toContain('<skipped message="warning: 0.300 &lt; 0.400')
  })

  test('is well formed whatever the names hold', () => {
    const nasty = {
      ...gate,
      verdict: {
        ...gate.verdict,
        checks: gate.verdict.checks.map((check) => ({ ...check, text: 'a"<&>\u0000\u001b\ud800\ufffe\n\t' })),
      },
    }
    const text = junitText('p"&', [nasty])
    expect(text).not.toMatch(
      /[\u0000-\u0008\u000b\u001b\ufffe]|(?<![\ud800-\udbff])[\udc00-\udfff]|[\ud800-\udbff](?![\udc00-\udfff])/,
    )
    expect(text.replaceAll(/<\/?[a-z?][^<>]*>/g, '')).not.toMatch(/[<>]/)
    expect(text).toContain('name="p&quot;&amp; gate"')
  })
})

describe('GitHub', () => {
  test('annotates the line of each check that does not hold', () => {
    expect(checkAnnotations([gate], (path) => `ml/${path}`)).toEqual([
      '::error file=ml/t,line=13,endLine=13,col=20,endColumn=32,title=gate failed%3A 答得对::bleu >= 0.30: 0.271 < 0.300, short by 0.029 (9.7 %25)%0Awhy: 用户会走 & <离开>',
      '::error file=ml/t,line=14,endLine=14,col=9,endColumn=32,title=E207 gate undecided%3A bleu no worse than main::bleu no worse than main: main is not fetched here: git fetch --depth=200 origin main',
      '::warning file=ml/t,line=15,endLine=15,col=15,endColumn=29,title=gate failed%3A rouge_l >= 40%25::rouge_l >= 40%25: 0.300 < 0.400, short by 0.100 (25 %25), warning',
    ])
  })

  test('keeps to ten of a kind and says how many more there are', () => {
    const many = judgedGate(Array.from({ length: 14 }, (_, i) => `bleu >= 0.${String(30 + i)}`))
    const lines = checkAnnotations([many], (path) => path)
    expect(lines).toHaveLength(10)
    expect(lines.at(-1)).toBe('::error title=sluice::5 more checks; the log of this step has them all')
  })

  test('the summary is a table, cut at a line with a note where GitHub would refuse it', () => {
    const text = summaryText('t', [gate], 1 << 20)
    expect(text).toContain('### t gate: FAIL')
    expect(text).toContain('| ❌ | 答得对: bleu &gt;= 0.30 | 0.271 &lt; 0.300, short by 0.029 (9.7 %) |')
    const cut = summaryText('t', [gate], 300)
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(300)
    expect(cut).toMatch(/\*Cut here: .*\*\n$/)
    expect(cutBytes('答'.repeat(1000), 200)).toMatch(/Cut here/)
    expect(cutBytes('long', 2)).toBe('')
    expect(cutBytes('short', 100)).toBe('short')
  })
})

describe('Markdown', () => {
  test('nothing that people or models write becomes markup, a mention or the end of a row', () => {
    expect(inline('a|b <img> *x* `y` @someone me@home\nnext')).toBe(
      'a\\|b &lt;img&gt; \\*x\\* \\`y\\` @\u200bsomeone me@home next',
    )
    expect(code('a`b')).toBe('``a`b``')
    expect(code('`a')).toBe('`` `a ``')
    expect(code('a\nb|c')).toBe('`a ⏎ b\\|c`')
    expect(code('')).toBe('*empty*')
    expect(code('\u001b[2Jx')).toBe('`·[2Jx`')
    expect(shortened('答案很长', 3)).toBe('答案…')
  })
})

const lock = (lr: number, bleu: number, ruler = 'r1'): Lock => ({
  stages: {
    'lora-train': { 'with.lr': lr, 'op.x': 'a', key: String(lr), rows: 100 + lr },
    eval: { 'with.split': 'test', key: `e${String(lr)}`, 'out.metrics': 'sha256:1' },
  },
  scores: { eval: { ruler, rows: 3, bleu, perplexity: 10 - bleu } },
  sources: { data: { digest: String(lr) } },
  wiring: { eval: { adapter: 'lora-train.adapter' } },
})
const row = (n: number, before: number, after: number): RowChange => ({
  id: `id${String(n)}`,
  row: n,
  before,
  after,
  gain: after - before,
  prompt: `问题 ${String(n)}`,
  reference: '标准答案',
  answers: { before: `旧 ${String(n)}`, after: n === 2 ? '' : `新 ${String(n)}` },
})
const comparison = (before: Lock, after: Lock) =>
  compare({ name: 'a', lock: before }, { name: 'b', lock: after }, pipelineWith(['bleu >= 0.1']), stageKinds)
const diff: Diff = {
  before: 'main@4c2d1e0',
  after: 'this file',
  comparison: comparison(lock(1, 0.332), lock(2, 0.317)),
  chances: { 'eval.bleu': { p: 0.21, rows: 118 } },
  rows: {
    metric: 'rouge_l',
    unpaired: 1,
    rows: [row(1, 0.5, 0.5), row(2, 0.61, 0.12), row(3, 0.1, 0.4), row(4, 0.55, 0.2)],
  },
}

describe('diff', () => {
  test('shows settings, sources, rows and scores with better and worse', () => {
    expect(diffText(diff, plain).split('\n')).toEqual([
      '                      main@4c2d1e0   this file',
      '  lora-train.lr       1              2',
      '  sources.data                       other content',
      '  lora-train rows     101            102             +1',
      '  eval bleu ↑         0.332          0.317           worse 4.5 %   p = 0.210 (not distinguishable on 118 rows)',
      '  eval perplexity ↓   9.668          9.683           worse 0.16 %',
      '',
      '  rows by rouge_l: 1 same · 1 better · 2 worse · 1 only on one side   sluice diff main --rows worse',
    ])
  })

  test('scores of different rulers are not called better or worse; stages of one side are named', () => {
    const other = comparison(lock(1, 0.3, 'r1'), lock(1, 0.4, 'r2'))
    expect(other.metrics.map(({ change }) => change)).toEqual([null, null])
    const { stages, ...rest } = lock(1, 0.3)
    const { eval: _gone, ...fewer } = stages ?? {}
    expect(comparison(lock(1, 0.3), { ...rest, stages: fewer }).settings).toContainEqual({
      name: 'eval',
      before: 'there',
      after: null,
    })
    const rewired = { ...lock(1, 0.3), wiring: { eval: { adapter: 'pick.adapter' } } }
    expect(comparison(lock(1, 0.3), rewired).settings).toEqual([
      { name: 'eval inputs.adapter', before: 'lora-train.adapter', after: 'pick.adapter' },
    ])
    expect(comparison(lock(1, 0.3), lock(1, 0.3))).toEqual({
      settings: [],
      code: [],
      sources: [],
      rows: [],
      metrics: expect.any(Array) as unknown[],
    })
  })

  test('answers stand one above the other', () => {
    expect(
      answersText([row(2, 0.61, 0.12)], 'rouge_l', { before: 'main', after: '7f3a' }, plain).split('\n'),
    ).toEqual([
      'row 2   rouge_l 0.610 → 0.120   id2',
      '  prompt     问题 2',
      '  wanted     标准答案',
      '  main       旧 2',
      '  7f3a       (nothing)',
    ])
    const nasty = { ...row(1, 0, 1), answers: { before: '\u001b[2J', after: 'a\nb' } }
    expect(answersText([nasty], 'bleu', { before: 'x', after: 'y' }, plain)).toMatch(/ ·\[2J\n.* a ⏎ b$/)
  })
})

describe('the comment of a pull request', () => {
  const facts: CommentFacts = {
    pipeline: 'support-zh',
    description: 'Answers\n*questions*',
    verdict: 'fail',
    gates: [gate],
    help: ['sluice run'],
    diff,
    provenance: {
      keys: { eval: 'sha256:0123456789abcdef0123' },
      versions: { sluice: '0.1.0' },
      run: '7f3a',
      command: 'npx sluice run --locked',
    },
  }

  test('holds verdict, checks, scores, settings and the answers that got worse, worst first', () => {
    const text = commentText(facts)
    expect(text).toMatch(
      /^<!-- sluice support-zh -->\n## ❌ support-zh: FAIL\n\nAnswers \\\*questions\\\*\n\n/,
    )
    for (const part of [
      '| ❌ | `bleu >= 0.30` 答得对 | 0.271 &lt; 0.300, short by 0.029 (9.7 %); why: 用户会走 &amp; &lt;离开&gt; |',
      '| eval bleu ↑ | 0.332 | 0.317 | 🔴 worse 4.5 %   p = 0.210 (not distinguishable on 118 rows) |',
      '| `lora-train.lr` | `1` | `2` |',
      '### The 2 answers that got worse',
      '<summary>row 2: rouge_l 0.610 → 0.120</summary>',
      '| this file | *empty* |',
      'npx sluice run --locked',
      '`0123456789abcdef`',
    ])
      expect(text).toContain(part)
    expect(text.indexOf('row 2:')).toBeLessThan(text.indexOf('row 4:'))
    expect(commentText(facts)).toBe(text)
  })

  test('says why there is nothing to compare with', () => {
    expect(commentText({ ...facts, diff: { missing: 'there is no main' } })).toContain(
      '### Against main\n\nthere is no main',
    )
  })

  test('fits into a comment however much there is, and shows five rows at most', () => {
    const rows = Array.from({ length: 300 }, (_, i) => ({
      ...row(i + 1, 1, i / 300),
      prompt: '长'.repeat(9000),
      answers: { before: '`|'.repeat(9000), after: '答'.repeat(9000) },
    }))
    const many = judgedGate(Array.from({ length: 200 }, (_, i) => `bleu >= 0.${String(300 + i)}`))
    const settings = Array.from({ length: 5000 }, (_, i) => ({
      name: `s${String(i)}.${'x'.repeat(200)}`,
      before: 'a'.repeat(500),
      after: i,
    }))
    const text = commentText({
      ...facts,
      gates: [many, many, many],
      diff: {
        ...diff,
        comparison: { ...diff.comparison, settings },
        rows: { metric: 'rouge_l', unpaired: 0, rows },
      },
      provenance: {
        ...facts.provenance,
        keys: Object.fromEntries(
          Array.from({ length: 4000 }, (_, i) => [`stage${String(i)}`, 'k'.repeat(64)]),
        ),
      },
    })
    expect(text.length).toBeLessThanOrEqual(MOST_CHARACTERS)
    expect(text.match(/<summary>row /g)?.length ?? 0).toBeLessThanOrEqual(5)
    expect(text).toContain('❌ support-zh: FAIL')
    const huge = commentText({ ...facts, gates: Array.from({ length: 40 }, () => many) })
    expect(huge.length).toBeLessThanOrEqual(MOST_CHARACTERS)
    expect(huge).toMatch(/More did not fit into a comment/)
  })
})

describe('tables of runs', () => {
  const now = new Date('2026-11-25T12:00:00Z')
  const past = (id: string, startedAt: string, verdict: string, more: Lock): RunRow['run'] => ({
    run: `20261125-000000-${id}`,
    pipeline: 't',
    startedAt,
    exitCode: verdict === 'pass' ? 0 : 3,
    durationMs: 61_000,
    ran: 2,
    cached: 4,
    lock: { ...more, gates: { gate: { verdict } } },
    lost: [],
  })
  const rows: readonly RunRow[] = [
    { run: past('7f3a', '2026-11-25T11:59:30Z', 'fail', lock(2, 0.317)), main: null },
    { run: past('51be', '2026-11-19T12:00:00Z', 'pass', lock(1, 0.332)), main: 'main@4c2' },
  ]

  test('list runs, and metrics with the settings that differ', () => {
    expect(runsText(rows, now, plain).split('\n')).toEqual([
      '  run                    when      gate   exit     stages            took    main?',
      '  20261125-000000-7f3a   now       FAIL   exit 3   2 ran, 4 cached   1m01s',
      '  20261125-000000-51be   6 d ago   pass   exit 0   2 ran, 4 cached   1m01s   main@4c2',
    ])
    const table = {
      rows,
      settings: ['lora-train.lr'],
      metrics: [{ name: 'bleu', direction: 'higher' as const }],
      judged: 'eval',
    }
    expect(metricsTableText(table, now, plain).split('\n')).toEqual([
      '  run    when      gate   lr   bleu↑   main?',
      '  7f3a   now       FAIL   2    0.317',
      '  51be   6 d ago   pass   1    0.332   main@4c2',
    ])
    expect(runsText([], now, plain)).toBe('no run yet: sluice run')
  })

  test.each([
    ['2026-11-25T11:15:00Z', '45 min ago'],
    ['2026-11-24T13:00:00Z', '23 h ago'],
    ['2026-11-24T11:00:00Z', '25 h ago'],
    ['2026-11-22T12:00:00Z', '3 d ago'],
  ])('%s is %s', (at, words) => expect(whenText(at, now)).toBe(words))
})
