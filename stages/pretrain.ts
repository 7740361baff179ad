/** `pretrain`: makes a small Llama-like language model, tokenizer included, from plain text. */
import type { JsonObject, OptionFault } from '../dsl/stage-signature.ts'
import type { StageKind } from '../engine/stage-kind.ts'
import { TRAINING_FACTS, TRAINING_LIVE } from './training-values.ts'

/** Heads share the width evenly, and rotary positions turn the values of each in pairs. */
function faults(options: JsonObject): readonly OptionFault[] {
  const [hidden, heads, kvHeads] = ['hidden', 'heads', 'kv_heads'].map((name) => Number(options[name]))
  if (hidden === undefined || heads === undefined || kvHeads === undefined) return []
  const found: OptionFault[] = []
  if (hidden % (2 * heads) !== 0) {
    const each = Number((hidden / heads).toFixed(2))
    found.push({
      options: ['heads', 'hidden'],
      message: {
        en: `${heads} heads cannot share a width of ${hidden}`,
        zh: `宽度 ${hidden} 没法平分给 ${heads} 个头`,
      },
      label: {
        en: `each would get ${each} values; an even whole number is needed`,
        zh: `每个头 ${each} 个数；必须是偶数`,
      },
      // The embedded worker generates with multiples of 16.
      help: [`hidden: ${Math.max(1, Math.round(hidden / (16 * heads))) * 16 * heads}`],
    })
  }
  if (heads % kvHeads !== 0)
    found.push({
      options: ['kv_heads', 'heads'],
      message: {
        en: `${kvHeads} key and value heads do not divide ${heads} heads`,
        zh: `kv_heads 是 ${kvHeads}，不能整除 heads ${heads}`,
      },
      label: { en: 'every group of heads shares one of them', zh: '每组头共用一个 kv 头' },
      help: [`kv_heads: ${heads}`],
    })
  return found
}

export const pretrain: StageKind = {
  name: 'pretrain',
  version: '1.0.0',
  summary: 'Trains a small Llama-like language model and its tokenizer from plain text.',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      hidden: {
        type: 'integer',
        minimum: 8,
        maximum: 4096,
        default: 128,
        description: 'Width of the model; must be divisible by `heads`.',
      },
      layers: {
        type: 'integer',
        minimum: 1,
        maximum: 128,
        default: 4,
        description: 'Number of transformer blocks.',
      },
      heads: {
        type: 'integer',
        minimum: 1,
        maximum: 128,
        default: 4,
        description: 'Number of attention heads.',
      },
      kv_heads: {
        type: 'integer',
        minimum: 1,
        maximum: 128,
        default: 4,
        description: 'Number of key and value heads; must divide `heads`.',
      },
      ffn: {
        type: 'integer',
        minimum: 8,
        maximum: 16384,
        default: 352,
        description: 'Width of the feed-forward layer.',
      },
      vocab: {
        type: 'integer',
        minimum: 258,
        maximum: 65536,
        default: 1024,
        description: 'Number of tokens in the vocabulary, the 256 bytes and special tokens included.',
      },
      context: {
        type: 'integer',
        minimum: 8,
        maximum: 8192,
        default: 128,
        description: 'Length of a training sequence, in tokens.',
      },
      steps: {
        type: 'integer',
        minimum: 1,
        maximum: 10000000,
        default: 600,
        description: 'Number of optimizer steps.',
      },
      batch_size: {
        type: 'integer',
        minimum: 1,
        maximum: 4096,
        default: 8,
        description: 'Sequences per step.',
      },
      lr: {
        type: 'number',
        exclusiveMinimum: 0,
        maximum: 1,
        default: 2e-3,
        description: 'Peak learning rate.',
      },
      warmup: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        default: 0.06,
        'x-type': 'ratio',
        description: 'Share of the steps in which the learning rate rises from zero to its peak.',
      },
      weight_decay: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        default: 0.05,
        description: 'Weight decay of AdamW, on matrices only.',
      },
      clip: {
        type: 'number',
        exclusiveMinimum: 0,
        maximum: 1000000,
        default: 1,
        description: 'Largest global norm of the gradient; longer gradients are scaled down to it.',
      },
      seed: {
        type: 'integer',
        minimum: 0,
        maximum: 4294967295,
        default: 42,
        description: 'Seed of the initial weights and of the order of the text.',
      },
    },
  },
  inputs: {
    corpus: { type: 'corpus', help: 'Plain text to learn from (*.txt).' },
    warm_start: {
      type: 'model',
      optional: true,
      named: true,
      help: 'A model of the same shape to go on training, with its tokenizer; its optimizer is not kept.',
    },
  },
  outputs: () => ({ model: 'model' }),
  live: TRAINING_LIVE,
  facts: TRAINING_FACTS,
  faults,
  smoke: (options) => ({
    ...options,
    hidden: 32,
    layers: 1,
    heads: 2,
    kv_heads: 2,
    ffn: 64,
    context: 32,
    batch_size: 2,
    steps: 2,
  }),
  steps: (options) => [
    {
      op: 'train-tokenizer',
      on: 'text',
      with: { vocab: options['vocab'] ?? null },
      inputs: { corpus: 'input:corpus', warm_start: 'input:warm_start' },
      outputs: { tokenizer: null },
    },
    {
      op: 'pretrain',
      on: 'kernel',
      with: options,
      inputs: {
        corpus: 'input:corpus',
        tokenizer: 'step:train-tokenizer.tokenizer',
        warm_start: 'input:warm_start',
      },
      outputs: { model: 'model' },
    },
  ],
}
