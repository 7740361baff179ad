/** What people's ratings come to: means, how often the judged side is preferred, how far the raters agree. */
import type { Summed } from './catalogue.ts'

export type RatingMetric = 'mean' | 'baseline_mean' | 'win_rate'

/** The mean over all ratings, not over questions: a question that more people rated counts for more. */
const share = (sums: ArrayLike<number>): number => sums[0]! / sums[1]!

export const RATING_METRICS: Readonly<Record<RatingMetric, Summed>> = {
  mean: { columns: ['sum', 'ratings'], ofSums: share },
  baseline_mean: { columns: ['sum', 'ratings'], ofSums: share },
  win_rate: { columns: ['wins', 'ratings'], ofSums: share },
}

export function isRatingMetric(name: string): name is RatingMetric {
  return Object.hasOwn(RATING_METRICS, name)
}

/**
 * Krippendorff's alpha for interval data: 1 is full agreement, 0 is what chance would give. `units` holds what the
 * raters gave to each answer, in any number. NaN where nothing was rated twice, or every rating is the same.
 */
export function agreement(units: readonly (readonly number[])[]): number {
  const paired = units.filter((ratings) => ratings.length > 1)
  const all = paired.flat()
  const within = paired.reduce((sum, ratings) => sum + squaredGaps(ratings) / (ratings.length - 1), 0)
  const among = squaredGaps(all) / (all.length - 1)
  return among === 0 ? NaN : 1 - within / among
}

/** Sum of (a - b)² over all ordered pairs. */
function squaredGaps(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0)
  const squares = values.reduce((total, value) => total + value * value, 0)
  return 2 * (values.length * squares - sum * sum)
}
