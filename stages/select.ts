/** `select`: chooses the best of several trials by measured values; decided on every run, without a job. */
import type { StageKind } from '../engine/stage-kind.ts'

export const select: StageKind = {
  name: 'select',
  version: '1.0.0',
  summary: 'Chooses the best trial of a matrix by what was measured, and hands its adapter or model on.',
  options: {
    type: 'object',
    additionalProperties: false,
    required: ['by'],
    properties: {
      by: {
        type: 'string',
        'x-type': 'pick',
        description: 'What decides: `best`, `min` or `max` and a metric, such as `best perplexity`.',
      },
      where: {
        type: 'string',
        'x-type': 'check',
        description: 'Only trials that fulfil this check are considered, such as `bleu >= 0.25`.',
      },
      tie: {
        type: 'string',
        'x-type': 'tie',
        description:
          'Which of equally good trials: `smallest` or `largest` and an axis, such as `smallest r`.',
      },
      at_least: {
        type: ['string', 'integer'],
        'x-type': 'quorum',
        description: 'How many trials must have succeeded, such as `6 of 8`; all of them if nothing is said.',
      },
      choose: {
        enum: ['adapter', 'model'],
        default: 'adapter',
        description: 'What the trials differ in, and what is handed on.',
      },
    },
  },
  inputs: {
    metrics: { type: 'metrics', many: true, help: 'The measurements to compare.' },
    adapter: { type: 'adapter', many: true, optional: true, help: 'The adapters to choose from.' },
    model: { type: 'model', many: true, optional: true, help: 'The models to choose from.' },
  },
  outputs: ({ choose }) =>
    choose === 'model' ? { model: 'model', metrics: 'metrics' } : { adapter: 'adapter', metrics: 'metrics' },
  decides: 'select',
  steps: () => [],
}
