/** `split`: sends each group of rows with the same prompt to one split, by a hash of what the prompt says. */
import { createHash } from 'node:crypto'
import { JobError } from '../../op.ts'
import type { Op } from '../../op.ts'
import type { JsonObject } from '../../protocol/json.ts'
import { rowNamer, writeDataset } from '../dataset-files.ts'
import type { Row } from '../dataset-files.ts'
import { groupKey, sameText } from '../normalize.ts'
import { readRows } from '../read-rows.ts'
import type { RawRow } from '../read-rows.ts'

interface SplitOptions {
  readonly train: number
  readonly validation: number
  readonly test: number
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
  const read = await readRows(input)
  await context.throwIfCancelled()
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
    for (const [split, members] of divide(inFixedOrder(undivided).map(named), options))
      rows.set(split, members)
  } else {
    context.note('info', `the data is divided already (${[...read.splits.keys()].join(', ')}) and stays so`)
    for (const [split, members] of read.splits) rows.set(split, members.map(named))
  }
  const leaks = countLeaks(rows)
  for (const [split, groups] of Object.entries(leaks)) {
    if (groups > 0) {
      const what = groups === 1 ? '1 prompt of' : `${groups} prompts of`
      context.note(
        'warning',
        `${what} ${split} also occur in train, so ${split} does not measure unseen questions`,
      )
    }
  }
  const madeBy: JsonObject = undivided
    ? { op: 'split', seed: options.seed, shares: { ...shares(options) } }
    : { op: 'split', kept: true }
  await writeDataset(output, rows, { made_by: madeBy, groups_also_in_train: leaks })
  const counts = Object.fromEntries([...rows].map(([split, members]) => [split, members.length]))
  return { rows: counts, groups_also_in_train: leaks }
}

/** Rows that say the same are told apart by number only, so that their fields must not come in the file's order. */
function inFixedOrder(rows: readonly RawRow[]): readonly RawRow[] {
  const keyed = rows.map((row) => ({ row, key: JSON.stringify(row.fields) }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ row }) => row)
}

/** Rows of each wanted split, sorted by id: the same rows in another order give the same bytes. */
function divide(rows: readonly Row[], options: SplitOptions): ReadonlyMap<SplitName, readonly Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = groupKey(row.prompt)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  const wanted = WRITE_ORDER.filter((split) => options[split] > 0)
  if (groups.size < wanted.length) {
    throw new JobError(
      'input',
      `${groups.size} different prompts cannot fill ${wanted.length} splits (${wanted.join(', ')})`,
      'Add rows, or ask for fewer splits.',
    )
  }
  const placed = [...groups].map(([key, members]) => ({ at: position(options.seed, key), members }))
  placed.sort((a, b) => a.at - b.at)
  const assigned = placed.map((group) => ({ ...group, split: splitAt(group.at, options) }))
  for (const split of wanted) {
    if (assigned.some((group) => group.split === split)) continue
    // In small data chance may leave a split empty; it then takes the nearest group of the fullest split.
    const sizes = new Map(
      wanted.map((other) => [other, assigned.filter((group) => group.split === other).length]),
    )
    const fullest = wanted.reduce((a, b) => ((sizes.get(b) ?? 0) > (sizes.get(a) ?? 0) ? b : a))
    const middle = centre(split, options)
    const donors = assigned.filter((group) => group.split === fullest)
    const nearest = donors.reduce((a, b) => (Math.abs(b.at - middle) < Math.abs(a.at - middle) ? b : a))
    nearest.split = split
  }
  const result = new Map<SplitName, readonly Row[]>()
  for (const split of wanted) {
    const members = assigned.filter((group) => group.split === split).flatMap((group) => group.members)
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
function countLeaks(splits: ReadonlyMap<string, readonly Row[]>): Readonly<Record<string, number>> {
  const keys = (split: string): ReadonlySet<string> =>
    new Set((splits.get(split) ?? []).map((row) => groupKey(row.prompt)))
  const train = keys('train')
  const leak = (split: string): number => [...keys(split)].filter((key) => train.has(key)).length
  return Object.fromEntries(
    [...splits.keys()].filter((split) => split !== 'train').map((split) => [split, leak(split)]),
  )
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
