export const stageKinds = [
  {
    name: 'fails',
    version: '1.0.0',
    summary: 'Nothing.',
    options: { type: 'object', properties: {} },
    inputs: {},
    outputs: (options) => ({ rows: options.missing.type }),
    steps: () => [{ op: 'clean', on: 'text', with: {}, inputs: {}, outputs: { rows: 'rows' } }],
  },
]
