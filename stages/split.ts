/** `split`: divides rows into train, validation and test by the content of their prompts. */
import type { JsonObject, OptionFault } from '../dsl/stage-signature.ts'
import type { StageKind } from '../engine/stage-kind.ts'

const ratio = (description: string, value: number): JsonObject => ({
  type: 'number',
  minimum: 0,
  maximum: 1,
  default: value,
  'x-type': 'ratio',
  description,
})

const SHARES = ['train', 'validation', 'test'] as const

const percent = (share: number): string => `${Number((share * 100).toFixed(4))}%`

function faults(options: JsonObject): readonly OptionFault[] {
  const shares = SHARES.map((name) => Number(options[name]))
  const sum = shares.reduce((total, share) => total + share, 0)
  if (Math.abs(sum - 1) <= 1e-9) return []
  const parts = SHARES.map((name, i) => `${name} ${percent(shares[i] ?? 0)}`).join(' + ')
  const train = 1 - Number(options['validation']) - Number(options['test'])
  return [
    {
      options: SHARES,
      message: {
        en: `the shares of the splits add up to ${percent(sum)}, not 100%`,
        zh: `各划分的比例加起来是 ${percent(sum)}，不是 100%`,
      },
      label: { en: parts, zh: parts },
      help: [train > 1e-9 ? `train: ${percent(train)}` : 'train: 80%, validation: 10%, test: 10%'],
    },
  ]
}

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
  faults,
  // Rows that come divided stay as they are.
  splits: (options, given) =>
    given === null || given.join() !== 'all' ? given : SHARES.filter((name) => Number(options[name]) > 0),
  steps: (options) => [
    { op: 'split', on: 'text', with: options, inputs: { data: 'input:data' }, outputs: { data: 'data' } },
  ],
}
