/** What would make a stage fail, found in its options and in what it is given before anything runs. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import type { OptionFault } from '../stage-signature.ts'
import { listed, meant, problem, rename, SILENT, words } from './problem.ts'

/** `others` are the places of further options that take part in it. */
export function clashingOptions(
  span: Span,
  { message, label, help }: OptionFault,
  others: readonly Span[],
): Diagnostic {
  return problem('E160', message, span, label, {
    secondary: others.map((place) => ({ span: place, text: SILENT })),
    help,
  })
}

export interface MissingSplit {
  readonly stage: string
  readonly split: string
  /** Those that there are. */
  readonly known: readonly string[]
  /** What says so: the source, or the stage that divides. */
  readonly madeBy: Span
  /** The option that names the split, whether or not it is written; null where the stage needs just this one. */
  readonly option: string | null
  readonly written: boolean
  readonly near: string | null
}

export function isUndivided(splits: readonly string[]): boolean {
  return splits.join() === 'all'
}

export function noSuchSplit(span: Span, missing: MissingSplit): Diagnostic {
  const { stage, split, known, madeBy, option, written, near } = missing
  const undivided = isUndivided(known)
  const other = near ?? known.find((name) => name !== 'train') ?? known[0] ?? ''
  const help = undivided
    ? [
        words(
          'divide the rows first:  clean -> split -> tokenize',
          '先划分数据：  clean -> split -> tokenize',
        ),
        words(
          'or say which file is which:  data: { train: …, test: … }',
          '或写明每个文件是哪一份：  data: { train: …, test: … }',
        ),
      ]
    : [
        listed(words('splits', '已有的划分'), known),
        ...(option !== null && !written
          ? [words(`or read another one:  ${option}: ${other}`, `或者读别的划分：  ${option}: ${other}`)]
          : []),
      ]
  const label = undivided
    ? words('the rows are not divided', '数据还没有划分')
    : meant(written ? near : null, words('no such split', '没有这个划分'))
  const origin = undivided
    ? words('one split for all', '所有行都在一起')
    : near === null || written
      ? words('this makes the splits', '划分由这里产生')
      : words(`here it is called '${near}'`, `这里叫 '${near}'`)
  return problem(
    'E161',
    words(
      `'${stage}' reads the split '${split}', which is not there`,
      `'${stage}' 要读的划分 '${split}' 不存在`,
    ),
    span,
    label,
    {
      secondary: [{ span: madeBy, text: origin }],
      help,
      // Which rows are measured changes what the numbers mean, so nobody takes a guess at it unseen.
      fixes: written ? rename(span, near, false) : [],
    },
  )
}
