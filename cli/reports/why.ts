/** Where a stage parted from another time, in words: a line for each cause, and the rows that differ. */
import type { Cause } from '../../engine/plan/against.ts'
import type { ShownRow, SourceHistory } from '../source-history.ts'
import { reasonText } from './plan.ts'
import { pad, width } from './style.ts'

export type ToldCause = Cause & { readonly history: SourceHistory | null }

export function causesText(stage: string, against: string, causes: readonly ToldCause[]): string {
  if (causes.length === 0) return `${stage}   is made from the same as in ${against}`
  const head = `${stage}   parted from ${against} in ${causes.length === 1 ? 'one place' : `${String(causes.length)} places`}`
  const wide = Math.max(...causes.map((cause) => width(cause.stage))) + 2
  const lines = causes.flatMap((cause) => [
    `  ${pad(cause.stage, wide)}${causeText(cause)}`,
    ...(cause.history === null ? [] : historyLines(cause.history)).map(
      (line) => `  ${' '.repeat(wide)}${line}`,
    ),
  ])
  return [head, '', ...lines].join('\n')
}

/** For programs: the text of the pipeline file stays out. */
export function causeJson(cause: ToldCause): unknown {
  const { stage, type } = cause
  if (type !== 'changed') return { ...cause, text: causeText(cause) }
  const { ingredient, before, after } = cause.reason
  return { stage, type, ingredient, before, after, text: causeText(cause) }
}

function causeText(cause: ToldCause): string {
  switch (cause.type) {
    case 'changed':
      return reasonText(cause.reason)
    case 'wiring':
      return `${cause.port} was wired to ${cause.before ?? 'nothing'}, now to ${cause.after ?? 'nothing'}`
    case 'not-there':
      return 'is new: the other side does not have it'
    case 'other-bytes':
      return `${cause.port}: ${cause.from} was made from the same and came out otherwise, as on other hardware`
    case 'source': {
      const { source, before, after, history } = cause
      if (history !== null) return `sources.${source}   ${countsText(history)}`
      const digests = `${(before ?? 'nothing').slice(7, 19)} → ${(after ?? 'nothing').slice(7, 19)}`
      return `sources.${source}   has other content (${digests}); nobody kept what it was`
    }
  }
}

/** `a.jsonl: 2 rows changed, 31 added` of one file, else how many files. */
export function countsText({ files }: SourceHistory): string {
  const [only, second] = files
  if (only === undefined) return 'the same files, read or split otherwise'
  return second === undefined && only.rows !== null
    ? `${only.path}: ${counted(only.rows.map(typeOf), 'row')}`
    : counted(
        files.map(({ type }) => type),
        'file',
      )
}

function typeOf({ before, after }: { before: number | null; after: number | null }): ShownRow['type'] {
  return before === null ? 'added' : after === null ? 'removed' : 'changed'
}

function counted(types: readonly ShownRow['type'][], noun: string): string {
  const counts = (['changed', 'added', 'removed'] as const)
    .map((type) => ({ type, count: types.filter((each) => each === type).length }))
    .filter(({ count }) => count > 0)
  return counts
    .map(({ type, count }, i) => {
      const what = i > 0 ? '' : ` ${noun}${count === 1 ? '' : 's'}`
      return `${String(count)}${what} ${type}`
    })
    .join(', ')
}

const MOST_FILES = 5
const MOST_COLUMNS = 100

/** Files that came, went or changed, then rows with their places and texts. */
export function historyLines({ files, rows }: SourceHistory): readonly string[] {
  const alone = files.length === 1 && files[0]?.rows !== null
  const named = alone ? [] : files.slice(0, MOST_FILES).map(({ path, type }) => `${SIGN[type]} ${path}`)
  const unnamed =
    alone || files.length <= MOST_FILES ? [] : [`and ${String(files.length - MOST_FILES)} more files`]
  const all = files.reduce((sum, file) => sum + (file.rows?.length ?? 0), 0)
  const more = all > rows.length ? [`and ${String(all - rows.length)} more rows`] : []
  return [...named, ...unnamed, ...rows.flatMap(rowLines), ...more]
}

const SIGN = { added: '+', removed: '-', changed: '~' } as const

function rowLines({ path, line, type, before, after }: ShownRow): readonly string[] {
  return [
    `${SIGN[type]} ${path}:${String(line)}`,
    ...(before === null ? [] : [`    - ${cut(before)}`]),
    ...(after === null ? [] : [`    + ${cut(after)}`]),
  ]
}

function cut(text: string): string {
  const shown = text.replaceAll(/[\u0000-\u001f\u007f]/g, ' ')
  return shown.length > MOST_COLUMNS ? `${shown.slice(0, MOST_COLUMNS - 1)}…` : shown
}
