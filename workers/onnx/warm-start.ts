/** Training that starts from given weights: they have to be of the shape that the options say. */
import { JobError } from '../op.ts'

/** Option, its value in what was given, and its value in this stage. */
export type Compared = readonly [option: string, given: string | number, here: string | number]

export function refuseDifferences(what: 'adapter' | 'model', compared: readonly Compared[]): void {
  const different = compared.filter(([, given, here]) => given !== here)
  if (different.length === 0) return
  const list = different.map(([option, given, here]) => `${option} ${given}, not ${here}`).join('; ')
  const fix = different.map(([option, given]) => `${option}: ${spelled(option, given)}`).join(', ')
  throw new JobError(
    'input',
    `The ${what} of warm_start does not fit this stage: it has ${list}.`,
    `Write its values under with: (${fix}), or leave warm_start out.`,
  )
}

/** As the file spells it. */
function spelled(option: string, value: string | number): string {
  return option === 'target' ? `[${value}]` : String(value)
}
