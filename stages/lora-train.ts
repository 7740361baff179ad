/** `lora-train`: fine-tunes a model by learning a LoRA adapter beside its frozen weights. */
import type { StageKind } from '../engine/stage-kind.ts'
import { TRAINING_FACTS, TRAINING_LIVE } from './training-values.ts'

export const loraTrain: StageKind = {
  name: 'lora-train',
  version: '1.0.0',
  summary: 'Learns a LoRA adapter (PEFT format) for a model from tokens.',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      r: {
        type: 'integer',
        minimum: 1,
        maximum: 1024,
        default: 8,
        description: 'Rank of the adapter; more can learn more and costs more.',
      },
      alpha: {
        type: 'number',
        exclusiveMinimum: 0,
        maximum: 4096,
        default: 16,
        description: 'Strength of the adapter: its output is scaled by alpha / r.',
      },
      dropout: {
        type: 'number',
        minimum: 0,
        exclusiveMaximum: 1,
        default: 0,
        'x-type': 'ratio',
        description: "Share of the adapter's inputs that is left out at random while training.",
      },
      target: {
        oneOf: [
          { const: 'all-linear' },
          {
            type: 'array',
            minItems: 1,
            uniqueItems: true,
            items: {
              enum: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
            },
          },
        ],
        default: 'all-linear',
        description: 'Layers that get an adapter: `all-linear`, or a list of their names.',
      },
      lr: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        default: 2e-4,
        description: 'Peak learning rate.',
      },
      schedule: {
        enum: ['cosine', 'linear', 'constant'],
        default: 'cosine',
        description: 'How the learning rate falls after its warm-up.',
      },
      warmup: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        default: 0.03,
        'x-type': 'ratio',
        description: 'Share of the steps in which the learning rate rises from zero to its peak.',
      },
      epochs: {
        type: 'integer',
        minimum: 1,
        maximum: 10000,
        default: 3,
        description: 'How often the whole train split is seen.',
      },
      max_steps: {
        type: 'integer',
        minimum: 1,
        maximum: 10000000,
        description: 'Most optimizer steps; training ends there even if epochs are left.',
      },
      batch_size: {
        type: 'integer',
        minimum: 1,
        maximum: 4096,
        default: 8,
        description: 'Rows that are computed at once.',
      },
      grad_accum: {
        type: 'integer',
        minimum: 1,
        maximum: 4096,
        default: 1,
        description: 'Batches per optimizer step; the gradient is that of one batch of all their rows.',
      },
      weight_decay: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        default: 0,
        description: 'Weight decay of AdamW.',
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
        description: 'Seed of the adapter, of dropout and of the order of the rows.',
      },
    },
  },
  inputs: {
    tokens: { type: 'tokens', help: 'Rows to learn from; only the train split is read.' },
    model: { type: 'model', help: 'The model to tune; its weights stay as they are.' },
    warm_start: {
      type: 'adapter',
      optional: true,
      named: true,
      help: 'An adapter of the same model, r, alpha and target to go on training; its optimizer is not kept.',
    },
  },
  outputs: () => ({ adapter: 'adapter', training: 'report' }),
  live: TRAINING_LIVE,
  facts: TRAINING_FACTS,
  needsSplits: () => [{ split: 'train', option: null }],
  smoke: (options) => ({ ...options, epochs: 1, max_steps: 2 }),
  steps: (options) => [
    {
      op: 'lora-train',
      on: 'kernel',
      with: options,
      inputs: { tokens: 'input:tokens', model: 'input:model', warm_start: 'input:warm_start' },
      outputs: { adapter: 'adapter', training: 'training' },
    },
  ],
}
