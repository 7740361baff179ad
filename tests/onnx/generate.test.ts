/** Generation: the cache changes nothing, rows do not influence each other, and the op writes samples. */
import { createHash } from 'node:crypto'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { generateGreedy, prefixLogits } from '../../workers/onnx/decoder.ts'
import { readAdapter, writeAdapter } from '../../workers/onnx/adapter-dir.ts'
import { readModel } from '../../workers/onnx/model-dir.ts'
import type { Model } from '../../workers/onnx/model-dir.ts'
import { run } from '../../workers/onnx/ops/generate.ts'
import { JobError } from '../../workers/op.ts'
import type { JsonObject } from '../../workers/protocol/json.ts'
import { run as tokenize } from '../../workers/text/ops/tokenize.ts'
import { openTokenizer } from '../../workers/text/tokenizer-files.ts'
import { writeTokens } from '../../workers/tokens-file.ts'
import {
  SMALL,
  byteTokenizerDir,
  fixtureDir,
  randomAdapter,
  randomModelDir,
  randomValues,
  tempDir,
} from './model-fixture.ts'

const VOCAB = 257
const BYTES = { ...SMALL, vocabSize: VOCAB }

/** Prompts of very different lengths, in no order. */
const PROMPTS = [9, 1, 30, 4, 17, 2, 30, 1].map((length, i) =>
  Array.from(randomValues(length, i + 1), (value) => 1 + Math.floor((value + 1) * 128)),
)
const OPTIONS = { threads: 1, maxNewTokens: 20, eosIds: [] }

function argmax(values: Float32Array): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0)
}

/** Greedy decoding without a cache: the whole text is computed again for every token. */
async function recompute(model: Model, prompt: readonly number[], count: number): Promise<number[]> {
  const ids = [...prompt]
  while (ids.length < prompt.length + count) {
    ids.push(argmax((await prefixLogits(model, null, ids, 1)).subarray(-VOCAB)))
  }
  return ids.slice(prompt.length)
}

describe('generateGreedy', () => {
  it('equals a full recomputation for every token', async () => {
    const model = readModel(randomModelDir(BYTES, 5))
    const chosen = [PROMPTS[0]!, PROMPTS[1]!, PROMPTS[2]!]
    const out = await generateGreedy(model, null, chosen, OPTIONS)
    for (const [i, prompt] of chosen.entries())
      expect(out[i]!.ids).toEqual(await recompute(model, prompt, 20))
  })

  it('gives a row the same answer in every company', async () => {
    const model = readModel(randomModelDir(BYTES, 6))
    const together = await generateGreedy(model, null, PROMPTS, OPTIONS)
    const pairs = await generateGreedy(model, null, PROMPTS, { ...OPTIONS, batchRows: 2 })
    const alone = await generateGreedy(model, null, PROMPTS, { ...OPTIONS, batchRows: 1 })
    expect(together).toEqual(alone)
    expect(pairs).toEqual(alone)
    expect(new Set(alone.map((row) => row.ids.join())).size).toBeGreaterThan(6)
  })

  it('ends rows at a stop token, one by one, and leaves the others as they were', async () => {
    const model = readModel(randomModelDir(BYTES, 6))
    const whole = await generateGreedy(model, null, PROMPTS, OPTIONS)
    const eos = whole[0]!.ids[7]!
    const finished: number[] = []
    const cut = await generateGreedy(model, null, PROMPTS, {
      ...OPTIONS,
      eosIds: [eos, whole[4]!.ids[3]!],
      onRow: (done) => finished.push(done),
    })
    const stops = new Set([eos, whole[4]!.ids[3]!])
    for (const [i, row] of whole.entries()) {
      const at = row.ids.findIndex((id) => stops.has(id))
      expect(cut[i]).toEqual(at < 0 ? row : { ids: row.ids.slice(0, at), stop: 'eos' })
    }
    expect(cut[0]!.stop).toBe('eos')
    expect(cut.some((row) => row.stop === 'length')).toBe(true)
    expect(finished).toEqual(PROMPTS.map((_, i) => i + 1))
  })

  it('stops between steps when it is told to', async () => {
    const model = readModel(randomModelDir(BYTES, 6))
    let steps = 0
    const throwIfCancelled = (): Promise<void> =>
      ++steps < 4 ? Promise.resolve() : Promise.reject(new JobError('cancelled', 'stopped'))
    await expect(generateGreedy(model, null, PROMPTS, { ...OPTIONS, throwIfCancelled })).rejects.toThrow(
      'stopped',
    )
    expect(steps).toBe(4)
  })
})

describe('the op', () => {
  const TEXTS = [
    { id: 'a', prompt: '问', response: 'no' },
    { id: 'b', prompt: 'longer prompt', response: '好' },
  ]

  async function tokensDir(modelDir: string, lossOn: 'response' | 'all'): Promise<string> {
    const dir = tempDir()
    const tokenizer = openTokenizer(modelDir)
    const encode = async (text: string): Promise<number[]> => (await tokenizer.encode(text)).getIds()
    const ids: number[] = []
    const loss: number[] = []
    const offsets = [0]
    for (const { prompt, response } of TEXTS) {
      const head = await encode(`<${prompt}>`)
      const answer = [...(await encode(response)), 0]
      ids.push(...head, ...answer)
      loss.push(...head.map((_, t) => (lossOn === 'all' && t > 0 ? 1 : 0)), ...answer.map(() => 1))
      offsets.push(ids.length)
    }
    await writeTokens(join(dir, 'test.tokens'), {
      ids: Int32Array.from(ids),
      loss: Uint8Array.from(loss),
      offsets: Uint32Array.from(offsets),
      rowIds: TEXTS.map((text) => text.id),
    })
    writeFileSync(join(dir, 'test.jsonl'), TEXTS.map((text) => `${JSON.stringify(text)}\n`).join(''))
    const manifest = {
      format: 1,
      template: '<{prompt}>{response}',
      loss_on: lossOn,
      max_length: 64,
      eos: { id: 0, text: '<|end|>' },
      tokenizer: createHash('sha256')
        .update(readFileSync(join(modelDir, 'tokenizer.json')))
        .digest('hex'),
      vocab_size: VOCAB,
      splits: { test: { rows: 2 } },
    }
    writeFileSync(join(dir, 'tokens.json'), JSON.stringify(manifest))
    return dir
  }

  async function generate(
    tokens: string,
    model: string,
    adapter?: string,
    options: JsonObject = {},
  ): Promise<{ rows: Record<string, string>[]; notes: string[]; summary: JsonObject }> {
    const out = tempDir()
    const notes: string[] = []
    const files = (dir: string) => ({ dir, files: [] })
    const summary = await run({
      with: { split: 'test', max_new_tokens: 12, ...options },
      inputs: {
        tokens: files(tokens),
        model: files(model),
        ...(adapter === undefined ? {} : { adapter: files(adapter) }),
      },
      outputs: { samples: out },
      threads: 1,
      progress: () => {},
      note: (_level, text) => notes.push(text),
      throwIfCancelled: () => Promise.resolve(),
    })
    const lines = readFileSync(join(out, 'samples.jsonl'), 'utf8').trimEnd().split('\n')
    return { rows: lines.map((line) => JSON.parse(line) as Record<string, string>), notes, summary }
  }

  it('writes one sample a row, decoded from the tokens after the prompt', async () => {
    const dir = randomModelDir(BYTES, 7)
    const { rows, summary } = await generate(await tokensDir(dir, 'response'), dir)
    expect(rows.map(({ id, prompt, reference }) => ({ id, prompt, response: reference }))).toEqual(TEXTS)
    const tokenizer = openTokenizer(dir)
    for (const row of rows) {
      const prompt = (await tokenizer.encode(`<${row['prompt']!}>`)).getIds()
      const [expected] = await generateGreedy(readModel(dir), null, [prompt], {
        threads: 1,
        maxNewTokens: 12,
        eosIds: [0],
      })
      expect(row['output']).toBe(await tokenizer.decode([...expected!.ids], true))
      expect(row['stop']).toBe(expected!.stop)
    }
    expect(summary).toMatchObject({ rows: 2 })
  })

  it('finds the prompt where every token is a target', async () => {
    const dir = randomModelDir(BYTES, 7)
    const all = await generate(await tokensDir(dir, 'all'), dir)
    expect(all.rows).toEqual((await generate(await tokensDir(dir, 'response'), dir)).rows)
  })

  it('asks with the prompt of a chat template, whatever is learnt, and takes off what stands around answers', async () => {
    const chat = fixtureDir('chat-templates/chatml')
    const { styles } = JSON.parse(readFileSync(fixtureDir('chat-templates.json'), 'utf8')) as {
      styles: {
        chatml: { rows: { ids: number[]; prompt_tokens: number; prompt: string; response: string }[] }
      }
    }
    const chosen = styles.chatml.rows.slice(0, 3)
    const config = { ...BYTES, vocabSize: openTokenizer(chat).getVocabSize(true), eosIds: [] }
    const dir = randomModelDir(config, 8)
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) cpSync(join(chat, name), join(dir, name))
    const data = tempDir()
    writeFileSync(join(data, 'd.jsonl'), chosen.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const made = async (lossOn: string): Promise<string> => {
      const out = tempDir()
      await tokenize({
        with: { template: 'chat', loss_on: lossOn, max_length: 512 },
        inputs: { data: { dir: data, files: ['d.jsonl'] }, model: { dir: chat, files: [] } },
        outputs: { tokens: out },
        threads: 1,
        progress: () => {},
        note: () => {},
        throwIfCancelled: () => Promise.resolve(),
      })
      return out
    }
    const tokens = await made('all')
    const { rows } = await generate(tokens, dir)
    const prompts = chosen.map(({ ids, prompt_tokens: length }) => ids.slice(0, length))
    const options = { threads: 1, maxNewTokens: 12, eosIds: [openTokenizer(chat).tokenToId('<|im_end|>')!] }
    const expected = await generateGreedy(readModel(dir), null, prompts, options)
    const answers = await openTokenizer(chat).decodeBatch(
      expected.map(({ ids }) => [...ids]),
      true,
    )
    expect(rows.map((row) => row['output'])).toEqual(answers)
    expect(rows.map((row) => row['stop'])).toEqual(expected.map(({ stop }) => stop))
    expect((await generate(await made('response'), dir)).rows).toEqual(rows)

    // What was generated now counts as what the template writes around an answer.
    const path = join(tokens, 'tokens.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as JsonObject
    const [first] = answers as [string]
    const around = { before: first.slice(0, 1), after: first.slice(-1) }
    writeFileSync(path, JSON.stringify({ ...manifest, around }))
    expect((await generate(tokens, dir)).rows[0]!['output']).toBe(first.slice(1, -1))
    // And its first token as the end of a turn: nothing is left of any answer that begins with it.
    const eos = { id: expected[0]!.ids[0]!, text: 'x' }
    writeFileSync(path, JSON.stringify({ ...manifest, eos }))
    expect((await generate(tokens, dir)).rows[0]).toMatchObject({ output: '', stop: 'eos' })
  })

  it('answers with the adapter if there is one', async () => {
    const dir = randomModelDir(BYTES, 7)
    const model = readModel(dir)
    const adapterDir = tempDir()
    writeAdapter(adapterDir, randomAdapter(model, ['q_proj', 'up_proj'], 4, 2), model, byteTokenizerDir())
    const tokens = await tokensDir(dir, 'response')
    const tuned = await generate(tokens, dir, adapterDir)
    const plain = await generate(tokens, dir)
    expect(tuned.rows.map((row) => row['output'])).not.toEqual(plain.rows.map((row) => row['output']))
    expect(readAdapter(adapterDir, model).targets).toEqual(['q_proj', 'up_proj'])
  })

  it('refuses an unknown split and tokens of another tokenizer, and warns of answers beyond the context', async () => {
    const dir = randomModelDir(BYTES, 7)
    const tokens = await tokensDir(dir, 'response')
    await expect(generate(tokens, dir, undefined, { split: 'dev' })).rejects.toThrow(
      'no split "dev"; they have test',
    )
    const { notes } = await generate(tokens, dir, undefined, { max_new_tokens: 60 })
    expect(notes.join()).toContain('the model was made for 64')
    const path = join(dir, 'tokenizer.json')
    writeFileSync(path, `${readFileSync(path, 'utf8')}\n`)
    await expect(generate(tokens, dir)).rejects.toThrow('made with another tokenizer')
  })
})
