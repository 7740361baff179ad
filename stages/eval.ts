/** `eval`: measures a model, with or without an adapter, on rows that it has not been trained on. */
import type { JsonObject, MetricSchema } from '../dsl/stage-signature.ts'
import type { StageKind, Step } from '../engine/stage-kind.ts'

const metric = (
  direction: MetricSchema['direction'],
  min: number,
  max: number | null,
  en: string,
  zh: string,
): MetricSchema => ({ direction, min, max, dim: 'num', perExample: true, title: { en, zh } })

const METRICS: Readonly<Record<string, MetricSchema>> = {
  perplexity: metric('lower', 1, null, 'Perplexity of the response', '回答困惑度'),
  bits_per_byte: metric('lower', 0, null, 'Bits per byte of the response', '回答每字节比特数'),
  bleu: metric('higher', 0, 1, 'BLEU', 'BLEU'),
  rouge_l: metric('higher', 0, 1, 'ROUGE-L', 'ROUGE-L'),
  exact_match: metric('higher', 0, 1, 'Exact match', '完全匹配率'),
  neighbour_bleu: metric(
    'higher',
    0,
    1,
    'BLEU of the answer to the most similar training question',
    '最近邻基线 BLEU',
  ),
  neighbour_exact: metric(
    'higher',
    0,
    1,
    'Exact match of the answer to the most similar training question',
    '最近邻基线完全匹配率',
  ),
}

/** Metrics that need the probability of the reference answer; all others compare texts. */
const FROM_SCORES: readonly string[] = ['perplexity', 'bits_per_byte']

function wanted(options: JsonObject): readonly string[] {
  return textsOf(options['metrics'])
}

function textsOf(value: JsonObject[string] | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

function steps(options: JsonObject): readonly Step[] {
  const split = options['split'] ?? null
  const names = wanted(options)
  const scored = names.some((name) => FROM_SCORES.includes(name))
  const model = { tokens: 'input:tokens', model: 'input:model', adapter: 'input:adapter' }
  const score: Step = { op: 'score', on: 'kernel', with: { split }, inputs: model, outputs: { scores: null } }
  const generate: Step = {
    op: 'generate',
    on: 'kernel',
    with: { split, max_new_tokens: options['max_new_tokens'] ?? null },
    inputs: model,
    outputs: { samples: 'samples' },
  }
  const measure: Step = {
    op: 'metrics',
    on: 'text',
    with: {
      metrics: names,
      bleu_tokenizer: options['bleu_tokenizer'] ?? null,
      split,
      max_new_tokens: options['max_new_tokens'] ?? null,
      slices: options['slices'] ?? [],
    },
    inputs: {
      ...(scored ? { scores: 'step:score.scores' } : {}),
      samples: 'step:generate.samples',
      tokens: 'input:tokens',
    },
    outputs: { metrics: 'metrics' },
  }
  // Answers are generated even if only perplexity is wanted: people judge samples before they trust a number.
  return [...(scored ? [score] : []), generate, measure]
}

/** Named `evaluate` because a module may not bind `eval`. */
export const evaluate: StageKind = {
  name: 'eval',
  version: '1.0.0',
  summary: 'Measures a model on held-out rows and keeps its answers.',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      metrics: {
        type: 'array',
        minItems: 1,
        uniqueItems: true,
        items: { enum: Object.keys(METRICS) },
        default: ['perplexity', 'bits_per_byte', 'bleu', 'rouge_l', 'exact_match'],
        description: 'What to measure.',
      },
      bleu_tokenizer: {
        enum: ['13a', 'zh', 'char', 'none'],
        default: '13a',
        description:
          'How BLEU cuts text into words; use `zh` for Chinese, as 13a takes a sentence for one word.',
      },
      split: {
        type: 'string',
        pattern: '^[a-z][a-z0-9_-]*$',
        default: 'test',
        description: 'The split to measure on.',
      },
      max_new_tokens: {
        type: 'integer',
        minimum: 1,
        maximum: 65536,
        default: 128,
        description: 'Longest answer, in tokens; a longer one is cut off and counted.',
      },
      slices: {
        type: 'array',
        uniqueItems: true,
        items: { type: 'string', minLength: 1 },
        default: [],
        description: 'Fields of the rows, such as `section`: each of their values is measured apart, too.',
      },
    },
  },
  inputs: {
    model: { type: 'model', help: 'The model to measure.' },
    tokens: { type: 'tokens', help: 'Rows encoded for this model.' },
    adapter: {
      type: 'adapter',
      optional: true,
      help: 'The adapter to measure with; without one the model is measured as it is.',
    },
  },
  outputs: () => ({ metrics: 'metrics', samples: 'samples' }),
  measures: (options) => {
    const names = wanted(options)
    return Object.fromEntries(Object.entries(METRICS).filter(([name]) => names.includes(name)))
  },
  measurable: METRICS,
  smoke: (options) => ({ ...options, max_new_tokens: 4 }),
  needsSplits: ({ split }) => (typeof split === 'string' ? [{ split, option: 'split' }] : []),
  slices: (options) => textsOf(options['slices']),
  steps,
}
