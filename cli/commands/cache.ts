/** `sluice cache`: what lies in the store of this machine, and whether it is whole; pushing and pulling have a file of their own. */
import { checkStore } from '../../engine/gc/check.ts'
import type { Damage } from '../../engine/gc/check.ts'
import type { Digest } from '../../engine/artifact.ts'
import { stateSizes } from '../../engine/gc/sizes.ts'
import { visit } from '../../engine/run/visit.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { bytes, width } from '../reports/style.ts'
import { usersOf, viewStore } from '../store.ts'
import type { StoreView } from '../store.ts'

const ENVIRONMENT = 6

export async function cacheCommand(command: Command, buildDir: string): Promise<number> {
  const [what, ...rest] = command.args
  if (what === 'push' || what === 'pull')
    return await (await import('./cache-remote.ts')).remoteCommand(command, buildDir)
  if (rest.length === 0 && what === 'ls') return listCommand(command)
  if (rest.length === 0 && what === 'verify') return await verifyCommand(command)
  throw new Usage(
    'cache wants ls, verify, push or pull\n  help: sluice cache ls, sluice cache verify --full, sluice cache pull',
    true,
  )
}

interface Row {
  /** `pipeline/stage`; '' for results that no run on this machine names. */
  readonly user: string
  results: number
  bytes: number
}

/** Bytes that several stages share are counted for the first. */
function listCommand(command: Command): number {
  const view = viewStore(command)
  const rows = new Map<string, Row>()
  const named = new Set<Digest>()
  const users = usersOf(view.runs)
  for (const { key } of view.stores.results.records()) {
    const user = users.get(key) ?? ''
    const row = rows.get(user) ?? { user, results: 0, bytes: 0 }
    rows.set(user, row)
    row.results += 1
    for (const { tree } of Object.values(view.stores.results.read(key)?.outputs ?? {})) {
      const files = view.stores.blobs.filesOf(tree) ?? []
      named.add(tree)
      for (const { digest, size } of files) {
        if (!named.has(digest)) row.bytes += size
        named.add(digest)
      }
    }
  }
  const total = { objects: 0, bytes: 0, unnamed: 0, unnamedBytes: 0 }
  for (const object of view.stores.blobs.objects()) {
    if (object.digest === null) continue
    total.objects += 1
    total.bytes += object.size
    if (named.has(object.digest)) continue
    total.unnamed += 1
    total.unnamedBytes += object.size
  }
  const sorted = [...rows.values()].sort((a, b) => (a.user < b.user ? -1 : 1))
  const folders = Object.fromEntries(stateSizes(view.stateDir))
  if (command.flags['json'] === true)
    process.stdout.write(`${JSON.stringify({ ...total, folders, stages: sorted }, null, 2)}\n`)
  else process.stdout.write(listing(sorted, total) + folderText(folders))
  return 0
}

function listing(
  rows: readonly Row[],
  total: { objects: number; bytes: number; unnamed: number; unnamedBytes: number },
): string {
  const names = rows.map(({ user }) => (user === '' ? '(no run here names it)' : user))
  const widest = Math.max(0, ...names.map(width))
  const lines = rows.map(
    ({ results, bytes: size }, i) =>
      `${names[i] ?? ''}${' '.repeat(widest - width(names[i] ?? ''))}  ${bytes(size).padStart(9)}  ${counted(results, 'result')}`,
  )
  lines.push(`${counted(total.objects, 'file')}, ${bytes(total.bytes)}`)
  if (total.unnamed > 0)
    lines.push(
      `of these ${counted(total.unnamed, 'file')}, ${bytes(total.unnamedBytes)}, belong to no result\n  help: sluice gc`,
    )
  return `${lines.join('\n')}\n`
}

/** What of `.sluice/` is no store: `runs 1.2 MB, checkpoints 31.0 MB`. */
function folderText(folders: Readonly<Record<string, number>>): string {
  const all = Object.values(folders).reduce((sum, size) => sum + size, 0)
  const beside = Object.entries(folders).filter(([name, size]) => name !== 'cas' && size > 0)
  const parts = beside.map(([name, size]) => `, ${name} ${bytes(size)}`)
  return `.sluice in all ${bytes(all)}: store ${bytes(folders['cas'] ?? 0)}${parts.join('')}\n`
}

async function verifyCommand(command: Command): Promise<number> {
  const view = viewStore(command)
  const full = command.flags['full'] === true
  const damage = await visit(view.stateDir, 'sluice cache verify', (rights) =>
    checkStore(view.stores, rights, { full }),
  )
  const found = damage.damaged.length + damage.lost.length
  if (command.flags['json'] === true)
    process.stdout.write(`${JSON.stringify({ ...damage, lost: namedLosses(damage, view) }, null, 2)}\n`)
  else process.stdout.write(verdict(damage, view, full))
  return found === 0 ? 0 : ENVIRONMENT
}

function namedLosses({ lost }: Damage, view: StoreView): readonly object[] {
  const users = usersOf(view.runs)
  return lost.map((each) => ({ ...each, stage: users.get(each.key) ?? null }))
}

function verdict(damage: Damage, view: StoreView, full: boolean): string {
  const { objects, bytes: size, records, damaged, lost } = damage
  const looked = `${counted(records, 'result')}, ${counted(objects, 'file')}, ${bytes(size)}`
  if (damaged.length + lost.length === 0)
    return `✓ ${looked}: ${full ? 'every byte is what its name says' : 'all there, in its size'}\n${full ? '' : '  help: --full reads every byte\n'}`
  const users = usersOf(view.runs)
  return [
    `✗ ${looked}`,
    ...damaged.map((digest) => `  damaged: ${digest}`),
    ...lost.map(({ key, why }) => `  ${users.get(key) ?? key}: ${why}; it will run again`),
    `  put aside in .sluice/cas/quarantine and .sluice/results/quarantine`,
    `  help: sluice run makes what is missing; damage without a reason is a disk to be looked at`,
    '',
  ].join('\n')
}

function counted(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? '' : 's'}`
}
