/** What training stages say of themselves: live values while they run, facts when they are done. */
import type { MetricSchema } from '../dsl/stage-signature.ts'

const value = (
  direction: MetricSchema['direction'],
  en: string,
  zh: string,
  max: number | null = null,
): MetricSchema => ({ direction, min: 0, max, dim: 'num', perExample: false, title: { en, zh } })

export const TRAINING_LIVE: Readonly<Record<string, MetricSchema>> = {
  loss: value('lower', 'Training loss of the step', '当前步的训练损失'),
  lr: value('lower', 'Learning rate of the step', '当前步的学习率', 1),
  tokensPerSecond: value('higher', 'Tokens per second', '每秒词元数'),
}

export const TRAINING_FACTS: Readonly<Record<string, MetricSchema>> = {
  loss: value('lower', 'Training loss at the end', '结束时的训练损失'),
  first_loss: value('lower', 'Training loss of the first step', '第一步的训练损失'),
  steps: value('higher', 'Optimizer steps', '优化步数'),
  tokens: value('higher', 'Tokens seen', '见过的词元数'),
}
