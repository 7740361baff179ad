/** `split`: sends each group of rows, those with the same prompt or field, to one split, by a hash of what they share. */
import { createHash } from 'node:crypto'
import { JobError } from '../../op.ts'
import type { Op } from '../../op.ts'
import { groupKey } from '../../protocol/group-key.ts'
import type { JsonObject } from '../../protocol/json.ts'
import { rowNamer, writeDataset } from '../dataset-files.ts'
import type { Row } from '../dataset-files.ts'
import { sameText } from '../normalize.ts'
import { readRows } from '../read-rows.ts'
import type { RawRow, ReadRows } from '../read-rows.ts'

interface SplitOptions {
  readonly train: number
  readonly validation: number
  readonly test: number
  /** `prompt`, or a field of the rows. */
  readonly group_by: string
  readonly seed: number
}

type SplitName = 'train' | 'validation' | 'test'
/** Test is cut first, so that it stays the same when only the share of validation changes. */
const CUT_ORDER: readonly SplitName[] = ['test', 'validation', 'train']
const WRITE_ORDER: readonly SplitName[] = ['train', 'validation', 'test']

export const run: Op = async (context) => {
  const options = context.with as unknown as SplitOptions
  const input = context.inputs['data']
  const output = context.outputs['data']
  if (!input || !output) throw new Error('split needs an input and an output named data')
  const sum = options.train + options.validation + options.test
  if (Math.abs(sum - 1) > 1e-9) {
    const parts = WRITE_ORDER.map((name) => `${name} ${percent(options[name])}`).join(' + ')
    throw new JobError(
      'input',
      `the shares must add up to 100%: ${parts} = ${percent(sum)}`,
      shareHelp(options),
    )
  }
  const read = readRows(input)
  await context.throwIfCancelled()
  const group = grouping(options.group_by, read, input.fields?.prompt)
  const name = rowNamer()
  const named = (row: RawRow): Row => ({
    id: row.id ?? name(sameText(row.prompt), row.response),
    prompt: row.prompt,
    response: row.response,
    fields: row.fields,
  })
  const undivided = read.splits.size === 1 ? read.splits.get('all') : undefined
  const rows = new Map<string, readonly Row[]>()
  if (undivided) {
    for (const [split, members] of divide(inFixedOrder(undivided).map(named), group, options))
      rows.set(split, members)
  } else {
    context.note('info', `the data is divided already (${[...read.splits.keys()].join(', ')}) and stays so`)
    for (const [split, members] of read.splits) rows.set(split, members.map(named))
  }
  const leaks = countLeaks(rows, byPrompt)
  const noun = { one: 'prompt', many: 'prompts', unseen: 'questions' }
  for (const text of leakWords(leaks, noun)) context.note('warning', text)
  if (group !== byPrompt) {
    const value = JSON.stringify(options.group_by)
    const shared = { one: `value of ${value}`, many: `values of ${value}`, unseen: 'groups' }
    for (const text of leakWords(countLeaks(rows, group), shared)) context.note('warning', text)
  }
  const madeBy: JsonObject = undivided
    ? {
        op: 'split',
        seed: options.seed,
        shares: { ...shares(options) },
        ...(group === byPrompt ? {} : { group_by: options.group_by }),
      }
    : { op: 'split', kept: true }
  await writeDataset(output, rows, { made_by: madeBy, groups_also_in_train: leaks })
  const counts = Object.fromEntries([...rows].map(([split, members]) => [split, members.length]))
  return { rows: counts, groups_also_in_train: leaks }
}

/** What two rows share if they must not be divided. */
type Group = (row: Pick<Row, 'prompt' | 'fields'>) => string

const byPrompt: Group = (row) => groupKey(row.prompt)

/** Throws `JobError('input')` if a row does not have the field: what group it belongs to, nobody knows. */
function grouping(field: string, read: ReadRows, promptField: string | undefined): Group {
  if (field === 'prompt' || field === promptField) return byPrompt
  const rows = [...read.splits.values()].flat()
  const without = rows.filter((row) => !Object.hasOwn(row.fields, field))
  const [first] = without
  if (first === undefined) return (row) => String(row.fields[field])
  const known = [...new Set(rows.flatMap((row) => Object.keys(row.fields)))].sort()
  if (without.length === rows.length) {
    throw new JobError(
      'input',
      `group_by: no row has a field ${JSON.stringify(field)}`,
      `Fields of these rows: ${['prompt', ...known].join(', ')}. What a schema names as input is called prompt here.`,
    )
  }
  throw new JobError(
    'input',
    `group_by: ${without.length} of ${rows.length} rows have no field ${JSON.stringify(field)}, e.g. ${inWords(first)}`,
    'Fill it in, or remove these rows: a row of an unknown group could lie beside its own group in another split.',
  )
}

const MOST_SHOWN = 40

/** By what it asks: file and line are those of a stage's output, which the user never wrote. */
function inWords({ id, prompt, place }: RawRow): string {
  const characters = Array.from(prompt.replace(/\s+/g, ' ').trim())
  const shown =
    characters.length > MOST_SHOWN ? `${characters.slice(0, MOST_SHOWN).join('')}…` : characters.join('')
  return `the one that asks “${shown}” (${id === null ? place : `id ${id}`})`
}

/** Rows that say the same are told apart by number only, so that their fields must not come in the file's order. */
function inFixedOrder(rows: readonly RawRow[]): readonly RawRow[] {
  const keyed = rows.map((row) => ({ row, key: JSON.stringify(row.fields) }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ row }) => row)
}

/** Rows of each wanted split, sorted by id: the same rows in another order give the same bytes. */
function divide(
  rows: readonly Row[],
  group: Group,
  options: SplitOptions,
): ReadonlyMap<SplitName, readonly Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = group(row)
    const members = groups.get(key)
    if (members === undefined) groups.set(key, [row])
    else members.push(row)
  }
  const wanted = WRITE_ORDER.filter((split) => options[split] > 0)
  if (groups.size < wanted.length) {
    throw new JobError(
      'input',
      `${groups.size} different ${group === byPrompt ? 'prompts' : `values of ${JSON.stringify(options.group_by)}`} cannot fill ${wanted.length} splits (${wanted.join(', ')})`,
      'Add rows, or ask for fewer splits.',
    )
  }
  const placed = [...groups].map(([key, members]) => ({ at: position(options.seed, key), members }))
  placed.sort((a, b) => a.at - b.at)
  const assigned = placed.map((each) => ({ ...each, split: splitAt(each.at, options) }))
  for (const split of wanted) {
    if (assigned.some((each) => each.split === split)) continue
    // In small data chance may leave a split empty; it then takes the nearest group of the fullest split.
    const sizes = new Map(
      wanted.map((other) => [other, assigned.filter((each) => each.split === other).length]),
    )
    const fullest = wanted.reduce((a, b) => ((sizes.get(b) ?? 0) > (sizes.get(a) ?? 0) ? b : a))
    const middle = centre(split, options)
    const donors = assigned.filter((each) => each.split === fullest)
    const nearest = donors.reduce((a, b) => (Math.abs(b.at - middle) < Math.abs(a.at - middle) ? b : a))
    nearest.split = split
  }
  const result = new Map<SplitName, readonly Row[]>()
  for (const split of wanted) {
    const members = assigned.filter((each) => each.split === split).flatMap((each) => each.members)
    result.set(
      split,
      members.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)),
    )
  }
  return result
}

/** Where a group lies in [0, 1): 48 bits of a hash of the seed and the group. */
function position(seed: number, key: string): number {
  return createHash('sha256').update(`${seed}\0${key}`).digest().readUIntBE(0, 6) / 2 ** 48
}

function splitAt(at: number, options: SplitOptions): SplitName {
  if (at < options.test) return 'test'
  if (at < options.test + options.validation || options.train === 0) {
    return options.validation > 0 ? 'validation' : 'test'
  }
  return 'train'
}

function centre(split: SplitName, options: SplitOptions): number {
  const before = CUT_ORDER.slice(0, CUT_ORDER.indexOf(split)).reduce((sum, other) => sum + options[other], 0)
  return before + options[split] / 2
}

/** Groups of every other split that train has too; zero by construction unless the data came divided. */
function countLeaks(
  splits: ReadonlyMap<string, readonly Row[]>,
  group: Group,
): Readonly<Record<string, number>> {
  const keys = (split: string): ReadonlySet<string> => new Set((splits.get(split) ?? []).map(group))
  const train = keys('train')
  const leak = (split: string): number => [...keys(split)].filter((key) => train.has(key)).length
  return Object.fromEntries(
    [...splits.keys()].filter((split) => split !== 'train').map((split) => [split, leak(split)]),
  )
}

interface LeakNoun {
  readonly one: string
  readonly many: string
  readonly unseen: string
}

function leakWords(leaks: Readonly<Record<string, number>>, noun: LeakNoun): readonly string[] {
  return Object.entries(leaks)
    .filter(([, groups]) => groups > 0)
    .map(([split, groups]) => {
      const [what, occur] = groups === 1 ? [noun.one, 'occurs'] : [noun.many, 'occur']
      return `${groups} ${what} of ${split} also ${occur} in train, so ${split} does not measure unseen ${noun.unseen}`
    })
}

function shares({ train, validation, test }: SplitOptions): Readonly<Record<SplitName, number>> {
  return { train, validation, test }
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(4))}%`
}

function shareHelp(options: SplitOptions): string {
  const train = 1 - options.validation - options.test
  return train > 0
    ? `For example: train: ${percent(train)}`
    : 'For example: train: 80%, validation: 10%, test: 10%'
}
