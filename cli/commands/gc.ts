/** `sluice gc`: frees what no lock, no recent run and no main names. */
import { addLock, addRuns, loggedRuns, noRoots } from '../../engine/gc/roots.ts'
import type { Roots } from '../../engine/gc/roots.ts'
import { collect, findGarbage } from '../../engine/gc/collect.ts'
import type { Garbage } from '../../engine/gc/collect.ts'
import { stateSizes } from '../../engine/gc/sizes.ts'
import type { Lock } from '../../engine/lock-file.ts'
import { underWaySince } from '../../engine/run/under-way.ts'
import { findMain } from '../baseline.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { stringFlag } from '../project.ts'
import { bytes } from '../reports/style.ts'
import { viewStore } from '../store.ts'
import type { StoreView } from '../store.ts'

const DAY_MS = 24 * 3_600_000
/** Clocks of file systems tick in steps, of up to two seconds. */
const TICK_MS = 2000
const DEFAULT_KEEP = 'main,last:5'

interface Keep {
  readonly main: boolean
  /** Runs of each pipeline. */
  readonly last: number
  readonly days: number
}

export async function gcCommand(command: Command): Promise<number> {
  if (command.args.length > 0) throw new Usage('gc takes no names\n  help: sluice gc --dry-run', true)
  const keep = keepOf(stringFlag(command, 'keep') ?? DEFAULT_KEEP)
  const dryRun = command.flags['dry-run'] === true
  const view = viewStore(command)
  const mains = keep.main ? await mainLocks(view) : []
  const now = Date.now()
  const running = underWaySince(view.stateDir)
  const openSince = (running ?? now) - TICK_MS
  const roots = (runs = view.runs): Roots => {
    const named = noRoots()
    for (const lock of [...view.locks, ...mains]) addLock(named, lock)
    addRuns(named, runs, keep.last, openSince)
    return named
  }
  const since = Math.min(now - keep.days * DAY_MS, openSince)
  const { stateDir, stores } = view
  const collecting = { stateDir, stores, roots: roots(), since, now }
  const garbage = findGarbage(collecting)
  if (!dryRun) collect(garbage, collecting, () => roots(loggedRuns(stateDir)))
  const total = [...stateSizes(stateDir).values()].reduce((sum, size) => sum + size, 0)
  if (command.flags['json'] === true)
    process.stdout.write(`${JSON.stringify(json(garbage, dryRun, total), null, 2)}\n`)
  else process.stdout.write(words(garbage, { dryRun, running: running !== null, total }))
  return 0
}

function keepOf(text: string): Keep {
  let [main, last, days] = [false, 0, 0]
  for (const word of text.split(',').map((each) => each.trim())) {
    const match = /^(?:last:(?<runs>\d+)|(?<days>\d+)d)$/.exec(word)
    if (word === 'main') main = true
    else if (match?.groups?.['runs'] !== undefined) last = Number(match.groups['runs'])
    else if (match?.groups?.['days'] !== undefined) days = Number(match.groups['days'])
    else
      throw new Usage(
        `--keep knows no '${word}'\n  help: main, last:N for the last N runs of each pipeline, Nd for what is younger than N days; as in --keep ${DEFAULT_KEEP},7d`,
        true,
      )
  }
  return { main, last, days }
}

/** What main is for each pipeline: from git, and what was blessed in its place. */
async function mainLocks({ root, lockPaths }: StoreView): Promise<readonly Lock[]> {
  const locks: Lock[] = []
  for (const lockPath of lockPaths) {
    const { git, blessing } = await findMain({ root, lockPath })
    if (git.type === 'passing') locks.push(git.passing.lock)
    else process.stderr.write(`note: nothing is kept for main: ${git.why}\n`)
    if (blessing !== null) locks.push(blessing.lock)
  }
  return locks
}

function words(
  { records, objects, others, models, freed, kept }: Garbage,
  { dryRun, running, total }: { dryRun: boolean; running: boolean; total: number },
): string {
  const lines: string[] = []
  const beside = others.length + models.length
  if (records.length + objects.length + beside === 0) lines.push('nothing to free')
  else {
    const counts = new Map<string, number>()
    for (const { kind } of records) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    const kinds = [...counts].sort().map(([kind, count]) => `${String(count)} ${kind}`)
    const results = kinds.length === 0 ? '' : ` (${kinds.join(', ')})`
    lines.push(
      `${dryRun ? 'would free' : 'freed'} ${bytes(freed)}: ${counted(records.length, 'result')}${results}, ${counted(objects.length, 'file')} of the store${beside === 0 ? '' : `, ${counted(beside, 'note')}, old logs and leftovers`}`,
    )
  }
  lines.push(`kept ${bytes(kept.bytes)}: ${counted(kept.records, 'result')} that locks, runs or main name`)
  lines.push(`.sluice holds ${bytes(total)}`)
  if (running) lines.push('a run is under way: everything since it began is kept')
  return `${lines.join('\n')}\n`
}

function json(
  { records, objects, others, models, freed, kept }: Garbage,
  dryRun: boolean,
  total: number,
): object {
  return {
    dryRun,
    freedBytes: freed,
    totalBytes: total,
    results: records.map(({ key, kind }) => ({ key, kind })),
    objects: objects.length,
    others: others.length + models.length,
    kept,
  }
}

function counted(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? '' : 's'}`
}
