/** `shrink`: a tiny random model of the same architecture and tokenizer, to rehearse with what is too large for a rehearsal. */
import type { StageKind } from '../engine/stage-kind.ts'

export const shrink: StageKind = {
  name: 'shrink',
  version: '1.0.0',
  summary: 'Makes a tiny model of random weights with the architecture and the tokenizer of a model.',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      seed: {
        type: 'integer',
        minimum: 0,
        maximum: 4294967295,
        default: 42,
        description: 'Seed of the random weights.',
      },
    },
  },
  inputs: { model: { type: 'model', help: 'The model to imitate; its weights are not read.' } },
  outputs: () => ({ model: 'model' }),
  steps: (options) => [
    {
      op: 'shrink',
      on: 'kernel',
      with: options,
      inputs: { model: 'input:model' },
      outputs: { model: 'model' },
    },
  ],
}
