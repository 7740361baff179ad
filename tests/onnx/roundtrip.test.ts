/** transformers and PEFT load what we write and compute the same. Runs where SLUICE_PYTHON names a Python with them. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeAdapter } from '../../workers/onnx/adapter-dir.ts'
import type { Adapter } from '../../workers/onnx/adapter-dir.ts'
import { generateGreedy, prefixLogits } from '../../workers/onnx/decoder.ts'
import { linearShapes, readModel, writeModel } from '../../workers/onnx/model-dir.ts'
import type { LlamaConfig, Model } from '../../workers/onnx/model-dir.ts'
import { run as trainTokenizer } from '../../workers/text/ops/train-tokenizer.ts'
import { openTokenizer } from '../../workers/text/tokenizer-files.ts'
import { fixtureDir, randomAdapter, randomWeights, tempDir } from './model-fixture.ts'

const python = process.env['SLUICE_PYTHON']
const TEXTS = [
  '职工养老金的最低缴费年限是多少？\n答：十五年。',
  '  2025 年 1 月 1 日起，Pension rules (v2) —— “新规”！🙂\t',
  '退休<|end|>',
]

async function tokenizerDir(): Promise<{ dir: string; vocab: number }> {
  const [corpus, dir] = [tempDir(), tempDir()]
  const text =
    '问：职工养老金的最低缴费年限是多少？\n答：最低缴费年限是十五年，2030 年起每年提高六个月。Pension rules.\n'
  writeFileSync(join(corpus, 'corpus.txt'), text.repeat(20))
  const { vocab } = await trainTokenizer({
    with: { vocab: 300 },
    inputs: { corpus: { dir: corpus, files: ['corpus.txt'] } },
    outputs: { tokenizer: dir },
    threads: 1,
    progress: () => {},
    note: () => {},
    throwIfCancelled: () => Promise.resolve(),
  })
  return { dir, vocab: vocab as number }
}

/** What the Python side is told to find: logits after every token of a prompt, and its greedy continuation. */
async function observe(model: Model, adapter: Adapter | null, ids: readonly number[]) {
  const { vocabSize } = model.config
  const flat = await prefixLogits(model, adapter, ids, 1)
  const logits = ids.map((_, t) => [...flat.subarray(t * vocabSize, (t + 1) * vocabSize)])
  const [greedy] = await generateGreedy(model, adapter, [ids], { threads: 1, maxNewTokens: 24, eosIds: [] })
  return { logits, greedy: greedy!.ids }
}

describe.skipIf(python === undefined)('transformers and PEFT read our directories', () => {
  it.each([true, false])('tied head: %s', { timeout: 120_000 }, async (tied) => {
    const root = tempDir()
    const { dir: tokenizer, vocab } = await tokenizerDir()
    const config: LlamaConfig = {
      vocabSize: vocab,
      hiddenSize: 64,
      intermediateSize: 96,
      layers: 2,
      heads: 4,
      kvHeads: tied ? 2 : 4,
      headDim: 16,
      rmsNormEps: 1e-5,
      ropeTheta: tied ? 10000 : 50000,
      tieWordEmbeddings: tied,
      maxPositions: 128,
      eosIds: [0],
    }
    const [modelDir, adapterDir] = [join(root, 'model'), join(root, 'adapter')]
    mkdirSync(modelDir)
    mkdirSync(adapterDir)
    writeModel(modelDir, config, randomWeights(config, 21, 0.3), tokenizer)
    const model = readModel(modelDir)
    const targets = tied ? ['q_proj', 'v_proj', 'down_proj'] : [...linearShapes(config).keys()]
    const adapter = randomAdapter(model, targets, 4, 22)
    writeAdapter(adapterDir, adapter, model, tokenizer)

    const encoder = openTokenizer(tokenizer)
    const encode = async (text: string): Promise<number[]> => (await encoder.encode(text)).getIds()
    const ids = await encode(TEXTS[0]!)
    const [base, tuned] = [await observe(model, null, ids), await observe(model, adapter, ids)]
    const expected = {
      eos: 0,
      ids,
      logits: base.logits,
      greedy: base.greedy,
      adaptedLogits: tuned.logits,
      adaptedGreedy: tuned.greedy,
      texts: await Promise.all(TEXTS.map(async (text) => ({ text, ids: await encode(text) }))),
    }
    writeFileSync(join(root, 'expected.json'), JSON.stringify(expected))
    const result = spawnSync(python!, [fixtureDir('check_roundtrip.py'), root], { encoding: 'utf8' })
    if (process.env['SLUICE_SHOW_ROUNDTRIP'] !== undefined) console.log(result.stdout)
    expect(result.stdout + result.stderr).toContain('"problems": []')
    expect(result.status).toBe(0)
  })
})
