/** Reads the sheets that people filled in. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { JobError } from '../op.ts'
import type { InputFiles } from '../protocol/messages.ts'
import { decodeTable, parseTable } from './csv.ts'
import { scoreColumns } from './review-sheet.ts'

export interface Rating {
  readonly rater: string
  readonly item: string
  /** In the order in which the sheet shows the answers. */
  readonly scores: readonly number[]
  readonly comment: string
  readonly place: string
}

export interface RatingsRead {
  readonly ratings: readonly Rating[]
  /** Where one of two answers was rated and the other was not. */
  readonly half: readonly string[]
}

export interface Scale {
  readonly low: number
  readonly high: number
  /** How many answers a question has. */
  readonly sides: number
}

/** At most this many mistakes are named with their place. */
const MOST_NAMED = 5

/** All ratings of all sheets; rows without any are left out. Throws `JobError('input')` that names every mistake. */
export async function readRatings(input: InputFiles, scale: Scale): Promise<RatingsRead> {
  const ratings: Rating[] = []
  const half: string[] = []
  const mistakes: string[] = []
  for (const file of input.files) {
    const text = decodeTable(file, await readFile(join(input.dir, file)))
    const [head, ...rows] = parseTable(file, text)
    if (head === undefined) continue
    const columns = columnsOf(file, head.cells, scale)
    for (const { cells, line } of rows) {
      const place = `${file}:${String(line)}`
      const cell = (at: number | undefined) => (at === undefined ? '' : plain(cells[at] ?? ''))
      const item = cell(columns.item)
      const given = columns.scores.map((at) => cell(at))
      const filled = given.filter((text) => text !== '').length
      if (filled === 0) continue
      const wrong = columns.scores.flatMap((_, side) => {
        const text = given[side] ?? ''
        const fine = text === '' || isOnScale(text, scale)
        return fine ? [] : [`${place}: ${scoreColumns(2)[side] ?? ''} is ${JSON.stringify(text)}`]
      })
      if (item === '') wrong.push(`${place}: rated, but the column item is empty`)
      mistakes.push(...wrong)
      if (wrong.length > 0) continue
      if (filled < given.length) half.push(place)
      else {
        const rater = cell(columns.rater) || nameOf(file)
        ratings.push({ rater, item, scores: given.map(Number), comment: cell(columns.comment), place })
      }
    }
  }
  if (mistakes.length > 0) throw mistaken(mistakes, scale)
  return { ratings: distinct(ratings), half }
}

function isOnScale(text: string, { low, high }: Scale): boolean {
  return /^[+-]?\d+(?:\.0+)?$/.test(text) && Number(text) >= low && Number(text) <= high
}

function mistaken(mistakes: readonly string[], { low, high }: Scale): JobError {
  const more = mistakes.length - MOST_NAMED
  const named = mistakes.slice(0, MOST_NAMED).join('\n  ')
  return new JobError(
    'input',
    more > 0 ? `${named}\n  and ${String(more)} more` : named,
    `Ratings are whole numbers from ${String(low)} to ${String(high)}; a cell that is not rated stays empty.`,
  )
}

/** Full-width digits of an input method are digits. */
function plain(cell: string): string {
  return cell.normalize('NFKC').trim()
}

interface Columns {
  readonly item: number
  readonly scores: readonly number[]
  readonly rater: number | undefined
  readonly comment: number | undefined
}

function columnsOf(file: string, head: readonly string[], { sides }: Scale): Columns {
  const names = head.map((cell) => plain(cell.replace(/^\ufeff/, '')).toLowerCase())
  const place = (name: string): number | undefined => {
    const at = names.indexOf(name)
    return at < 0 ? undefined : at
  }
  const wanted = ['item', ...scoreColumns(sides)]
  const lacking = wanted.filter((name) => !names.includes(name))
  if (lacking.length > 0)
    throw new JobError(
      'input',
      `${file}:1: no column ${lacking.join(', ')}; it has ${names.filter(Boolean).join(', ') || 'none'}`,
      'Begin with the sheet that the run wrote, and keep its first row.',
    )
  return {
    item: place('item') ?? 0,
    scores: scoreColumns(sides).map((name) => place(name) ?? 0),
    rater: place('rater'),
    comment: place('comment'),
  }
}

function nameOf(file: string): string {
  return file.replace(/^.*\//, '').replace(/\.[^.]*$/, '')
}

/** One person has one opinion of an answer: the same said twice counts once, two different ones are a mistake. */
function distinct(ratings: readonly Rating[]): readonly Rating[] {
  const first = new Map<string, Rating>()
  for (const rating of ratings) {
    const key = JSON.stringify([rating.rater, rating.item])
    const before = first.get(key)
    if (before === undefined) first.set(key, rating)
    else if (before.scores.join() !== rating.scores.join())
      throw new JobError(
        'input',
        `${rating.place}: ${rating.rater} rated ${rating.item} otherwise at ${before.place}`,
        'Keep one of the two; for another person give the sheet another name, or fill the column rater.',
      )
  }
  return [...first.values()]
}
