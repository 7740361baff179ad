/** Learning-rate schedules: a linear warm-up, then constant, linear or cosine decay to zero. */

export const SCHEDULES = ['constant', 'linear', 'cosine'] as const
export type ScheduleName = (typeof SCHEDULES)[number]

export interface Schedule {
  readonly name: ScheduleName
  /** The highest rate, reached when the warm-up ends. */
  readonly lr: number
  /** Share of all steps, 0 to 1, that the rate takes to rise; rounded up to whole steps. */
  readonly warmup: number
  readonly steps: number
}

/** The rate of step 0, 1, ... steps - 1. The first step's rate is not zero, so no step is wasted. */
export function learningRate(schedule: Schedule, step: number): number {
  const warmup = Math.min(schedule.steps, Math.ceil(schedule.warmup * schedule.steps))
  if (step < warmup) return (schedule.lr * (step + 1)) / warmup
  const progress = (step - warmup) / Math.max(1, schedule.steps - warmup)
  switch (schedule.name) {
    case 'constant':
      return schedule.lr
    case 'linear':
      return schedule.lr * (1 - progress)
    case 'cosine':
      return schedule.lr * 0.5 * (1 + Math.cos(Math.PI * progress))
  }
}
