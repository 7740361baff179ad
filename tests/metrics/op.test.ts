import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bleuStats, corpusBleu } from '../../metrics/bleu.ts'
import { METRIC_NAMES, METRICS, type MetricName, valueOf } from '../../metrics/catalogue.ts'
import { JobError, type OpContext } from '../../workers/op.ts'
import type { JsonObject } from '../../workers/protocol/json.ts'
import { run } from '../../workers/text/ops/metrics.ts'
import { writeTokens } from '../../workers/tokens-file.ts'

const TEST = [
  { id: 't1', prompt: '怎么退款', response: '请在订单页申请退款，三天内到账。' },
  { id: 't2', prompt: '怎么查物流', response: '请在订单页点查看物流。' },
]
const TRAIN = [
  { id: 'a', prompt: '如何退款？', response: '请在订单页申请退款，三天内到账。' },
  { id: 'b', prompt: '物流在哪查', response: '点物流即可。' },
]
const SCORES = [
  { id: 't1', nll: 6, tokens: 4, bytes: 48 },
  { id: 't2', nll: 2, tokens: 4, bytes: 33 },
]
const OUTPUTS = ['请在订单页申请退款，三天内到账。', '请在订单页面查看物流。']
const samplesOf = (outputs: readonly string[]) =>
  TEST.map(({ id, prompt, response }, index) => ({
    id,
    prompt,
    reference: response,
    output: outputs[index],
    stop: 'eos',
  }))

type Files = Record<string, Record<string, string>>
const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
const header = { format: 1, tokenizer: 'feed', max_length: 512, loss_on: 'response' }
const usual = (): Files => ({
  tokens: { 'test.jsonl': lines(TEST), 'train.jsonl': lines(TRAIN), 'tokens.json': JSON.stringify(header) },
  scores: { 'rows.jsonl': lines(SCORES) },
  samples: { 'samples.jsonl': lines(samplesOf(OUTPUTS)) },
})
const OPTIONS: JsonObject = {
  metrics: METRIC_NAMES,
  bleu_tokenizer: 'zh',
  split: 'test',
  max_new_tokens: 128,
}

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'metrics-op-'))
})
afterEach(() => rm(root, { recursive: true }))

interface Written {
  readonly ruler: string
  readonly rows: number
  readonly metrics: Record<
    string,
    { value: number | null; direction: string; signature: string; n: number; note?: string }
  >
  readonly slices?: Slices
}
type Slices = Record<
  string,
  Record<string, { rows: number; metrics: Record<string, { value: number | null; n: number }> }>
>

/** Beside every split its tokens: a first one that nothing predicts, and four that are learnt. */
async function encode(dir: string, content: Record<string, string>) {
  for (const [name, text] of Object.entries(content).filter(([file]) => file.endsWith('.jsonl'))) {
    const rowIds = text
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { id: string }).id]))
    await writeTokens(join(dir, name.replace('.jsonl', '.tokens')), {
      ids: new Int32Array(5 * rowIds.length),
      loss: Uint8Array.from({ length: 5 * rowIds.length }, () => 1),
      offsets: Uint32Array.from({ length: rowIds.length + 1 }, (_, row) => 5 * row),
      rowIds,
    })
  }
}

let runs = 0
async function measure(files: Files, options: JsonObject = {}) {
  const base = join(root, `run-${runs++}`)
  const inputs: Record<string, OpContext['inputs'][string]> = {}
  for (const [role, content] of Object.entries(files)) {
    const dir = join(base, role)
    await mkdir(dir, { recursive: true })
    for (const [name, text] of Object.entries(content)) await writeFile(join(dir, name), text)
    if (role === 'tokens') await encode(dir, content)
    inputs[role] = { dir, files: Object.keys(content).sort() }
  }
  const out = join(base, 'out')
  await mkdir(out)
  const notes: string[] = []
  const summary = await run({
    with: { ...OPTIONS, ...options },
    inputs,
    outputs: { metrics: out },
    threads: 1,
    progress: () => {},
    note: (_, text) => void notes.push(text),
    throwIfCancelled: () => Promise.resolve(),
  })
  const metrics = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8')) as Written
  const rows = (await readFile(join(out, 'rows.jsonl'), 'utf8')).trimEnd().split('\n')
  return {
    summary,
    notes,
    ...metrics,
    lines: rows.map(
      (row) =>
        JSON.parse(row) as {
          id: string
          fields?: Record<string, string>
          neighbour?: string
          statistics: Record<string, number[]>
        },
    ),
  }
}

test('measures every metric', async () => {
  const { metrics, summary, lines: kept, notes, rows } = await measure(usual())
  expect(rows).toBe(2)
  expect(Object.keys(metrics)).toEqual(METRIC_NAMES)
  expect(metrics['perplexity']?.value).toBeCloseTo(Math.E, 12)
  expect(metrics['bits_per_byte']?.value).toBeCloseTo(8 / 81 / Math.LN2, 12)
  const bleu = (outputs: readonly string[]) =>
    corpusBleu(TEST.map(({ response }, index) => bleuStats(outputs[index]!, response, 'zh')))
  expect(metrics['bleu']?.value).toBe(bleu(OUTPUTS))
  expect(metrics['exact_match']?.value).toBe(0.5)
  expect(metrics['neighbour_bleu']?.value).toBe(bleu(TRAIN.map((row) => row.response)))
  expect(metrics['neighbour_exact']?.value).toBe(0.5)
  expect(metrics['rouge_l']?.value).toBeGreaterThan(0.8)
  expect(metrics['bleu']).toMatchObject({ direction: 'higher', n: 2 })
  expect(metrics['perplexity']?.direction).toBe('lower')
  expect(kept.map((row) => row.neighbour)).toEqual(['a', 'b'])
  for (const name of METRIC_NAMES) expect(summary[name]).toBe(metrics[name]?.value)
  expect(notes).toEqual([])
})

test('row statistics give the written values again', async () => {
  const { metrics, lines: kept } = await measure(usual())
  for (const name of METRIC_NAMES) {
    const statistics = kept.map((row) => row.statistics[name]!)
    expect(statistics.every((row) => row.length === METRICS[name].columns.length)).toBe(true)
    expect(valueOf(METRICS[name], statistics)).toBe(metrics[name]?.value)
  }
})

test('the ruler follows the rows and settings, not the model or the training rows', async () => {
  const { ruler } = await measure(usual())
  expect(ruler).toMatch(/^[0-9a-f]{64}$/)
  const other = usual()
  other['scores'] = { 'rows.jsonl': lines(SCORES.map((row) => ({ ...row, nll: 1 }))) }
  other['samples'] = { 'samples.jsonl': lines(samplesOf(['x', 'y'])) }
  other['tokens'] = { ...other['tokens'], 'train.jsonl': lines(TRAIN.slice(1)) }
  expect((await measure(other)).ruler).toBe(ruler)

  const changed = usual()
  changed['tokens'] = {
    ...changed['tokens'],
    'test.jsonl': lines([TEST[0]!, { ...TEST[1]!, response: '请点物流。' }]),
  }
  changed['scores'] = { 'rows.jsonl': lines([SCORES[0]!, { ...SCORES[1]!, bytes: 15 }]) }
  const tokenizer = usual()
  tokenizer['tokens'] = {
    ...tokenizer['tokens'],
    'tokens.json': JSON.stringify({ ...header, tokenizer: 'beef' }),
  }
  const rulers = [
    ruler,
    (await measure(changed)).ruler,
    (await measure(tokenizer)).ruler,
    (await measure(usual(), { bleu_tokenizer: 'char' })).ruler,
    (await measure(usual(), { max_new_tokens: 64 })).ruler,
  ]
  expect(new Set(rulers).size).toBe(rulers.length)
})

test('another tokenizer of the model matters to perplexity only', async () => {
  const tokenizer = usual()
  tokenizer['tokens'] = {
    ...tokenizer['tokens'],
    'tokens.json': JSON.stringify({ ...header, tokenizer: 'beef' }),
  }
  const metrics: MetricName[] = ['bits_per_byte', 'bleu']
  expect((await measure(tokenizer, { metrics })).ruler).toBe((await measure(usual(), { metrics })).ruler)
})

/** Rows with these fields; scores and samples to match. */
function filesWith(fields: readonly object[]): Files {
  const rows = fields.map((more, index) => ({ ...TEST[index % 2]!, id: `r${index}`, ...more }))
  const scores = rows.map(({ id, response }, index) => ({
    id,
    nll: 1 + index,
    tokens: 4,
    bytes: Buffer.byteLength(response),
  }))
  const samples = rows.map(({ id, response }, index) => ({
    id,
    reference: response,
    output: OUTPUTS[(index >> 1) % 2]!,
  }))
  return {
    tokens: { 'test.jsonl': lines(rows), 'train.jsonl': lines(TRAIN), 'tokens.json': JSON.stringify(header) },
    scores: { 'rows.jsonl': lines(scores) },
    samples: { 'samples.jsonl': lines(samples) },
  }
}

test('slices: the rows of each value are measured apart, from the statistics that rows.jsonl keeps', async () => {
  const fields = [
    { section: 'sport', length: 10, checked: true },
    { section: 'arts', length: 10, checked: false },
    { section: 'sport', length: '10' },
    { section: 'arts', length: 2.5 },
    { section: '__proto__' },
    {},
  ]
  const options = { slices: ['section', 'length', 'checked'] }
  const { slices, lines: kept, metrics } = await measure(filesWith(fields), options)
  const counts = (field: string) =>
    Object.entries(slices?.[field] ?? {}).map(([value, slice]) => [value, slice.rows])
  expect(counts('section')).toEqual([
    ['(none)', 1],
    ['__proto__', 1],
    ['arts', 2],
    ['sport', 2],
  ])
  expect(counts('length')).toEqual([
    ['10', 3],
    ['(none)', 2],
    ['2.5', 1],
  ])
  expect(counts('checked')).toEqual([
    ['(none)', 4],
    ['false', 1],
    ['true', 1],
  ])
  expect(kept.map((row) => row.fields)).toEqual([
    { section: 'sport', length: '10', checked: 'true' },
    { section: 'arts', length: '10', checked: 'false' },
    { section: 'sport', length: '10' },
    { section: 'arts', length: '2.5' },
    JSON.parse('{"section":"__proto__"}'),
    {},
  ])
  for (const [field, groups] of Object.entries(slices ?? {})) {
    for (const [value, slice] of Object.entries(groups)) {
      const own = kept.filter((row) => (row.fields?.[field] ?? '(none)') === value)
      expect(Object.keys(slice.metrics)).toEqual(METRIC_NAMES)
      for (const name of METRIC_NAMES) {
        const wanted = valueOf(
          METRICS[name],
          own.map((row) => row.statistics[name]!),
        )
        expect(slice.metrics[name], `${field} ${value} ${name}`).toEqual({ value: wanted, n: slice.rows })
      }
    }
  }
  const perplexities = Object.values(slices?.['section'] ?? {}).map(
    ({ metrics: own }) => own['perplexity']?.value,
  )
  expect(new Set(perplexities).size).toBe(4)
  expect((await measure(filesWith(fields))).metrics).toEqual(metrics)
})

test('without slices nothing of them is written, and the ruler is what it was before there were any', async () => {
  const { slices, lines: kept, ruler } = await measure(filesWith([{ section: 'sport' }, {}]))
  expect(slices).toBeUndefined()
  expect(kept[0]).not.toHaveProperty('fields')
  const plain = await measure(filesWith([{}, {}]))
  expect(plain.ruler).toBe(ruler)
  expect((await measure(usual())).ruler).toBe(
    'efe6ef3f60ba6aeb7e30ddba3ccb34f4e11bd61c92daf8ad481cc5253071605c',
  )
})

test('the ruler covers the sliced fields and which row is in which slice', async () => {
  const rows = [
    { section: 'sport', page: 1 },
    { section: 'arts', page: 2 },
  ]
  const ruler = async (fields: readonly object[], slices: readonly string[]): Promise<string> =>
    (await measure(filesWith(fields), { slices })).ruler
  const rulers = [
    await ruler(rows, []),
    await ruler(rows, ['section']),
    await ruler(rows, ['section', 'page']),
    await ruler([...rows].reverse(), ['section']),
    await ruler([rows[0]!, {}], ['section']),
  ]
  expect(new Set(rulers).size).toBe(rulers.length)
  expect(await ruler(rows, ['page', 'section'])).toBe(rulers[2])
  expect(await ruler([rows[0]!, { ...rows[1], page: 3 }], ['section'])).toBe(rulers[1])
})

test('slices that make no sense are named with the field', async () => {
  const many = (count: number): Files =>
    filesWith(Array.from({ length: count }, (_, index) => ({ topic: index })))
  const errors = [
    [await failure(usual(), { slices: ['section'] }), 'no row of the split `test` has a field `section`'],
    [
      await failure(usual(), { slices: ['constructor'] }),
      'no row of the split `test` has a field `constructor`',
    ],
    [await failure(many(51), { slices: ['topic'] }), '`topic` has 51 values in the split `test`; at most 50'],
  ] as const
  for (const [error, words] of errors) {
    expect(error).toBeInstanceOf(JobError)
    expect((error as JobError).message).toContain(words)
    expect((error as JobError).help).not.toBeNull()
  }
  const most = await measure(many(50), { slices: ['topic'] })
  expect(Object.keys(most.slices?.['topic'] ?? {})).toHaveLength(50)
})

test('a slice with a broken loss has no value, the others have', async () => {
  const files = filesWith([{ section: 'sport' }, { section: 'arts' }])
  files['scores'] = {
    'rows.jsonl': '{"id":"r0","nll":null,"tokens":4,"bytes":48}\n{"id":"r1","nll":2,"tokens":4,"bytes":33}\n',
  }
  const { slices } = await measure(files, { slices: ['section'] })
  expect(slices?.['section']?.['sport']?.metrics['perplexity']).toEqual({ value: null, n: 1 })
  expect(slices?.['section']?.['arts']?.metrics['perplexity']?.value).toBeCloseTo(Math.exp(0.5), 12)
})

test('asks only for the inputs that the metrics need', async () => {
  const { tokens, samples } = usual()
  const { summary } = await measure({ tokens: tokens!, samples: samples! }, { metrics: ['exact_match'] })
  expect(summary['exact_match']).toBe(0.5)
  expect(summary).not.toHaveProperty('bleu')
  await expect(measure({ tokens: tokens! }, { metrics: ['perplexity'] })).rejects.toThrow(
    '`scores` is missing',
  )
})

test('a loss that is no number is null with a note', async () => {
  const files = usual()
  files['scores'] = {
    'rows.jsonl': '{"id":"t1","nll":null,"tokens":4,"bytes":48}\n' + lines(SCORES.slice(1)),
  }
  const { metrics, summary, notes } = await measure(files)
  expect(metrics['perplexity']).toMatchObject({ value: null, note: '1 of 2 rows have no finite loss' })
  expect(summary['bits_per_byte']).toBeNull()
  expect(metrics['bleu']?.value).toBeGreaterThan(0)
  expect(notes).toHaveLength(2)

  files['scores'] = { 'rows.jsonl': lines(SCORES.map((row) => ({ ...row, nll: 4000 }))) }
  expect((await measure(files)).metrics['perplexity']).toMatchObject({
    value: null,
    note: 'it came out as Infinity',
  })
})

test('without training rows the neighbour has no value, and the rest is measured', async () => {
  const files = usual()
  files['tokens'] = { 'test.jsonl': lines(TEST), 'tokens.json': JSON.stringify(header) }
  const { metrics, notes } = await measure(files)
  expect(metrics['neighbour_bleu']).toMatchObject({ value: null, n: 0 })
  expect(notes[0]).toContain('no split `train`')
  expect(metrics['exact_match']?.value).toBe(0.5)
})

async function failure(files: Files, options: JsonObject = {}): Promise<unknown> {
  return measure(files, options).then(
    () => null,
    (error: unknown) => error,
  )
}

test('mistakes of the user are named', async () => {
  const empty = usual()
  empty['tokens'] = { ...empty['tokens'], 'test.jsonl': '' }
  const failures = [
    [await failure(empty), 'the split `test` is empty'],
    [await failure(usual(), { split: 'exam' }), 'no split `exam`'],
    [await failure(usual(), { metrics: ['blue'] }), 'unknown metric "blue"'],
    [await failure(usual(), { metrics: [] }), 'no metrics'],
    [await failure(usual(), { bleu_tokenizer: 'intl' }), 'unknown bleu_tokenizer "intl"'],
  ] as const
  for (const [error, words] of failures) {
    expect(error).toBeInstanceOf(JobError)
    expect(error).toMatchObject({ kind: 'input' })
    expect((error as JobError).message).toContain(words)
    expect((error as JobError).help).not.toBeNull()
  }
  expect((failures[1][0] as JobError).help).toBe('the tokens have: test, train')
})

test('rows of a step before that do not fit the split are a bug, not a score', async () => {
  const missing = usual()
  missing['scores'] = { 'rows.jsonl': lines(SCORES.slice(0, 1)) }
  const swapped = usual()
  swapped['samples'] = { 'samples.jsonl': lines([...samplesOf(OUTPUTS)].reverse()) }
  const extra = usual()
  extra['samples'] = { 'samples.jsonl': lines([...samplesOf(OUTPUTS), { id: 't3', output: '' }]) }
  for (const files of [missing, swapped, extra]) {
    const error = await failure(files)
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toBeInstanceOf(JobError)
    expect((error as Error).message).toContain('they first differ at row')
  }
})

test.each([
  ['a negative loss', { nll: -5 }, 'scores of row "t1": nll is -5, and no probability is above 1'],
  ['a loss in words', { nll: '6' }, 'scores of row "t1": nll is "6", not a number'],
  ['too many tokens', { tokens: 8 }, 'scores of row "t1": tokens is 8, but 4 of its tokens are learnt'],
  ['no tokens', { tokens: null }, 'scores of row "t1": tokens is null, but 4 of its tokens are learnt'],
  ['other bytes', { bytes: 480 }, 'scores of row "t1": bytes is 480, but its response has 48'],
])('a worker that says %s is not believed', async (_, wrong, message) => {
  const files = usual()
  files['scores'] = { 'rows.jsonl': lines([{ ...SCORES[0], ...wrong }, SCORES[1]!]) }
  await expect(measure(files)).rejects.toThrow(message)
})
