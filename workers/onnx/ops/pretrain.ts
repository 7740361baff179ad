/** Trains a small Llama on plain text, from random weights or from those of a model. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from 'tokenizers'
import type { JsonObject } from '../../protocol/json.ts'
import { JobError } from '../../op.ts'
import type { OpContext } from '../../op.ts'
import type { InputFiles } from '../../protocol/messages.ts'
import { packBatches } from '../batches.ts'
import { corpusWindows, splitDocuments } from '../corpus.ts'
import { createRunner } from '../llama-runner.ts'
import { shouldRecompute } from '../memory-plan.ts'
import { readModel, readWeight, writeModel } from '../model-dir.ts'
import type { LlamaConfig, Model } from '../model-dir.ts'
import { numberOption } from '../op-options.ts'
import { fullLayout, viewOf } from '../parameter-layout.ts'
import type { ParameterLayout } from '../parameter-layout.ts'
import { seededRandom } from '../random.ts'
import type { Random } from '../random.ts'
import { finalLoss, train } from '../trainer.ts'
import { refuseDifferences } from '../warm-start.ts'

const END = '<|end|>'
const MAX_TOKENS = 4096
/** The decoder's attention operator takes heads of such a width only; a model that cannot answer is of no use. */
const HEAD_MULTIPLE = 16
/** As in Llama's own training: random weights have this standard deviation. */
const INITIAL_STD = 0.02

/** Options: see the pretrain stage. Output `model`: Hugging Face's layout with the tokenizer. */
export async function run(context: OpContext): Promise<JsonObject> {
  const options = context.with
  const tokenizerDir = context.inputs['tokenizer']!.dir
  const tokenizer = Tokenizer.fromFile(join(tokenizerDir, 'tokenizer.json'))
  const start = context.inputs['warm_start']
  const warm = start === undefined ? null : readModel(start.dir)
  const end = warm === null ? tokenizer.tokenToId(END) : (warm.config.eosIds[0] ?? null)
  if (end === null) throw new JobError('input', `The tokenizer has no token ${END}.`)
  // Before the corpus is read: a shape that cannot be used costs no time.
  const asked = configOf(options, tokenizer.getVocabSize(true), end)
  const config = warm === null ? asked : warmConfig(warm.config, asked)
  const documents = await encodeCorpus(context.inputs['corpus']!, tokenizer)

  const seed = numberOption(options, 'seed')
  const length = numberOption(options, 'context')
  const rows = numberOption(options, 'batch_size')
  const windows = corpusWindows(documents, end, length, seededRandom(seed, 'documents'))
  const layout = fullLayout(config)
  const parameters =
    warm === null ? initialWeights(layout, seededRandom(seed, 'weights')) : weightsOf(warm, layout)
  const gradients = new Float32Array(layout.size)
  const runner = createRunner({
    config,
    model: null,
    layout,
    lora: null,
    parameters,
    gradients,
    recompute: shouldRecompute(config, Math.max(1, Math.min(rows, Math.floor(MAX_TOKENS / length))), length),
    threads: context.threads,
  })
  const records = await train(context, {
    runner,
    layout,
    parameters,
    gradients,
    schedule: {
      name: 'cosine',
      lr: numberOption(options, 'lr'),
      warmup: numberOption(options, 'warmup'),
      steps: numberOption(options, 'steps'),
    },
    // A shorter memory than AdamW's usual 0.999 suits runs of a few hundred steps.
    beta2: 0.98,
    weightDecay: numberOption(options, 'weight_decay'),
    clip: numberOption(options, 'clip'),
    nextBatches: () =>
      packBatches(
        Array.from({ length: rows }, () => windows.next()),
        { roundTo: 1, maxTokens: MAX_TOKENS },
      ),
  })
  await runner.close()

  const weights = new Map(
    [...layout.views.values()].map((view) => [
      view.name,
      { shape: view.shape, data: viewOf(parameters, view) },
    ]),
  )
  writeModel(context.outputs['model']!, config, weights, tokenizerDir)
  return {
    parameters: layout.size,
    documents: documents.length,
    corpus_tokens: documents.reduce((sum, document) => sum + document.length + 1, 0),
    steps: records.length,
    tokens: records.at(-1)?.tokens ?? 0,
    epochs: windows.epoch + 1,
    first_loss: records[0]?.loss ?? null,
    loss: records.length === 0 ? null : finalLoss(records),
  }
}

async function encodeCorpus(corpus: InputFiles, tokenizer: Tokenizer): Promise<number[][]> {
  const texts = corpus.files.map((file) => readFileSync(join(corpus.dir, file), 'utf8'))
  const documents = texts.flatMap(splitDocuments)
  if (documents.length === 0) {
    throw new JobError('input', `The corpus is empty (${corpus.files.join(', ') || 'no files'}).`)
  }
  const encodings = await tokenizer.encodeBatch(documents, { addSpecialTokens: false })
  return encodings.map((encoding) => encoding.getIds())
}

function configOf(options: JsonObject, vocabSize: number, end: number): LlamaConfig {
  const hiddenSize = numberOption(options, 'hidden')
  const heads = numberOption(options, 'heads')
  const kvHeads = numberOption(options, 'kv_heads', heads)
  if (hiddenSize % (heads * HEAD_MULTIPLE) !== 0) {
    const unit = heads * HEAD_MULTIPLE
    throw new JobError(
      'input',
      `hidden ${hiddenSize} shared by ${heads} heads gives each ${Number((hiddenSize / heads).toFixed(2))} values; generation needs a multiple of ${HEAD_MULTIPLE}.`,
      `Make hidden a multiple of ${HEAD_MULTIPLE} · heads, such as ${Math.max(1, Math.round(hiddenSize / unit)) * unit}, or change heads.`,
    )
  }
  if (heads % kvHeads !== 0) {
    throw new JobError(
      'input',
      `heads (${heads}) must be a multiple of kv_heads (${kvHeads}).`,
      `Make kv_heads a divisor of ${heads}; kv_heads: ${heads} is ordinary attention.`,
    )
  }
  return {
    vocabSize,
    hiddenSize,
    intermediateSize: numberOption(options, 'ffn'),
    layers: numberOption(options, 'layers'),
    heads,
    kvHeads,
    headDim: hiddenSize / heads,
    rmsNormEps: 1e-5,
    ropeTheta: 10000,
    tieWordEmbeddings: options['tied'] !== false,
    // Rotary positions reach beyond the trained context, so later stages may use somewhat longer rows.
    maxPositions: Math.max(512, numberOption(options, 'context')),
    eosIds: [end],
  }
}

/** What goes on has the model's own configuration, which the options must not contradict. */
function warmConfig(given: LlamaConfig, asked: LlamaConfig): LlamaConfig {
  refuseDifferences('model', [
    ['hidden', given.hiddenSize, asked.hiddenSize],
    ['layers', given.layers, asked.layers],
    ['heads', given.heads, asked.heads],
    ['kv_heads', given.kvHeads, asked.kvHeads],
    ['ffn', given.intermediateSize, asked.intermediateSize],
  ])
  if (given.vocabSize < asked.vocabSize)
    throw new JobError(
      'input',
      `The model of warm_start has weights for ${given.vocabSize} tokens, its tokenizer has ${asked.vocabSize}.`,
      'Give a model with the tokenizer that it was trained with.',
    )
  return { ...given, maxPositions: Math.max(given.maxPositions, asked.maxPositions) }
}

function weightsOf(model: Model, layout: ParameterLayout): Float32Array {
  const flat = new Float32Array(layout.size)
  for (const view of layout.views.values()) viewOf(flat, view).set(readWeight(model, view.name))
  return flat
}

/** Matrices are normal with `INITIAL_STD`, norm weights are one. */
function initialWeights(layout: ParameterLayout, random: Random): Float32Array {
  const flat = new Float32Array(layout.size).fill(1)
  for (const view of layout.views.values()) {
    if (view.shape.length === 1) continue
    for (let i = 0; i < view.size; i++) flat[view.offset + i] = random.normal() * INITIAL_STD
  }
  return flat
}
