// A stage kind whose op is in Python: worker.py speaks the protocol on its standard input and output.

/** @type {readonly import('../../../../engine/stage-kind.ts').StageKind[]} */
export const stageKinds = [
  {
    name: 'vocabulary',
    version: '1.0.0',
    summary: 'Counts the words of all prompts.',
    options: { type: 'object', additionalProperties: false, properties: {} },
    inputs: { data: { type: 'dataset', help: 'Rows of JSON Lines with a prompt (*.jsonl).' } },
    outputs: () => ({ words: 'report' }),
    steps: (options) => [
      {
        op: 'count',
        on: 'plugin',
        with: options,
        inputs: { data: 'input:data' },
        outputs: { words: 'words' },
      },
    ],
  },
]

export const worker = { command: ['python3', 'worker.py'] }
