/** Every kind of bad input is refused with its place, what was found and the fix. */
import { expect, test } from 'vitest'
import type { InputFiles } from '../../workers/protocol/messages.ts'
import { readRows } from '../../workers/text/read-rows.ts'
import type { ReadRows } from '../../workers/text/read-rows.ts'
import { failureOf, inputOf, jsonl } from './run-op.ts'

/** As an op reads: what cannot be read rejects it. */
const reading = async (input: InputFiles): Promise<ReadRows> => readRows(input)

const good = '{"prompt":"a","response":"b"}\n'

test.each<readonly [string, string | Uint8Array, RegExp]>([
  ['broken JSON', `${good}\n{"prompt": "a"`, /^d\.jsonl:3: not JSON/],
  ['an array', `${good}["a","b"]`, /^d\.jsonl:2: expected an object .* found an array of 2/],
  ['a number', '5', /^d\.jsonl:1: .* found the number 5/],
  ['null', 'null', /^d\.jsonl:1: .* found null/],
  ['a pretty-printed array', '[\n {"prompt":"a","response":"b"}\n]', /one JSON array over several lines/],
  ['unknown fields', '{"ask":"a","reply":"b"}', /:1: expected the fields .* found the fields "ask", "reply"/],
  ['no fields', '{}', /found no fields/],
  ['half of a mapping', '{"prompt":"a","answer":"b"}', /found the fields "prompt", "answer"/],
  ['a number as response', '{"prompt":"a","response":5}', /:1: "response" must be text, found the number 5/],
  ['null as prompt', `${good}{"prompt":null,"response":"b"}`, /:2: "prompt" must be text, found null/],
  ['a list as response', '{"prompt":"a","response":["b"]}', /found an array of 1/],
  [
    'a second mapping',
    `${good}{"question":"a","answer":"b"}`,
    /:2: no field "prompt".*read as prompt\/response/,
  ],
  ['nothing', '', /no rows in d\.jsonl/],
  ['only blank lines', '\n  \n', /no rows in d\.jsonl/],
  [
    'GBK',
    Buffer.concat([
      Buffer.from(good + '{"prompt":"'),
      Buffer.of(0xc4, 0xe3),
      Buffer.from('","response":"b"}'),
    ]),
    /^d\.jsonl:2: not UTF-8 text; its bytes look like GBK/,
  ],
])('%s', async (_, content, message) => {
  const failure = await failureOf(reading(await inputOf({ 'd.jsonl': content })))
  expect(failure.kind).toBe('input')
  expect(failure.message).toMatch(message)
  expect(failure.help).toBeTruthy()
})

test.each<readonly [string, RegExp]>([
  ['[{"prompt":"a","response":"b"}]', /^jq -c '\.\[\]'/],
  ['{"q":"a","a":"b"}', /schema: \{ input: q, output: a \}$/],
  ['{"a":"1","b":"2","c":"3"}', /schema: \{ input: QUESTION, output: ANSWER \}$/],
  ['{"messages":[{"role":"user","content":"a"}]}', /response: \.messages\[1\]\.content/],
  ['{"conversations":[{"from":"human","value":"a"}]}', /prompt: \.conversations\[0\]\.value/],
])('there is a way out of %s', async (content, help) => {
  expect((await failureOf(reading(await inputOf({ 'd.jsonl': content })))).help).toMatch(help)
})

test('an input without JSON Lines says what it has', async () => {
  const failure = await failureOf(reading(await inputOf({ 'd.csv': 'a,b' })))
  expect(failure.message).toBe('expected *.jsonl files, found d.csv')
})

test('a file may have more rows than a call takes arguments', async () => {
  const count = 200_000
  const input = await inputOf({ 'd.jsonl': '{"prompt":"p","response":"r"}\n'.repeat(count) })
  expect(readRows(input).splits.get('all')).toHaveLength(count)
})

test('fields are found per file', async () => {
  const input = await inputOf({
    'a.jsonl': `\ufeff${jsonl([{ prompt: 'p', response: 'r', source: 'x' }])}`,
    'b/b.jsonl': jsonl([{ question: 'q', answer: 'a', id: '7' }]),
    'c.jsonl': jsonl([{ instruction: 'i', input: 'n', output: 'o' }]).replace('\n', '\r\n'),
  })
  const read = readRows(input)
  expect(read.splits.get('all')).toEqual([
    { id: null, prompt: 'p', response: 'r', fields: { source: 'x' }, place: 'a.jsonl:1' },
    { id: '7', prompt: 'q', response: 'a', fields: {}, place: 'b/b.jsonl:1' },
    { id: null, prompt: 'i\nn', response: 'o', fields: {}, place: 'c.jsonl:1' },
  ])
  expect(read.files.map((file) => file.mapping)).toEqual([
    'prompt/response',
    'question/answer',
    'instruction/output',
  ])
})

test('text, numbers, true and false stay with the row; what cannot stay is counted', async () => {
  const lines = [
    '{"prompt":"p","response":"r","topic":"a","rank":2,"checked":false,"tags":["x"],"meta":{"a":1},"none":null}',
    '{"prompt":"p","response":"r","__proto__":"plain","tags":[],"far":1e999}',
  ]
  const { splits, files } = readRows(await inputOf({ 'd.jsonl': lines.join('\n') }))
  const [first, second] = (splits.get('all') ?? []).map((row) => JSON.stringify(row.fields))
  expect(first).toBe('{"checked":false,"rank":2,"topic":"a"}')
  expect(second).toBe('{"__proto__":"plain"}')
  expect(files[0]?.ignored).toEqual({ far: 1, meta: 1, tags: 2 })
})

test('names that a row needs for itself cannot be further fields', async () => {
  const input = await inputOf({ 'd.jsonl': jsonl([{ question: 'q', answer: 'a', prompt: 'x', id: 5 }]) })
  const { splits, files } = readRows(input)
  expect(splits.get('all')).toMatchObject([{ id: null, prompt: 'q', response: 'a', fields: {} }])
  expect(files[0]?.ignored).toEqual({ prompt: 1 })
})

const NEWS = { prompt: 'article', response: 'summary' }

test('a schema says which fields are prompt and response, whatever else the row has', async () => {
  const rows = [{ article: 'a', summary: 's', section: 'sport', prompt: 'x', response: 'y' }]
  const input = { ...(await inputOf({ 'd.jsonl': jsonl(rows) })), fields: NEWS }
  const { splits, files } = readRows(input)
  expect(splits.get('all')).toMatchObject([
    { id: null, prompt: 'a', response: 's', fields: { section: 'sport' } },
  ])
  expect(files[0]).toMatchObject({ mapping: 'article/summary', ignored: { prompt: 1, response: 1 } })
})

test('a schema may name the id, which is then a field no more', async () => {
  const rows = [
    { key: 'n-1', article: 'a', summary: 's' },
    { key: 2, article: 'b', summary: 't', id: 'other' },
  ]
  const input = { ...(await inputOf({ 'd.jsonl': jsonl(rows) })), fields: { ...NEWS, id: 'key' } }
  const { splits, files } = readRows(input)
  expect(splits.get('all')).toMatchObject([
    { id: 'n-1', fields: {} },
    { id: '2', fields: {} },
  ])
  expect(files[0]?.ignored).toEqual({ id: 1 })
})

const news = (more: object): string => jsonl([{ article: 'a', summary: 's', key: 'k', ...more }])

test.each<readonly [string, string, RegExp]>([
  [
    'a row without the prompt',
    `${news({})}{"text":"b","summary":"t","key":"l"}`,
    /^d\.jsonl:2: no field "article", which the source's schema names; it has "text", "summary", "key"$/,
  ],
  ['no fields at all', '{}', /^d\.jsonl:1: no field "article".*; it has no fields$/],
  [
    'a prompt that is no text',
    news({ article: 5 }),
    /^d\.jsonl:1: "article" must be text, found the number 5$/,
  ],
  ['no id', news({ key: undefined }), /^d\.jsonl:1: "key" must be the row's id.*; it is not there$/],
  ['an empty id', news({ key: '' }), /^d\.jsonl:1: "key" must be the row's id.*; found the string ""$/],
  ['a nested id', news({ key: ['k'] }), /^d\.jsonl:1: "key" must be the row's id.*; found an array of 1$/],
  [
    'an id twice',
    news({}) + news({ article: 'b' }),
    /^d\.jsonl:2: the key "k" is that of d\.jsonl:1, too, which says something else$/,
  ],
])('schema: %s', async (_, text, message) => {
  const input = await inputOf({ 'd.jsonl': text })
  const failure = await failureOf(reading({ ...input, fields: { ...NEWS, id: 'key' } }))
  expect(failure.kind).toBe('input')
  expect(failure.message).toMatch(message)
  expect(failure.help).toBeTruthy()
})

test('an id that two files of a source share is refused, too', async () => {
  const input = await inputOf({ 'a.jsonl': news({}), 'b.jsonl': news({ article: 'b' }) })
  const failure = await failureOf(reading({ ...input, fields: { ...NEWS, id: 'key' } }))
  expect(failure.message).toBe('b.jsonl:1: the key "k" is that of a.jsonl:1, too, which says something else')
})

test('a copy of a row does not keep the id, so that cleaning can drop it', async () => {
  const input = await inputOf({ 'd.jsonl': news({ section: 'a' }) + news({ section: 'b' }) })
  const { splits } = readRows({ ...input, fields: { ...NEWS, id: 'key' } })
  expect(splits.get('all')?.map(({ id, fields }) => [id, fields['section']])).toEqual([
    ['k', 'a'],
    [null, 'b'],
  ])
})

test('a field called id may be the prompt', async () => {
  const input = await inputOf({ 'd.jsonl': jsonl([{ id: 'a', summary: 's' }]) })
  const { splits } = readRows({ ...input, fields: { prompt: 'id', response: 'summary' } })
  expect(splits.get('all')).toMatchObject([{ id: null, prompt: 'a', fields: {} }])
})

test('splits come from the source or from dataset.json', async () => {
  const input = await inputOf({
    'dataset.json': '{"format":1,"splits":{"test":{"rows":1}}}',
    'test.jsonl': good,
    'other.jsonl': good,
  })
  expect([...readRows(input).splits.keys()]).toEqual(['test'])
  const named = readRows({ ...input, splits: { train: ['other.jsonl'], test: ['test.jsonl'] } })
  expect([...named.splits.keys()]).toEqual(['train', 'test'])
  const old = await inputOf({ 'dataset.json': '{"format":9}' })
  expect((await failureOf(reading(old))).message).toMatch(/not a dataset of format 1/)
})
