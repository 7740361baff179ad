// A stage kind whose op is JavaScript: leaves out rows with a long prompt.
// In a project that has sluice installed: import('sluice/stage-kind').StageKind

/** @type {readonly import('../../../../engine/stage-kind.ts').StageKind[]} */
export const stageKinds = [
  {
    name: 'shorten',
    version: '1.0.0',
    summary: 'Leaves out rows whose prompt is long.',
    options: {
      type: 'object',
      additionalProperties: false,
      properties: {
        longest: {
          type: 'integer',
          minimum: 1,
          maximum: 100000,
          default: 200,
          description: 'Longest prompt that stays, in characters.',
        },
      },
    },
    inputs: { data: { type: 'dataset', help: 'Rows of JSON Lines with a prompt (*.jsonl).' } },
    outputs: () => ({ data: 'dataset' }),
    steps: (options) => [
      {
        op: 'shorten',
        on: 'plugin',
        with: options,
        inputs: { data: 'input:data' },
        outputs: { data: 'data' },
      },
    ],
  },
]

export const worker = { ops: './ops.mjs' }
