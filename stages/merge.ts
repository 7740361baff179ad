/** `merge`: folds an adapter into its model, for what loads no adapters. */
import type { StageKind } from '../engine/stage-kind.ts'

export const merge: StageKind = {
  name: 'merge',
  version: '1.0.0',
  summary:
    'Folds an adapter into the model that it was trained on; the result is a model of its own, in float32.',
  options: { type: 'object', additionalProperties: false, properties: {} },
  inputs: {
    adapter: { type: 'adapter', help: 'The adapter to fold in.' },
    model: { type: 'model', help: 'The model that the adapter was trained on.' },
  },
  outputs: () => ({ model: 'model' }),
  steps: (options) => [
    {
      op: 'merge',
      on: 'kernel',
      with: options,
      inputs: { adapter: 'input:adapter', model: 'input:model' },
      outputs: { model: 'model' },
    },
  ],
}
