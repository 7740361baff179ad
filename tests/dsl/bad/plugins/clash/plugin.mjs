export const stageKinds = [
  {
    name: 'clean',
    version: '1.0.0',
    summary: 'Nothing.',
    options: { type: 'object', properties: {} },
    inputs: {},
    outputs: () => ({ rows: 'dataset' }),
    steps: () => [{ op: 'clean', on: 'text', with: {}, inputs: {}, outputs: { rows: 'rows' } }],
  },
]
