/** The split stage's job: stable under reordering, no prompt in two splits, no wanted split empty. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Json, JsonObject } from '../../workers/protocol/json.ts'
import { groupKey } from '../../workers/protocol/group-key.ts'
import { run } from '../../workers/text/ops/split.ts'
import { failureOf, inputOf, jsonl, runOp } from './run-op.ts'
import type { Ran } from './run-op.ts'

const DEFAULTS = { train: 0.8, validation: 0, test: 0.2, group_by: 'prompt', seed: 42 }

async function split(rows: readonly Json[], options: JsonObject = {}): Promise<Ran> {
  return runOp(run, { ...DEFAULTS, ...options }, { data: await inputOf({ 'd.jsonl': jsonl(rows) }) }, 'data')
}

const ROWS = Array.from({ length: 200 }, (_, i) => ({
  prompt: `问题${i >> 1}${i % 2 ? '？' : ''}`,
  response: `答${i}`,
}))

test('any order of the rows gives the same bytes', async () => {
  const files = ['train.jsonl', 'test.jsonl', 'dataset.json']
  const bytes = async (rows: readonly Json[]): Promise<readonly string[]> => {
    const ran = await split(rows)
    return Promise.all(files.map((file) => ran.text(file)))
  }
  const expected = await bytes(ROWS)
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(ROWS, { minLength: ROWS.length }), async (shuffled) => {
      expect(await bytes(shuffled)).toEqual(expected)
    }),
    { numRuns: 5 },
  )
})

test('further fields stay with their rows, also where rows say the same', async () => {
  const rows = ROWS.slice(0, 20).flatMap(({ prompt }, i) => [
    { prompt, response: '同', section: 'b', rank: i },
    { prompt, response: '同', section: 'a', rank: i },
  ])
  const texts = async (given: readonly Json[]): Promise<string> => {
    const ran = await split(given)
    return (await ran.text('train.jsonl')) + (await ran.text('test.jsonl'))
  }
  const text = await texts(rows)
  expect(await texts([...rows].reverse())).toBe(text)
  const written = text.split('\n').filter((line) => line !== '')
  expect(written.map((line) => (JSON.parse(line) as { rank: number }).rank).sort((a, b) => a - b)).toEqual(
    rows.map(({ rank }) => rank),
  )
  expect(new Set(written.map((line) => (JSON.parse(line) as { id: string }).id)).size).toBe(rows.length)
})

test('shares are about right, groups stay together, and another seed divides otherwise', async () => {
  const ran = await split(ROWS, { train: 0.6, validation: 0.2, test: 0.2 })
  const [train, validation, test] = await Promise.all(
    ['train', 'validation', 'test'].map((name) => ran.rows(`${name}.jsonl`)),
  )
  if (!train || !validation || !test) throw new Error('a split is missing')
  expect(train.length + validation.length + test.length).toBe(200)
  expect(Math.abs(test.length - 40)).toBeLessThan(20)
  const keys = [train, validation, test].map((rows) => new Set(rows.map((row) => groupKey(row.prompt))))
  expect(keys.reduce((sum, set) => sum + set.size, 0)).toBe(100)
  expect(ran.summary).toMatchObject({ groups_also_in_train: { validation: 0, test: 0 } })
  const other = await split(ROWS, { train: 0.6, validation: 0.2, test: 0.2, seed: 7 })
  expect(await other.text('test.jsonl')).not.toBe(await ran.text('test.jsonl'))
})

test('new rows move no old row, and a share for validation does not change test', async () => {
  const old = await (await split(ROWS)).rows('test.jsonl')
  const more = await split([
    ...ROWS,
    { prompt: '新问题', response: '新' },
    { prompt: '又一个', response: '新' },
  ])
  const ids = new Set((await more.rows('test.jsonl')).map((row) => row.id))
  for (const row of old) expect(ids).toContain(row.id)
  const validated = await split(ROWS, { train: 0.7, validation: 0.1 })
  expect(await validated.rows('test.jsonl')).toEqual(old)
})

test('a split that was asked for is never empty', async () => {
  for (let seed = 0; seed < 30; seed++) {
    const ran = await split(ROWS.slice(0, 6), { train: 0.9, validation: 0.05, test: 0.05, seed })
    const rows = ran.summary['rows'] as Record<string, number>
    expect(Object.keys(rows)).toEqual(['train', 'validation', 'test'])
    expect(Math.min(...Object.values(rows))).toBeGreaterThan(0)
  }
  const failure = await failureOf(split(ROWS.slice(0, 2)))
  expect(failure.message).toBe('1 different prompts cannot fill 2 splits (train, test)')
})

test('shares that do not add up are refused with the sum and the fix', async () => {
  const failure = await failureOf(split(ROWS, { train: 0.9 }))
  expect(failure.message).toBe('the shares must add up to 100%: train 90% + validation 0% + test 20% = 110%')
  expect(failure.help).toBe('For example: train: 80%')
  await split(ROWS, { train: 0.7, validation: 0.1, test: 0.2 })
})

test('only the wanted splits are written', async () => {
  const ran = await split(ROWS, { train: 0, validation: 0.5, test: 0.5 })
  expect(Object.keys(ran.summary['rows'] as JsonObject)).toEqual(['validation', 'test'])
  const one = await split(ROWS, { train: 1, test: 0 })
  expect(one.summary['rows']).toEqual({ train: 200 })
})

test('splits of the source stay, and a leak is counted and warned of', async () => {
  const input = await inputOf({
    'a.jsonl': jsonl([
      { prompt: '怎么退款', response: '1' },
      { prompt: 'b', response: '2' },
    ]),
    'b.jsonl': jsonl([
      { prompt: '怎么，退款？', response: '3' },
      { prompt: 'c', response: '4' },
    ]),
  })
  const data = { ...input, splits: { train: ['a.jsonl'], test: ['b.jsonl'] } }
  const ran = await runOp(run, DEFAULTS, { data }, 'data')
  expect(await ran.json('dataset.json')).toMatchObject({
    splits: { train: { rows: 2 }, test: { rows: 2 } },
    groups_also_in_train: { test: 1 },
  })
  expect(ran.notes).toContainEqual(expect.stringMatching(/^warning: 1 prompt of test also occur/))
})

test('rows of one value of a field never lie in two splits', async () => {
  const rows = ROWS.map((row, i) => ({ ...row, customer: i % 3 === 0 ? i % 40 : `顾客${i % 40}` }))
  const ran = await split(rows, { group_by: 'customer', train: 0.6, validation: 0.2, test: 0.2 })
  const where = new Map<string, Set<string>>()
  for (const name of ['train', 'validation', 'test'])
    for (const { customer } of (await ran.rows(`${name}.jsonl`)) as unknown as readonly {
      customer: string
    }[])
      where.set(customer, (where.get(customer) ?? new Set()).add(name))
  expect([...where.values()].filter((splits) => splits.size > 1)).toEqual([])
  expect(new Set([...where.values()].flatMap((splits) => [...splits])).size).toBe(3)
  expect(await ran.json('dataset.json')).toMatchObject({ made_by: { group_by: 'customer' } })
  // Two customers may have asked the same; that is said.
  expect(ran.notes.join('\n')).toMatch(/prompts? of test also occurs? in train/)
  const reordered = await split([...rows].reverse(), {
    group_by: 'customer',
    train: 0.6,
    validation: 0.2,
    test: 0.2,
  })
  expect(await reordered.text('test.jsonl')).toBe(await ran.text('test.jsonl'))
})

test('a field that rows do not have is an error with what there is', async () => {
  const rows = ROWS.map((row, i) =>
    i === 3 ? { ...row, customer: null } : { ...row, customer: i, topic: 'x' },
  )
  const some = await failureOf(split(rows, { group_by: 'customer' }))
  const without = 'group_by: 1 of 200 rows have no field "customer", e.g. the one that asks “问题1？”'
  expect(some.message).toBe(`${without} (d.jsonl:4)`)
  const named = await failureOf(
    split(
      rows.map((row, i) => (i === 3 ? { id: '3f', ...row } : row)),
      { group_by: 'customer' },
    ),
  )
  expect(named.message).toBe(`${without} (id 3f)`)
  const none = await failureOf(split(rows, { group_by: 'constructor' }))
  expect(none.message).toBe('group_by: no row has a field "constructor"')
  expect(none.help).toMatch(/^Fields of these rows: prompt, customer, topic\./)
})

test('the name that a schema gives to the prompt means the prompt', async () => {
  const article = ROWS.map(({ prompt, response }) => ({ article: prompt, summary: response }))
  const input = {
    ...(await inputOf({ 'd.jsonl': jsonl(article) })),
    fields: { prompt: 'article', response: 'summary' },
  }
  const ran = await runOp(run, { ...DEFAULTS, group_by: 'article' }, { data: input }, 'data')
  expect(await ran.text('test.jsonl')).toBe(await (await split(ROWS)).text('test.jsonl'))
})

test('splits that came divided are held against the field, too', async () => {
  const input = await inputOf({
    'a.jsonl': jsonl([{ prompt: 'a', response: '1', customer: 'x' }]),
    'b.jsonl': jsonl([{ prompt: 'b', response: '2', customer: 'x' }]),
  })
  const data = { ...input, splits: { train: ['a.jsonl'], test: ['b.jsonl'] } }
  const ran = await runOp(run, { ...DEFAULTS, group_by: 'customer' }, { data }, 'data')
  expect(ran.notes).toContain(
    'warning: 1 value of "customer" of test also occurs in train, so test does not measure unseen groups',
  )
})
