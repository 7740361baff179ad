/** `human-review`: people rate answers on a sheet that does not say which model gave which. */
import type { JsonObject, MetricSchema } from '../dsl/stage-signature.ts'
import type { StageKind } from '../engine/stage-kind.ts'

/** `1..5` as its ends. */
function scaleOf({ scale }: JsonObject): readonly [number, number] {
  const [low, high] = typeof scale === 'string' ? scale.split('..').map(Number) : []
  return [low ?? 1, high ?? 5]
}

function measures(options: JsonObject): Readonly<Record<string, MetricSchema>> {
  const metric = (ends: readonly [number, number], perExample: boolean, en: string, zh: string) =>
    ({ direction: 'higher', min: ends[0], max: ends[1], dim: 'num', perExample, title: { en, zh } }) as const
  const scale = scaleOf(options)
  return {
    mean: metric(scale, true, 'Mean rating of the judged answers', '被评回答的平均分'),
    baseline_mean: metric(scale, true, 'Mean rating of the other answers', '对照回答的平均分'),
    win_rate: metric([0, 1], true, 'Share of ratings that prefer the judged answer', '被评回答胜出的比例'),
    agreement: metric([-1, 1], false, "Agreement of the raters (Krippendorff's alpha)", '评分者一致性'),
  }
}

export const humanReview: StageKind = {
  name: 'human-review',
  version: '1.0.0',
  summary: 'Has people rate answers blind, and waits until they have.',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      rows: {
        type: 'integer',
        minimum: 1,
        maximum: 10000,
        default: 30,
        description: 'How many questions are drawn for the sheet; with more, the ones drawn before stay.',
      },
      raters: {
        type: 'integer',
        minimum: 1,
        maximum: 100,
        default: 3,
        description: 'How many people have to rate each question.',
      },
      scale: {
        type: 'string',
        pattern: String.raw`^-?\d{1,3}\.\.-?\d{1,3}$`,
        default: '1..5',
        description: 'Whole numbers from the worst to the best rating.',
      },
      blind: {
        type: 'boolean',
        default: true,
        description: 'Whether each question shows its two answers in an order of its own.',
      },
      seed: {
        type: 'integer',
        minimum: 0,
        maximum: 4294967295,
        default: 42,
        description: 'Seed of the draw and of the order of answers.',
      },
    },
  },
  inputs: {
    a: { type: 'samples', help: 'The answers to judge.' },
    b: {
      type: 'samples',
      optional: true,
      named: true,
      help: 'Answers of another model to the same questions, to compare with.',
    },
    ratings: { type: 'ratings', help: 'The filled sheets (*.csv), as soon as there are any.' },
  },
  outputs: () => ({ sheet: 'files', metrics: 'metrics' }),
  measures,
  faults: (options) => {
    const [low, high] = scaleOf(options)
    if (low < high) return []
    return [
      {
        options: ['scale'],
        message: {
          en: `the scale ${low}..${high} has no room`,
          zh: `评分范围 ${low}..${high} 里没有可选的分`,
        },
        label: { en: 'from the worst to the best', zh: '从最差写到最好' },
        help: [low > high ? `scale: ${high}..${low}` : 'scale: 1..5'],
      },
    ]
  },
  waitsFor: ({ waits }) => (typeof waits === 'string' ? waits : null),
  steps: (options) => {
    const [low, high] = scaleOf(options)
    const { rows = null, raters = null, blind = null, seed = null } = options
    return [
      {
        op: 'review',
        on: 'text',
        with: { rows, raters, low, high, blind, seed },
        inputs: { a: 'input:a', b: 'input:b', ratings: 'input:ratings' },
        outputs: { sheet: 'sheet', metrics: 'metrics' },
      },
    ]
  },
}
