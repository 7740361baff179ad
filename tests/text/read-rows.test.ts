/** Every kind of bad input is refused with its place, what was found and the fix. */
import { expect, test } from 'vitest'
import { readRows } from '../../workers/text/read-rows.ts'
import { failureOf, inputOf, jsonl } from './run-op.ts'

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
  const failure = await failureOf(readRows(await inputOf({ 'd.jsonl': content })))
  expect(failure.kind).toBe('input')
  expect(failure.message).toMatch(message)
  expect(failure.help).toBeTruthy()
})

test('an input without JSON Lines says what it has', async () => {
  const failure = await failureOf(readRows(await inputOf({ 'd.csv': 'a,b' })))
  expect(failure.message).toBe('expected *.jsonl files, found d.csv')
})

test('fields are found per file', async () => {
  const input = await inputOf({
    'a.jsonl': `\ufeff${jsonl([{ prompt: 'p', response: 'r', source: 'x' }])}`,
    'b/b.jsonl': jsonl([{ question: 'q', answer: 'a', id: '7' }]),
    'c.jsonl': jsonl([{ instruction: 'i', input: 'n', output: 'o' }]).replace('\n', '\r\n'),
  })
  const read = await readRows(input)
  expect(read.splits.get('all')).toEqual([
    { id: null, prompt: 'p', response: 'r', place: 'a.jsonl:1' },
    { id: '7', prompt: 'q', response: 'a', place: 'b/b.jsonl:1' },
    { id: null, prompt: 'i\nn', response: 'o', place: 'c.jsonl:1' },
  ])
  expect(read.files.map((file) => file.mapping)).toEqual([
    'prompt/response',
    'question/answer',
    'instruction/output',
  ])
  expect(read.files[0]?.ignored).toEqual(['source'])
})

test('splits come from the source or from dataset.json', async () => {
  const input = await inputOf({
    'dataset.json': '{"format":1,"splits":{"test":{"rows":1}}}',
    'test.jsonl': good,
    'other.jsonl': good,
  })
  expect([...(await readRows(input)).splits.keys()]).toEqual(['test'])
  const named = await readRows({ ...input, splits: { train: ['other.jsonl'], test: ['test.jsonl'] } })
  expect([...named.splits.keys()]).toEqual(['train', 'test'])
  const old = await inputOf({ 'dataset.json': '{"format":9}' })
  expect((await failureOf(readRows(old))).message).toMatch(/not a dataset of format 1/)
})
