/** `split`: divides rows into train, validation and test by the content of their prompts. */
import type { JsonObject } from '../dsl/stage-signature.ts'
import type { StageKind } from '../engine/stage-kind.ts'

const ratio = (description: string, value: number): JsonObject => ({
  type: 'number',
  minimum: 0,
  maximum: 1,
  default: value,
  'x-type': 'ratio',
  description,
})

export const split: StageKind = {
  name: 'split',
  version: '1.1.0',
  summary: 'Divides rows into train, validation and test; the order of the rows does not matter.',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      train: ratio('Share of the rows to learn from; the three shares must add up to 100%.', 0.8),
      validation: ratio('Share of the rows to watch during training.', 0),
      test: ratio('Share of the rows to judge the result with.', 0.2),
      group_by: {
        type: 'string',
        minLength: 1,
        default: 'prompt',
        description:
          'What never lies in two splits: rows of one prompt, whatever its punctuation, or of one value of this field.',
      },
      seed: {
        type: 'integer',
        minimum: 0,
        maximum: 4294967295,
        default: 42,
        description: 'Seed of the division; another seed gives another one.',
      },
    },
  },
  inputs: { data: { type: 'dataset', help: 'The rows to divide.' } },
  outputs: () => ({ data: 'dataset' }),
  steps: (options) => [
    { op: 'split', on: 'text', with: options, inputs: { data: 'input:data' }, outputs: { data: 'data' } },
  ],
}
