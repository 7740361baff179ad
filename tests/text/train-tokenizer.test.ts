/** Training a tokenizer: what it writes can be read, gives every text back, and is the same every time. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../workers/protocol/json.ts'
import type { OpContext } from '../../workers/op.ts'
import { run } from '../../workers/text/ops/train-tokenizer.ts'
import { byteAlphabet, openTokenizer, tokenizerJson } from '../../workers/text/tokenizer-files.ts'

const SENTENCES = [
  '退休年龄怎么算？',
  '养老金按月领取，缴费满十五年。',
  'Pension rules, 2025: 15 years.',
  '社保卡丢了怎么办？',
]
let dir = ''

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'train-tokenizer-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function train(files: Record<string, string>, vocab: unknown, name = 'out'): Promise<JsonObject> {
  const out = join(dir, name)
  mkdirSync(join(dir, 'corpus'), { recursive: true })
  mkdirSync(out)
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, 'corpus', file), text)
  const context: OpContext = {
    with: { vocab } as JsonObject,
    inputs: { corpus: { dir: join(dir, 'corpus'), files: Object.keys(files).sort() } },
    outputs: { tokenizer: out },
    threads: 1,
    progress: () => {},
    note: () => {},
    throwIfCancelled: () => Promise.resolve(),
  }
  return run(context)
}

describe('train-tokenizer', () => {
  const corpus = {
    'a.txt': SENTENCES.slice(0, 2).join('\n').repeat(5),
    'b.txt': SENTENCES.slice(2).join('\n').repeat(5),
  }

  it('gives any text back, whether the corpus had its characters or not', async () => {
    await train(corpus, 320)
    const tokenizer = openTokenizer(join(dir, 'out'))
    for (const text of [...SENTENCES, ' 前导空格  与\n换行\t', '🙂 émoji', '\u0000']) {
      const { length, decoded } = await roundTrip(tokenizer, text)
      expect(decoded).toBe(text)
      expect(length).toBeGreaterThan(0)
    }
  })

  it('learns from every file of the corpus', async () => {
    await train(corpus, 400)
    const tokenizer = openTokenizer(join(dir, 'out'))
    for (const text of SENTENCES) {
      const { length } = await roundTrip(tokenizer, text)
      expect(length).toBeLessThan(Buffer.byteLength(text) / 2)
    }
  })

  it('keeps to the limit, and keeps the end token whole', async () => {
    expect(await train(corpus, 300)).toMatchObject({ vocab: 300, files: 2 })
    const tokenizer = openTokenizer(join(dir, 'out'))
    const ids = (await tokenizer.encode('养老<|end|>', null, { addSpecialTokens: false })).getIds()
    expect(ids.at(-1)).toBe(0)
    expect(ids.filter((id) => id === 0)).toHaveLength(1)
    expect(Math.max(...Object.values(tokenizer.getVocab(true)))).toBe(299)
  })

  it('writes the same bytes twice', async () => {
    await train(corpus, 350, 'one')
    await train(corpus, 350, 'two')
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
      expect(readFileSync(join(dir, 'one', file), 'utf8')).toBe(readFileSync(join(dir, 'two', file), 'utf8'))
    }
  })

  it('refuses a vocabulary without room for the bytes, and an empty corpus', async () => {
    await expect(train(corpus, 256)).rejects.toThrow(/at least 257/)
    await expect(train({ 'empty.txt': '' }, 300, 'other')).rejects.toThrow(/corpus is empty/)
  })
})

describe('tokenizerJson', () => {
  it('does not spend a place on a token that two merges make', () => {
    const [a, b, c] = ['a', 'b', 'c'] as const
    const merges = [
      [a, b],
      [b, c],
      ['ab', c],
      [a, 'bc'],
      [c, a],
    ] as const
    const { model } = tokenizerJson(merges, 257 + 3) as {
      model: { merges: string[]; vocab: Record<string, number> }
    }
    expect(model.merges).toEqual(['a b', 'b c', 'ab c', 'a bc'])
    expect(Object.keys(model.vocab)).toHaveLength(260)
  })

  it('has 256 different characters for the bytes', () => {
    expect(new Set(byteAlphabet()).size).toBe(256)
    expect(byteAlphabet()[32]).toBe('Ġ')
    expect(byteAlphabet()[173]).toBe('Ń')
  })
})

async function roundTrip(
  tokenizer: ReturnType<typeof openTokenizer>,
  text: string,
): Promise<{ length: number; decoded: string }> {
  const ids = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds()
  return { length: ids.length, decoded: await tokenizer.decode(ids, true) }
}
