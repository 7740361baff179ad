/** `clean`: repairs and filters question-and-answer rows, and reports what each rule did. */
import type { StageKind } from '../engine/stage-kind.ts'
import { CLEANING_FACTS } from './data-facts.ts'

export const clean: StageKind = {
  name: 'clean',
  version: '1.1.0',
  summary: 'Removes repeated, blank and garbled rows, repairs Chinese mojibake and unifies spelling.',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      drop: {
        type: 'array',
        uniqueItems: true,
        items: { enum: ['duplicate', 'blank', 'mojibake', 'control', 'html'] },
        default: ['duplicate', 'blank', 'mojibake', 'control'],
        description:
          'What to remove: repeated rows, blank ones, garbled text, control characters; html: its tags, and pages. A list replaces the whole default.',
      },
      min_chars: {
        type: 'integer',
        minimum: 1,
        maximum: 1048576,
        description: 'Drop a row if its prompt or its response is shorter than so many characters.',
      },
      max_chars: {
        type: 'integer',
        minimum: 1,
        maximum: 1048576,
        description: 'Drop a row if its prompt or its response is longer than so many characters.',
      },
      near_duplicate: {
        type: 'number',
        minimum: 0.5,
        maximum: 1,
        'x-type': 'ratio',
        description:
          'Drop a row if its prompt shares so much with another one, such as 90%: trigrams of characters, shared / all.',
      },
      strip_prefixes: {
        type: 'array',
        uniqueItems: true,
        items: { type: 'string', minLength: 1 },
        default: [
          '用户问：',
          '用户提问：',
          '用户：',
          '客户问：',
          '客户：',
          '问题：',
          '问：',
          'User:',
          'Question:',
          'Q:',
        ],
        description: 'Labels to cut from the start of a prompt; `：` and `:` count as the same.',
      },
      terms: {
        type: 'object',
        propertyNames: { minLength: 1 },
        additionalProperties: { type: 'string' },
        default: {},
        description: 'Words to replace in prompts and responses, wrong: right; the longest match wins.',
      },
      normalize: {
        type: 'array',
        uniqueItems: true,
        items: { enum: ['nfc', 'width', 'whitespace'] },
        default: ['nfc', 'width', 'whitespace'],
        description:
          'What to unify: Unicode composition, full and half width in Chinese text, spaces and line ends.',
      },
      conflicts: {
        enum: ['first', 'drop', 'keep'],
        default: 'first',
        description:
          'One question with different answers: keep the first answer, drop them all, or keep them all.',
      },
    },
  },
  inputs: {
    data: { type: 'dataset', help: 'Rows of JSON Lines with a prompt and a response (*.jsonl).' },
  },
  outputs: () => ({ data: 'dataset' }),
  facts: CLEANING_FACTS,
  splits: (_, given) => given,
  faults: ({ min_chars: least, max_chars: most }) =>
    typeof least === 'number' && typeof most === 'number' && least > most
      ? [
          {
            options: ['min_chars', 'max_chars'],
            message: {
              en: `no text has at least ${least} and at most ${most} characters`,
              zh: `没有文本既不少于 ${least} 字又不多于 ${most} 字`,
            },
            label: { en: 'every row would be dropped', zh: '每一行都会被丢掉' },
            help: [`min_chars: ${most}, max_chars: ${least}`],
          },
        ]
      : [],
  steps: (options) => [
    { op: 'clean', on: 'text', with: options, inputs: { data: 'input:data' }, outputs: { data: 'data' } },
  ],
}
