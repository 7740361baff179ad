/** The clean stage's job: what goes, what stays, what is repaired, and that every change is reported. */
import { expect, test } from 'vitest'
import type { Json, JsonObject } from '../../workers/protocol/json.ts'
import { run } from '../../workers/text/ops/clean.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { failureOf, inputOf, jsonl, runOp } from './run-op.ts'
import type { Ran } from './run-op.ts'

const properties = stageKinds['clean']?.options['properties'] as unknown as Record<string, { default: Json }>
const DEFAULTS = Object.fromEntries(
  Object.entries(properties).map(([name, schema]) => [name, schema.default]),
)

async function clean(rows: readonly Json[], options: JsonObject = {}): Promise<Ran> {
  return runOp(run, { ...DEFAULTS, ...options }, { data: await inputOf({ 'd.jsonl': jsonl(rows) }) }, 'data')
}

const row = (prompt: string, response: string): Json => ({ prompt, response })
const said = async (ran: Ran): Promise<readonly (readonly [string, string])[]> =>
  (await ran.rows('all.jsonl')).map(({ prompt, response }) => [prompt, response])
const rule = (ran: Ran, name: string): JsonObject | undefined =>
  (ran.summary['rules'] as Record<string, JsonObject>)[name]

test('all rules at once, each with its count and its examples', async () => {
  const ran = await clean(
    [
      row('用户问：怎么退款?', '登录网站,点“退款”.'),
      row('怎么退款', '登录网站，点“退款”.'),
      row(' ', '空的问题'),
      row('空的回答', '\u200b\u3000'),
      row('浣犲ソ', 'ÄãºÃ'),
      row('请问锟斤拷怎么办', '不知道'),
      row('帐户\u0000怎么注销', '在２号窗口  注销帐户'),
      row('怎么退款？', '不能退款'),
    ],
    { terms: { 帐户: '账户' } },
  )
  expect(await said(ran)).toEqual(
    [
      ['怎么退款?', '登录网站，点“退款”.'],
      ['你好', '你好'],
      ['账户怎么注销', '在2号窗口 注销账户'],
    ].map(([prompt, response]) => [prompt?.replace('?', '？'), response]),
  )
  const counts = Object.fromEntries(
    Object.entries(ran.summary['rules'] as Record<string, JsonObject>).map(([name, entry]) => [
      name,
      entry['rows'],
    ]),
  )
  expect(counts).toEqual({
    prefix: 1,
    width: 2,
    duplicate: 1,
    control: 2,
    whitespace: 3,
    blank: 2,
    mojibake_repaired: 1,
    mojibake_dropped: 1,
    terms: 1,
    conflict: 1,
  })
  expect(ran.summary).toMatchObject({ rows_in: 8, rows: 3, dropped: 5, terms: { 帐户: 2 } })
  expect(rule(ran, 'mojibake_repaired')?.['examples']).toEqual([
    { row: 'd.jsonl:5', before: '浣犲ソ', after: '你好' },
  ])
  expect(await ran.json('clean.json')).toEqual({
    format: 1,
    ...ran.summary,
    sources: [{ file: 'd.jsonl', split: 'all', rows: 8, mapping: 'prompt/response' }],
  })
  expect(await ran.json('dataset.json')).toMatchObject({ format: 1, splits: { all: { rows: 3 } } })
})

test('at most three examples are kept', async () => {
  const ran = await clean([row('a', 'b'), ...Array.from({ length: 9 }, () => row('a', 'b'))])
  expect(rule(ran, 'duplicate')).toMatchObject({ rows: 9, removes: true })
  expect(rule(ran, 'duplicate')?.['examples']).toHaveLength(3)
})

test.each([
  ['first', ['a1', 'b']],
  ['drop', ['b']],
  ['keep', ['a1', 'a2', 'b']],
])('conflicts: %s', async (conflicts, answers) => {
  const ran = await clean([row('问题？', 'a1'), row('问题', 'a2'), row('别的', 'b')], { conflicts })
  expect((await said(ran)).map(([, response]) => response)).toEqual(answers)
  expect(rule(ran, 'conflict')?.['rows']).toBe(conflicts === 'first' ? 1 : 2)
})

test('rules that are switched off do nothing', async () => {
  const rows = [row('问：你好,在吗', '  '), row('问：你好,在吗', '  '), row('浣犲ソ', '\u0007ÄãºÃ')]
  const ran = await clean(rows, { drop: [], normalize: [], strip_prefixes: [], conflicts: 'keep' })
  expect(await said(ran)).toEqual([
    ['问：你好,在吗', '  '],
    ['问：你好,在吗', '  '],
    ['浣犲ソ', '\u0007ÄãºÃ'],
  ])
  expect(ran.summary['rules']).toEqual({})
  const ids = (await ran.rows('all.jsonl')).map(({ id }) => id)
  expect(new Set(ids).size).toBe(3)
})

test('ids say what a row says, wherever it stands', async () => {
  const a = await clean([row('a', '1'), row('b', '2')])
  const b = await clean([row('b', '2'), row('c', '3'), row('a', '1')])
  const ids = async (ran: Ran): Promise<Record<string, string>> =>
    Object.fromEntries((await ran.rows('all.jsonl')).map(({ id, prompt }) => [prompt, id]))
  expect(await ids(b)).toMatchObject(await ids(a))
  expect((await ids(a))['a']).toMatch(/^[0-9a-f]{12}$/)
})

test('splits of the source stay, and what train has is not repeated in test', async () => {
  const input = await inputOf({
    'a.jsonl': jsonl([row('a', '1'), row('b', '2')]),
    'b.jsonl': jsonl([row('b', '2'), row('c', '3')]),
  })
  const data = { ...input, splits: { train: ['a.jsonl'], test: ['b.jsonl'] } }
  const ran = await runOp(run, DEFAULTS, { data }, 'data')
  expect(await ran.json('dataset.json')).toMatchObject({ splits: { train: { rows: 2 }, test: { rows: 1 } } })
})

test('data of which nothing is left is a failure with the counts', async () => {
  const failure = await failureOf(clean([row('', 'a'), row('b', ' '), row('锟斤拷', 'c')]))
  expect(failure.kind).toBe('input')
  expect(failure.message).toBe('cleaning removed all 3 rows: 2 blank, 1 mojibake')
})

test('other field names are noted, what is left out is counted, and so is little data', async () => {
  const ran = await clean([{ question: 'a', answer: 'b', tag: 'x', list: [1] }])
  expect(ran.notes).toEqual([
    'info: d.jsonl: rows are read as question/answer',
    'info: d.jsonl: these fields are left out: list (1 row); kept are text, numbers, true and false',
    expect.stringMatching(/^warning: only 1 rows are left/),
  ])
})

test('what is the same of many files is said once, and the summary stays small', async () => {
  const files: Record<string, string> = {}
  for (let i = 10; i < 40; i++)
    files[`${i}.jsonl`] = jsonl([{ question: `q${i}`, answer: 'a', ...(i < 30 ? { list: [1] } : {}) }])
  const ran = await runOp(run, DEFAULTS, { data: await inputOf(files) }, 'data')
  expect(ran.notes.slice(0, 2)).toEqual([
    'info: 10.jsonl and 29 more: rows are read as question/answer',
    'info: 10.jsonl and 19 more: these fields are left out: list (20 rows); kept are text, numbers, true and false',
  ])
  expect(Object.keys(ran.summary)).toEqual(['rows', 'dropped', 'rows_in', 'rules', 'terms'])
  expect(((await ran.json('clean.json')) as { sources: unknown[] }).sources).toHaveLength(30)
})

test('further fields pass unchanged and take no part in the id', async () => {
  const plain = await clean([row('问：你好,吗', 'b')])
  const more = { section: '问：城市,新闻', rank: 1.5, checked: true }
  const ran = await clean([{ ...(row('问：你好,吗', 'b') as JsonObject), ...more }])
  expect(await ran.rows('all.jsonl')).toEqual([{ ...(await plain.rows('all.jsonl'))[0], ...more }])
})

test('of duplicates the fields of the first stay, and rows that said otherwise are counted', async () => {
  const said = (section: string): Json => ({ prompt: 'a', response: '1', section })
  const ran = await clean([said('x'), said('y'), said('x'), row('a', '1')])
  expect(await ran.rows('all.jsonl')).toMatchObject([{ prompt: 'a', section: 'x' }])
  expect(rule(ran, 'duplicate')).toMatchObject({ rows: 3, removes: true })
  expect(rule(ran, 'duplicate_fields')).toMatchObject({
    rows: 2,
    removes: false,
    examples: [
      { row: 'd.jsonl:2', before: '{"section":"y"}', after: '{"section":"x"}' },
      { row: 'd.jsonl:4', before: '{}', after: '{"section":"x"}' },
    ],
  })
})

test('an id that the schema names is kept; any other is made from what the row says', async () => {
  const rows = [{ key: 'k-1', article: ' a  b', summary: 's' }]
  const input = await inputOf({ 'd.jsonl': jsonl(rows) })
  const fields = { prompt: 'article', response: 'summary' }
  const idOf = async (schema: object): Promise<string | undefined> => {
    const ran = await runOp(run, DEFAULTS, { data: { ...input, fields: { ...fields, ...schema } } }, 'data')
    expect(ran.notes).toEqual([expect.stringMatching(/^warning: only 1 rows/)])
    return (await ran.rows('all.jsonl'))[0]?.id
  }
  expect(await idOf({ id: 'key' })).toBe('k-1')
  expect(await idOf({})).toMatch(/^[0-9a-f]{12}$/)
})

test('lengths count characters of either side, after repairs', async () => {
  const rows = [row('问：好吗', '很好'), row('好吗？', '好'), row('𠮷野家', '𠮷好'), row('长吗', '很长很长')]
  const ran = await clean(rows, { min_chars: 2, max_chars: 3 })
  expect((await said(ran)).map(([prompt]) => prompt)).toEqual(['好吗', '𠮷野家'])
  expect(rule(ran, 'too_short')).toMatchObject({ rows: 1, removes: true, examples: [{ before: '好' }] })
  expect(rule(ran, 'too_long')).toMatchObject({ rows: 1, removes: true, examples: [{ before: '很长很长' }] })
  const failure = await failureOf(clean(rows, { min_chars: 3, max_chars: 2 }))
  expect(failure.message).toBe('no text has at least 3 and at most 2 characters')
})

test('near duplicates go with all their rows, and the report names whom they repeat', async () => {
  const rows = [
    row('如何办理社保开户', 'a'),
    row('如何办理社保开户呢', 'b'),
    row('如何办理社保开户呢？', 'c'),
    row('如何办理社保开户', 'd'),
    row('工伤怎么认定', 'e'),
  ]
  const options = { near_duplicate: 0.8, conflicts: 'keep' }
  const ran = await clean(rows, options)
  expect((await said(ran)).map(([, response]) => response)).toEqual(['b', 'c', 'e'])
  expect(rule(ran, 'near_duplicate')).toEqual({
    rows: 2,
    removes: true,
    examples: [
      { row: 'd.jsonl:1', before: '如何办理社保开户', after: '如何办理社保开户呢 (d.jsonl:2)' },
      { row: 'd.jsonl:4', before: '如何办理社保开户', after: '如何办理社保开户呢 (d.jsonl:2)' },
    ],
  })
  expect(ran.summary).toMatchObject({ rows: 3, dropped: 2 })
  const backwards = await clean([...rows].reverse(), options)
  expect((await said(backwards)).map(([, response]) => response)).toEqual(['e', 'c', 'b'])
  expect((await said(await clean(rows, { conflicts: 'keep' }))).length).toBe(5)
})

test('what test nearly repeats of train goes from test', async () => {
  const input = await inputOf({
    'a.jsonl': jsonl([row('如何办理社保开户', '1')]),
    'b.jsonl': jsonl([row('如何办理社保开户呢', '2'), row('工伤怎么认定', '3')]),
  })
  const data = { ...input, splits: { train: ['a.jsonl'], test: ['b.jsonl'] } }
  const ran = await runOp(run, { ...DEFAULTS, near_duplicate: 0.8 }, { data }, 'data')
  expect((await ran.rows('train.jsonl')).map(({ response }) => response)).toEqual(['1'])
  expect((await ran.rows('test.jsonl')).map(({ response }) => response)).toEqual(['3'])
})

test('html is cleaned only where it is asked for', async () => {
  const rows = [row('<b>在哪</b>', '一楼&nbsp;<br>二楼'), row('空的', '<div></div>')]
  const drop = ['duplicate', 'blank', 'mojibake', 'control', 'html']
  const ran = await clean(rows, { drop })
  expect(await said(ran)).toEqual([['在哪', '一楼\n二楼']])
  expect(rule(ran, 'html')).toMatchObject({ rows: 1, removes: false })
  expect(rule(ran, 'html_dropped')).toMatchObject({ rows: 1, removes: true })
  expect((await said(await clean(rows)))[0]?.[0]).toBe('<b>在哪</b>')
})
