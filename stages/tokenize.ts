/** `tokenize`: turns rows into token ids with a model's tokenizer and marks what is learnt. */
import type { StageKind } from '../engine/stage-kind.ts'
import { TOKENS_FACTS } from './data-facts.ts'

export const tokenize: StageKind = {
  name: 'tokenize',
  version: '1.0.0',
  summary: "Renders each row with a template and encodes it with the model's own tokenizer.",
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      template: {
        type: 'string',
        pattern: String.raw`^chat$|\{prompt\}[\s\S]*\{response\}`,
        'x-wish': {
          en: "it has to hold {prompt} and then {response}, or be chat, the model's own chat template",
          zh: '要依次含有 {prompt} 和 {response}，或者写 chat，即模型自带的对话模板',
        },
        default: '问：{prompt}\n答：{response}',
        description:
          'Text of one row, with {prompt} and then {response}; the end token follows. Or `chat`, the chat template of the model itself.',
      },
      loss_on: {
        enum: ['response', 'all'],
        default: 'response',
        description: 'What is learnt: the response and its end token, or the prompt too.',
      },
      max_length: {
        type: 'integer',
        minimum: 2,
        maximum: 1048576,
        default: 512,
        description: 'Longest row in tokens; a longer one loses the start of its prompt, never its response.',
      },
    },
  },
  inputs: {
    data: { type: 'dataset', help: 'The rows to encode; every split is encoded.' },
    model: { type: 'model', help: 'The model whose tokenizer is used.' },
  },
  outputs: () => ({ tokens: 'tokens' }),
  facts: TOKENS_FACTS,
  steps: (options) => [
    {
      op: 'tokenize',
      on: 'text',
      with: options,
      inputs: { data: 'input:data', model: 'input:model' },
      outputs: { tokens: 'tokens' },
    },
  ],
}
