export const stageKinds = [
  {
    name: 'shape',
    version: 1,
    summary: 'Nothing.',
    options: { type: 'object', properties: {} },
    inputs: {},
    outputs: () => ({ rows: 'dataset' }),
    steps: () => [{ op: 'clean', on: 'text', with: {}, inputs: {}, outputs: { rows: 'rows' } }],
  },
]
