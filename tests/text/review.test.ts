/** The sheet of a review, what comes back of it, and what it says. */
import { describe, expect, test } from 'vitest'
import { agreement } from '../../metrics/ratings.ts'
import type { JsonObject } from '../../workers/protocol/json.ts'
import type { InputFiles } from '../../workers/protocol/messages.ts'
import { encodeGbk } from '../../workers/text/gbk.ts'
import { parseTable } from '../../workers/text/csv.ts'
import { run } from '../../workers/text/ops/review.ts'
import { drawItems, type Sample } from '../../workers/text/review-sheet.ts'
import { failureOf, inputOf, jsonl, tempDir } from './run-op.ts'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

const samples = (model: string, count: number): readonly Sample[] =>
  Array.from({ length: count }, (_, at) => ({
    id: `r${String(at)}`,
    prompt: `问题 ${String(at)}`,
    reference: `标准答案 ${String(at)}`,
    output: `${model} 的回答 ${String(at)}`,
  }))
const OPTIONS: JsonObject = { rows: 4, raters: 2, low: 1, high: 5, blind: true, seed: 7 }
const OURS = samples('甲', 10)
const THEIRS = samples('乙', 10)
const items = drawItems(OURS, THEIRS, { rows: 4, blind: true, seed: 7 })

interface Reviewed {
  readonly summary: JsonObject
  readonly notes: readonly string[]
  readonly sheet: (file: string) => Promise<string>
  readonly values: Readonly<Record<string, number | null>>
  readonly ruler: string
  readonly rows: readonly JsonObject[]
}

async function review(
  sheets: Readonly<Record<string, string | Uint8Array>> | null,
  options: JsonObject = {},
  answers: { readonly a?: readonly Sample[]; readonly b?: readonly Sample[] | null } = {},
): Promise<Reviewed> {
  const { a = OURS, b = THEIRS } = answers
  const files = (rows: readonly Sample[]) =>
    inputOf({ 'samples.jsonl': jsonl(rows.map((row) => ({ ...row }))) })
  const inputs: Record<string, InputFiles> = { a: await files(a) }
  if (b !== null) inputs['b'] = await files(b)
  if (sheets !== null) inputs['ratings'] = await inputOf(sheets)
  const [sheet, metrics] = [await tempDir(), await tempDir()]
  const notes: string[] = []
  const summary = await run({
    with: { ...OPTIONS, ...options },
    inputs,
    outputs: { sheet, metrics },
    threads: 1,
    progress: () => {},
    note: (level, text) => void notes.push(`${level}: ${text}`),
    throwIfCancelled: () => Promise.resolve(),
  })
  const written = JSON.parse(await readFile(join(metrics, 'metrics.json'), 'utf8')) as {
    ruler: string
    metrics: Record<string, { value: number | null }>
  }
  const rows = await readFile(join(metrics, 'rows.jsonl'), 'utf8')
  return {
    summary,
    notes,
    sheet: (file) => readFile(join(sheet, file), 'utf8'),
    values: Object.fromEntries(Object.entries(written.metrics).map(([name, { value }]) => [name, value])),
    ruler: written.ruler,
    rows: rows
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as JsonObject),
  }
}

/** A filled sheet: what a rater gives ours and theirs, put into the columns where the sheet shows them. */
const filled = (scores: readonly (readonly [number | string, number | string])[]): string =>
  [
    'item,score_1,score_2',
    ...scores.map(([ours, theirs], at) => {
      const { name, swapped } = items[at] ?? { name: '', swapped: false }
      return [name, ...(swapped ? [theirs, ours] : [ours, theirs])].join(',')
    }),
  ].join('\r\n')

const ANNA = filled([
  [5, 3],
  [4, 4],
  [5, 1],
  [3, 4],
])
const LI = filled([
  [5, 2],
  [4, 3],
  [4, 1],
  [2, 4],
])

describe('the sheet', () => {
  test('shows each question once, with a mark for Excel, and says nothing of who answered', async () => {
    const { sheet, summary } = await review(null)
    const text = await sheet('sheet.csv')
    expect(
      text.startsWith('\ufeffitem,rater,prompt,reference,answer_1,answer_2,score_1,score_2,comment\r\n'),
    ).toBe(true)
    const rows = parseTable('sheet.csv', text).slice(1)
    expect(rows.map(({ cells }) => cells[0])).toEqual(items.map(({ name }) => name))
    for (const [at, { cells }] of rows.entries()) {
      const { id, answers, swapped } = items[at] ?? { id: '', answers: [], swapped: false }
      expect(cells.slice(4, 6)).toEqual(swapped ? [...answers].reverse() : answers)
      expect(cells[0]).toMatch(/^q[0-9a-f]{10}$/)
      expect(cells).not.toContain(id)
    }
    expect(summary['waits']).toBe('4 questions, 2 raters, no ratings yet')
    expect(await sheet('how-to-rate.txt')).toContain('从 1（没用）到 5')
  })

  test('both models stand first about as often, and as they are without `blind`', () => {
    const a = samples('甲', 400)
    const b = samples('乙', 400)
    const swapped = drawItems(a, b, { rows: 400, blind: true, seed: 1 }).filter((item) => item.swapped).length
    expect(swapped).toBeGreaterThan(150)
    expect(swapped).toBeLessThan(250)
    expect(drawItems(a, b, { rows: 400, blind: false, seed: 1 }).some((item) => item.swapped)).toBe(false)
  })

  test('more rows keep the questions that were drawn before', () => {
    const ten = drawItems(OURS, THEIRS, { rows: 10, blind: true, seed: 7 })
    expect(ten.slice(0, 4)).toEqual(items)
  })

  test('takes the sting out of what a spreadsheet would compute', async () => {
    const odd = OURS.map((sample) => ({ ...sample, output: '=HYPERLINK("x","y"), "quoted"\nsecond line' }))
    const { sheet } = await review(null, {}, { a: odd })
    const [, first] = parseTable('sheet.csv', await sheet('sheet.csv'))
    expect(first?.cells).toContain('\'=HYPERLINK("x","y"), "quoted"\nsecond line')
  })

  test('one model alone has one answer and one rating a question', async () => {
    const alone = drawItems(OURS, null, { rows: 4, blind: true, seed: 7 })
    const sheet = `item;score_1\n${alone.map(({ name }, at) => `${name};${String(at + 1)}`).join('\n')}`
    const { values, sheet: written } = await review({ 'anna.csv': sheet }, { raters: 1 }, { b: null })
    expect(await written('sheet.csv')).not.toContain('answer_2')
    expect(values).toEqual({ mean: 2.5, agreement: null })
  })
})

describe('complete ratings', () => {
  test('are given back to the model that earned them', async () => {
    const { values, summary, rows } = await review({ 'anna.csv': ANNA, 'li.csv': LI })
    // By hand: ours 5 4 5 3 and 5 4 4 2, theirs 3 4 1 4 and 2 3 1 4; wins 1 ½ 1 0 and 1 1 1 0.
    expect(values['mean']).toBeCloseTo(32 / 8, 12)
    expect(values['baseline_mean']).toBeCloseTo(22 / 8, 12)
    expect(values['win_rate']).toBeCloseTo(5.5 / 8, 12)
    expect(values['agreement']).toBeGreaterThan(0.7)
    expect(summary).toMatchObject({ items: 4, raters: 2, mean: 4 })
    expect(summary['waits']).toBeUndefined()
    expect(rows[0]).toEqual({
      id: items[0]?.id,
      statistics: { mean: [10, 2], baseline_mean: [5, 2], win_rate: [2, 2] },
    })
  })

  test('come in any encoding, with any separator, order of columns and kind of digit', async () => {
    const { values } = await review({ 'anna.csv': ANNA, 'li.csv': LI })
    const semicolons = LI.replaceAll(',', ';').replaceAll('\r\n', '\n')
    const tabs = `\ufeff${LI.replaceAll(',', '\t')}`
    const utf16 = new Uint8Array(Buffer.from(tabs, 'utf16le'))
    const gbk = encodeGbk(`${LI.replace('score_2', 'score_2,评语')}\r\n`, null) ?? new Uint8Array()
    const wide = LI.replaceAll(/(?<=,)[1-5](?=,|\r|$)/g, (digit) =>
      String.fromCharCode(digit.charCodeAt(0) + 0xfee0),
    )
    expect(wide).toMatch(/[１-５]/)
    const turned = LI.split('\r\n')
      .map((line) => line.split(',').reverse().join(','))
      .join('\r')
    for (const li of [semicolons, `sep=;\r\n${semicolons}`, tabs, utf16, gbk, wide, turned])
      expect((await review({ 'anna.csv': ANNA, 'li.csv': li })).values).toEqual(values)
  })

  test('of one file may be of several people', async () => {
    const lines = [ANNA, LI].flatMap((sheet, at) =>
      sheet
        .split('\r\n')
        .slice(1)
        .map((line) => `${line},${at === 0 ? '安娜' : '李'}`),
    )
    const both = ['item,score_1,score_2,rater', ...lines].join('\n')
    expect((await review({ 'all.csv': both })).summary).toMatchObject({ raters: 2, mean: 4 })
  })

  test('the ruler is the questions and the scale, not the answers', async () => {
    const usual = await review({ 'anna.csv': ANNA })
    const others = await review(null, {}, { a: samples('丙', 10) })
    expect(others.ruler).toBe(usual.ruler)
    expect((await review(null, { high: 7 })).ruler).not.toBe(usual.ruler)
    expect((await review(null, { rows: 5 })).ruler).not.toBe(usual.ruler)
  })
})

describe('incomplete ratings', () => {
  test('give no value at all, say who did what, and each rater gets the rest', async () => {
    const half = filled([
      [5, 2],
      ['', ''],
      [4, ''],
      ['', ''],
    ])
    const { summary, values, notes, sheet } = await review({ 'sheets/anna.csv': ANNA, 'sheets/li.csv': half })
    expect(summary['waits']).toBe('1 of 4 questions have their 2 raters; rated so far: anna 4, li 1')
    expect(Object.values(values)).toEqual([null, null, null, null])
    expect(notes).toEqual(['warning: only one of the two answers is rated: sheets/li.csv:4'])
    const rest = parseTable('', await sheet('rest-of-li.csv'))
    expect(rest.slice(1).map(({ cells }) => [cells[0], cells[1]])).toEqual(
      items.slice(1).map(({ name }) => [name, 'li']),
    )
    await expect(sheet('rest-of-anna.csv')).rejects.toThrow(/ENOENT/)
  })

  test('answers that changed after they were rated have to be rated again, and only they', async () => {
    const changed = OURS.map((sample) =>
      sample.id === items[0]?.id ? { ...sample, output: '新的回答' } : sample,
    )
    const { summary, notes, sheet } = await review({ 'anna.csv': ANNA, 'li.csv': LI }, {}, { a: changed })
    expect(summary['waits']).toBe('3 of 4 questions have their 2 raters; rated so far: anna 3, li 3')
    expect(notes).toEqual([
      'warning: 1 ratings of anna are for answers that are not on the sheet now',
      'warning: 1 ratings of li are for answers that are not on the sheet now',
    ])
    expect(parseTable('', await sheet('rest-of-li.csv'))).toHaveLength(2)
  })

  test('an empty file is nobody', async () => {
    expect((await review({ 'anna.csv': '' })).summary['raters']).toBe(0)
  })
})

describe('mistakes in a sheet', () => {
  test('off the scale: every place is named', async () => {
    const sheet = filled([
      [6, 3],
      [4, 'gut'],
      [2.5, 1],
      [3, 4],
    ])
    const error = await failureOf(review({ 'anna.csv': sheet }))
    expect(error.kind).toBe('input')
    const column = (at: number, ours: boolean) => (items[at]?.swapped === ours ? 'score_2' : 'score_1')
    expect(error.message).toBe(
      [
        `anna.csv:2: ${column(0, true)} is "6"`,
        `anna.csv:3: ${column(1, false)} is "gut"`,
        `anna.csv:4: ${column(2, true)} is "2.5"`,
      ].join('\n  '),
    )
    expect(error.help).toBe('Ratings are whole numbers from 1 to 5; a cell that is not rated stays empty.')
  })

  test.each([
    ['item,score_1\nq1,3', 'anna.csv:1: no column score_2; it has item, score_1'],
    ['item,score_1,score_2\n,3,4', 'anna.csv:2: rated, but the column item is empty'],
    ['item,score_1,score_2\n"q1,3,4', 'anna.csv:2: a quote is opened and never closed'],
    ['PK\u0003\u0004', 'anna.csv: this is an Excel workbook, not CSV'],
    [new Uint8Array([0x69, 0xff, 0xff]), 'anna.csv: neither UTF-8 nor GBK text'],
    [`${ANNA}\r\n${LI.split('\r\n')[1] ?? ''}`, /^anna\.csv:6: anna rated q\w+ otherwise at anna\.csv:2$/],
  ])('%j', async (sheet, message) => {
    const { message: said } = await failureOf(review({ 'anna.csv': sheet }))
    if (typeof message === 'string') expect(said).toBe(message)
    else expect(said).toMatch(message)
  })

  test('two models that answered different questions cannot be compared', async () => {
    const others = THEIRS.map((sample) => ({ ...sample, id: `x${sample.id}` }))
    const error = await failureOf(review(null, {}, { b: others }))
    expect(error.message).toBe('the two models answered different questions')
  })

  test('one sheet saved under two names is no second opinion', async () => {
    const many = drawItems(OURS, THEIRS, { rows: 10, blind: true, seed: 7 })
    const sheet = `item,score_1,score_2\n${many.map(({ name }, at) => `${name},${String(1 + (at % 5))},3`).join('\n')}`
    const { notes } = await review({ 'anna.csv': sheet, 'anna (1).csv': sheet }, { rows: 10 })
    expect(notes).toEqual([
      'warning: anna and anna (1) gave the same ratings throughout: one sheet, saved twice?',
    ])
  })

  test('raters who disagree are told so', async () => {
    const mirrored = filled([
      [1, 5],
      [2, 5],
      [1, 4],
      [5, 1],
    ])
    const { notes } = await review({ 'anna.csv': ANNA, 'li.csv': mirrored })
    expect(notes).toEqual([expect.stringMatching(/^warning: the raters hardly agree \(-0\.\d\d\)/)])
  })
})

test("agreement is Krippendorff's: his example of four coders comes to 0.849", () => {
  const table = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NaN, NaN, NaN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NaN, 3],
    [NaN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NaN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NaN],
  ]
  const units = (table[0] ?? []).map((_, unit) =>
    table.map((row) => row[unit] ?? NaN).filter((value) => !Number.isNaN(value)),
  )
  expect(agreement(units)).toBeCloseTo(0.849, 3)
  expect(agreement([[3, 3], [3]])).toBeNaN()
})
