/** The questions of a review and the sheet on which people rate them. */
import { createHash } from 'node:crypto'
import { tableLine } from './csv.ts'

export interface Sample {
  readonly id: string
  readonly prompt: string
  readonly reference: string
  readonly output: string
}

/** One question with its answers: one, or the judged one and then the other. */
export interface Item {
  /** Stands for exactly these answers: other answers make another item, and ratings of this one are not theirs. */
  readonly name: string
  readonly id: string
  readonly prompt: string
  readonly reference: string
  readonly answers: readonly string[]
  /** Whether the sheet shows the other answer first. */
  readonly swapped: boolean
}

export interface Draw {
  readonly rows: number
  readonly blind: boolean
  readonly seed: number
}

/** Draws questions by a hash of their id, so that more rows keep the ones drawn before. `b` is null for one model. */
export function drawItems(
  a: readonly Sample[],
  b: readonly Sample[] | null,
  { rows, blind, seed }: Draw,
): readonly Item[] {
  const others = b === null ? null : new Map(b.map((sample) => [sample.id, sample.output]))
  return a
    .flatMap(({ id, prompt, reference, output }) => {
      const other = others?.get(id)
      if (others !== null && other === undefined) return []
      const answers = other === undefined ? [output] : [output, other]
      // A letter first: a spreadsheet program takes digits, and digits with an e, for numbers.
      const name = `q${hash(JSON.stringify([id, prompt, ...answers])).slice(0, 10)}`
      const swapped = blind && answers.length > 1 && parseInt(hash(`side ${seed} ${name}`)[0] ?? '', 16) >= 8
      return [{ item: { name, id, prompt, reference, answers, swapped }, order: hash(`draw ${seed} ${id}`) }]
    })
    .sort((x, y) => (x.order < y.order ? -1 : 1))
    .slice(0, rows)
    .map(({ item }) => item)
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Names of the columns with ratings, in the order in which the sheet shows the answers. */
export function scoreColumns(sides: number): readonly string[] {
  return ['score_1', 'score_2'].slice(0, sides)
}

/** The empty sheet. It begins with a byte order mark, without which Excel garbles everything but ASCII. */
export function sheetText(items: readonly Item[], rater = ''): string {
  const sides = items[0]?.answers.length ?? 1
  const answers = ['answer_1', 'answer_2'].slice(0, sides)
  const head = ['item', 'rater', 'prompt', 'reference', ...answers, ...scoreColumns(sides), 'comment']
  const lines = items.map(({ name, prompt, reference, answers: both, swapped }) =>
    tableLine([
      name,
      rater,
      prompt,
      reference,
      ...(swapped ? [...both].reverse() : both),
      ...both.map(() => ''),
      '',
    ]),
  )
  return `\ufeff${tableLine(head)}${lines.join('')}`
}

export function howToRate(low: number, high: number, sides: number): string {
  const [en, zh] =
    sides === 1
      ? ['the answer in the column score_1', '在 score_1 列给回答打分']
      : ['both answers, in the columns score_1 and score_2', '在 score_1 和 score_2 列给两个回答打分']
  const [worst, best] = [String(low), String(high)]
  return `How to rate

Rate ${en}: a whole number from ${worst} (useless) to ${best} (as good as it gets).
Equal answers may get equal ratings. The column reference is an answer known to be right.
Rate on your own. Leave all other columns as they are; comment is for whatever you like.
Save the sheet as CSV (UTF-8) under your own name.

如何评分

${zh}：从 ${worst}（没用）到 ${best}（好得不能再好）的整数。
两个回答一样好，可以给同样的分。reference 列是已知正确的回答。
请独立评分。其他列不要改动；comment 列可以随意写。
用自己的名字存成 CSV（UTF-8）。
`
}
