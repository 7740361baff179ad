/** What stages over rows say of their work, for checks such as `data.rows >= 500`. */
import type { MetricSchema } from '../dsl/stage-signature.ts'

const rows = (direction: MetricSchema['direction'], en: string, zh: string): MetricSchema => ({
  direction,
  min: 0,
  max: null,
  dim: 'num',
  perExample: false,
  title: { en, zh },
})

export const CLEANING_FACTS: Readonly<Record<string, MetricSchema>> = {
  rows: rows('higher', 'Rows that are left', '剩下的行数'),
  dropped: rows('lower', 'Rows that were dropped', '丢掉的行数'),
}

export const TOKENS_FACTS: Readonly<Record<string, MetricSchema>> = {
  truncated: rows('lower', 'Rows that lost the start of their prompt', '提示词开头被截断的行数'),
}
