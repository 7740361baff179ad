/** The tokenize stage's job: which tokens a row becomes, which of them are learnt, and what is refused. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { byteLevelAlphabet } from 'tokenizers'
import { expect, test } from 'vitest'
import type { Json, JsonObject } from '../../workers/protocol/json.ts'
import { run } from '../../workers/text/ops/tokenize.ts'
import { readTokens } from '../../workers/tokens-file.ts'
import { failureOf, inputOf, jsonl, runOp } from './run-op.ts'
import type { Ran } from './run-op.ts'

const END = '<|end|>'
const END_ID = 256
/** Bytes in the order of their ids; a token is one byte, so lengths are easy to say. */
const ALPHABET = byteLevelAlphabet().sort()

const special = (id: number, content: string): Json => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})

const TOKENIZER = JSON.stringify({
  version: '1.0',
  // Both must be overruled: a row must not be cut or padded unseen.
  truncation: { direction: 'Right', max_length: 3, strategy: 'LongestFirst', stride: 0 },
  padding: {
    strategy: { Fixed: 40 },
    direction: 'Right',
    pad_to_multiple_of: null,
    pad_id: 0,
    pad_type_id: 0,
    pad_token: 'x',
  },
  added_tokens: [special(END_ID, END)],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  // A start token that must not be added.
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: END, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 0 } }],
    special_tokens: { [END]: { id: END, ids: [END_ID], tokens: [END] } },
  },
  decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries(ALPHABET.map((char, id) => [char, id])),
    merges: [],
  },
})

const MODEL = { 'tokenizer.json': TOKENIZER, 'config.json': JSON.stringify({ eos_token_id: END_ID }) }
const DEFAULTS = { template: 'Q{prompt}A{response}', loss_on: 'response', max_length: 512 }

const ids = (text: string): readonly number[] => Array.from(text).map((char) => ALPHABET.indexOf(char))

async function tokenize(
  rows: readonly Json[],
  options: JsonObject = {},
  model: Readonly<Record<string, string>> = MODEL,
): Promise<Ran> {
  const inputs = { data: await inputOf({ 'd.jsonl': jsonl(rows) }), model: await inputOf(model) }
  return runOp(run, { ...DEFAULTS, ...options }, inputs, 'tokens')
}

const read = (ran: Ran): ReturnType<typeof readTokens> => readTokens(join(ran.dir, 'all.tokens'))
const row = (prompt: string, response: string, id = prompt): Json => ({ id, prompt, response })

test('a row is its prompt, its response and the end token; only the latter two are learnt', async () => {
  const ran = await tokenize([row('ab', 'xyz'), row('c', '')])
  const tokens = await read(ran)
  expect([...tokens.ids]).toEqual([...ids('QabAxyz'), END_ID, ...ids('QcA'), END_ID])
  expect([...tokens.loss]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1])
  expect([...tokens.offsets]).toEqual([0, 8, 12])
  expect(tokens.rowIds).toEqual(['ab', 'c'])
  expect(await ran.rows('all.jsonl')).toEqual([row('ab', 'xyz'), row('c', '')])
  expect(await ran.json('tokens.json')).toEqual({
    format: 1,
    ...DEFAULTS,
    eos: { id: END_ID, text: END },
    tokenizer: createHash('sha256').update(TOKENIZER).digest('hex'),
    vocab_size: 257,
    splits: { all: { rows: 2, tokens: 12, supervised: 5, truncated: 0 } },
  })
})

test('further fields go with the rows, not into the tokens', async () => {
  const plain = await tokenize([row('ab', 'xyz')])
  const ran = await tokenize([{ ...(row('ab', 'xyz') as JsonObject), section: 'sport', rank: 3 }])
  expect(await ran.rows('all.jsonl')).toEqual([
    { ...(row('ab', 'xyz') as JsonObject), section: 'sport', rank: 3 },
  ])
  expect(await read(ran)).toEqual(await read(plain))
})

test('loss_on all learns everything that something comes before', async () => {
  const tokens = await read(await tokenize([row('ab', 'x')], { loss_on: 'all' }))
  expect([...tokens.loss]).toEqual([0, 1, 1, 1, 1, 1])
})

test('the first token of a row is never a target', async () => {
  const tokens = await read(await tokenize([row('', 'xy', 'r')], { template: '{prompt}{response}' }))
  expect([...tokens.loss]).toEqual([0, 1, 1])
})

test('a long row loses the start of its prompt and none of its response', async () => {
  const ran = await tokenize([row('abcdef', 'xyz'), row('g', 'h')], { max_length: 7 })
  const tokens = await read(ran)
  expect([...tokens.ids].slice(0, 7)).toEqual([...ids('efAxyz'), END_ID])
  expect([...tokens.loss].slice(0, 7)).toEqual([0, 0, 0, 1, 1, 1, 1])
  expect(ran.summary).toMatchObject({ splits: { all: { truncated: 1 } } })
  expect(ran.notes).toEqual([expect.stringMatching(/^warning: 1 of 2 rows lost the start/)])
})

test('responses that do not fit are refused by id', async () => {
  const rows = [row('a', 'xyz', 'r1'), row('b', 'x', 'r2'), row('c', 'wxyz', 'r3')]
  const failure = await failureOf(tokenize(rows, { max_length: 4 }))
  expect(failure.message).toBe(
    'the responses of 2 rows do not fit in max_length 4: r1 (4 tokens), r3 (5 tokens)',
  )
  expect(failure.help).toMatch(/above 5/)
  await tokenize(rows, { max_length: 6 })
})

test.each([
  ['{prompt}', /\{response\} occurs 0 times/],
  ['{response}', /\{prompt\} occurs 0 times/],
  ['{response}{prompt}', /\{response\} comes before \{prompt\}/],
  ['{prompt}{prompt}{response}', /\{prompt\} occurs 2 times/],
  ['{prompt}{response}{response}', /\{response\} occurs 2 times/],
  ['用户：', /\{prompt\} occurs 0 times/],
])('the template %s is refused', async (template, message) => {
  const failure = await failureOf(tokenize([row('a', 'b')], { template }))
  expect(failure.kind).toBe('input')
  expect(failure.message).toMatch(message)
})

test('text that looks like a placeholder or a pattern is only text', async () => {
  const tokens = await read(await tokenize([row('{response}', '$&$1{prompt}', 'r')]))
  expect([...tokens.ids]).toEqual([...ids('Q{response}A$&$1{prompt}'), END_ID])
})

test('the end token as text in a row is refused', async () => {
  const failure = await failureOf(tokenize([row('a', 'b'), row('c', `d${END}e`)]))
  expect(failure.message).toBe(`1 row with ${END}, the model's end token, as text: c`)
})

test('the end token is found in config.json, a list of them, or tokenizer_config.json', async () => {
  const end = async (files: Readonly<Record<string, string>>): Promise<unknown> =>
    (
      await (
        await tokenize([row('a', 'b')], {}, { 'tokenizer.json': TOKENIZER, ...files })
      ).json('tokens.json')
    )['eos']
  const expected = { id: END_ID, text: END }
  expect(await end({ 'config.json': `{"eos_token_id":[${END_ID},3]}` })).toEqual(expected)
  expect(await end({ 'tokenizer_config.json': `{"eos_token":"${END}"}` })).toEqual(expected)
  expect(await end({ 'tokenizer_config.json': `{"eos_token":{"content":"${END}"}}` })).toEqual(expected)
})

test.each<readonly [string, Readonly<Record<string, string>>, RegExp]>([
  ['no tokenizer', { 'config.json': '{}' }, /no tokenizer\.json/],
  ['a broken tokenizer', { ...MODEL, 'tokenizer.json': '{' }, /tokenizer\.json cannot be read/],
  ['no end token', { 'tokenizer.json': TOKENIZER }, /does not say which token ends/],
  ['an unknown end token', { ...MODEL, 'config.json': '{"eos_token_id":999}' }, /eos_token_id 999/],
])('a model with %s is refused', async (_, model, message) => {
  const failure = await failureOf(tokenize([row('a', 'b')], {}, model))
  expect(failure.kind).toBe('input')
  expect(failure.message).toMatch(message)
})

test('every split is encoded', async () => {
  const input = await inputOf({
    'a.jsonl': jsonl([row('a', 'b')]),
    'b.jsonl': jsonl([row('c', 'd'), row('e', 'f')]),
  })
  const data = { ...input, splits: { train: ['b.jsonl'], test: ['a.jsonl'] } }
  const ran = await runOp(run, DEFAULTS, { data, model: await inputOf(MODEL) }, 'tokens')
  expect(ran.summary).toMatchObject({ splits: { train: { rows: 2 }, test: { rows: 1 } } })
  expect((await readTokens(join(ran.dir, 'test.tokens'))).rowIds).toEqual(['a'])
})
