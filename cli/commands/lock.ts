/** `sluice lock`: does the lock say what the file says, and how two versions of it become one. */
import { existsSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { hubAddress } from '../../dsl/hub-address.ts'
import { sourceFacts } from '../../engine/lock/facts.ts'
import type { FoundSource } from '../../engine/environment.ts'
import { LockError, lockText, parseLock, readLock, writeLock } from '../../engine/lock-file.ts'
import type { Facts, Lock } from '../../engine/lock-file.ts'
import { conflictSides, unmixed } from '../../engine/lock/conflict.ts'
import type { Sides } from '../../engine/lock/conflict.ts'
import { mergeLocks } from '../../engine/lock/merge.ts'
import { lockedSource, resolveLock } from '../../engine/lock/resolve.ts'
import type { Resolved } from '../../engine/lock/resolve.ts'
import { staleness } from '../../engine/lock/stale.ts'
import { ownerWords } from '../../engine/run/owner.ts'
import { rightOf } from '../../engine/run/publish.ts'
import { visit } from '../../engine/run/visit.ts'
import { writeAtomic } from '../../engine/store/atomic.ts'
import { unmergedVersions } from '../git.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { openPipeline } from '../project.ts'
import type { Opened } from '../project.ts'
import { staleText } from '../reports/stale.ts'
import { toType } from '../to-type.ts'

/** As for `plan --check`. */
const STALE = 10
/** What git takes for "this file still has conflicts". */
const CONFLICT = 1

export async function lockCommand(command: Command, buildDir: string): Promise<number> {
  const asked = ['check', 'resolve', 'merge', 'update'].filter((name) => command.flags[name] === true)
  if (asked.length !== 1)
    throw new Usage(
      'lock wants one of --check, --update, --resolve, --merge\n  help: sluice lock --check   (exit 10 if the lock is stale)',
      true,
    )
  if (command.flags['merge'] === true) return mergeCommand(command)
  if (command.flags['update'] === true) return updateCommand(command, buildDir)
  if (command.args.length > 0)
    throw new Usage(`lock takes no ${command.args[0] ?? ''}\n  help: sluice lock --help`, true)
  return command.flags['check'] === true ? checkCommand(command, buildDir) : resolveCommand(command, buildDir)
}

async function checkCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const shown = relative(opened.root, opened.lockPath)
  const stale = opened.lock === null ? null : staleness(opened, opened.lock)
  if (command.flags['json'] === true) {
    const found = (stale ?? []).map((each) => ({ ...each, text: staleText([each]).trim() }))
    const json = {
      lock: opened.lock === null ? null : shown,
      stale: stale === null || found.length > 0,
      found,
    }
    process.stdout.write(
      `${JSON.stringify(json, (name, value: unknown) => (name === 'span' ? undefined : value), 2)}\n`,
    )
  } else if (stale === null)
    process.stdout.write(`there is no ${shown}: ${toType('run', opened)} writes it\n`)
  else if (stale.length === 0) process.stdout.write(`${shown} says what ${opened.file} says\n`)
  else
    process.stdout.write(
      `${shown} is stale; ${toType('run', opened)} brings it up to date\n\n${staleText(stale)}\n`,
    )
  return stale === null || stale.length > 0 ? STALE : 0
}

/** Asks the hub what its branches are now. The lock names the commit at once; a run makes the rest fit. */
async function updateCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir)
  const { pipeline, lockPath, root } = opened
  const { moveSource } = await import('../hub.ts')
  const onHub = Object.values(pipeline.sources).filter(({ from }) => hubAddress(from) !== null)
  const names = command.args.length > 0 ? command.args : onHub.map(({ name }) => name)
  if (names.length === 0) throw new Usage('no source of this pipeline lies on a hub', true)
  const moved: Record<string, Facts> = {}
  for (const name of names) {
    const source = pipeline.sources[name]
    if (source === undefined) throw new Usage(`there is no source ${name}`, true)
    const found = await moveSource(source, opened)
    moved[name] = sourceFacts(found)
    process.stdout.write(`${name}  ${movedText(opened.sources[name]?.hub?.origin, found.hub?.origin)}\n`)
  }
  await correctSources(opened, moved)
  const shown = relative(root, lockPath)
  process.stdout.write(
    `next: ${toType('plan', opened)} shows what that means; ${toType('run', opened)}, and commit ${shown}\n`,
  )
  return 0
}

/** A run may have ended while the hub was asked: what it wrote stays, but for these sources. */
function correctSources(
  { pipeline, environment, command, lockPath }: Opened,
  moved: Readonly<Record<string, Facts>>,
): Promise<void> {
  return visit(environment.stateDir, command, async (rights) => {
    const right = await rights.take(
      rightOf({ pipeline }),
      (holder) => void process.stderr.write(`${ownerWords(holder)} is writing the lock; waiting\n`),
      new AbortController().signal,
    )
    try {
      const lock = readLock(lockPath)
      // Without a lock there is nothing to correct: the next complete run writes it, with these commits.
      if (lock !== null) writeLock(lockPath, { ...lock, sources: { ...lock['sources'], ...moved } })
    } finally {
      right.release()
    }
  })
}

function movedText(before: Facts = {}, after: Facts = {}): string {
  const short = ({ commit }: Facts) => (typeof commit === 'string' ? commit.slice(0, 8) : null)
  const [old, young] = [short(before), short(after)]
  const from = typeof after['from'] === 'string' ? after['from'] : ''
  if (old === young) return `${from}  still at ${young ?? ''}`
  return `${from}  ${old === null ? 'now at' : `${old} →`} ${young ?? ''}`
}

async function resolveCommand(command: Command, buildDir: string): Promise<number> {
  const opened = await openPipeline(command, buildDir, { lock: 'unread' })
  const { lockPath, root } = opened
  const shown = relative(root, lockPath)
  if (!existsSync(lockPath)) throw new Usage(`there is no ${shown}\n  help: ${toType('run', opened)}`, true)
  const sides = sidesOf(root, shown)
  const sources = { ...opened.sources, ...(await pinnedBy(sides, opened)) }
  const resolved = resolveLock(sides, { ...opened, sources }, opened.stores)
  writeLock(lockPath, resolved.lock)
  process.stdout.write(`${resolvedText(shown, resolved, toType('run', opened))}\n`)
  return 0
}

/** Which commit a model on a hub is at, only the lock knows. */
async function pinnedBy(
  sides: readonly Lock[],
  opened: Opened,
): Promise<Readonly<Record<string, FoundSource>>> {
  const onHub = Object.values(opened.pipeline.sources).filter(({ from }) => hubAddress(from) !== null)
  if (onHub.length === 0) return {}
  const { knownOnHub } = await import('../hub.ts')
  const known = onHub.flatMap((source) => {
    const found = knownOnHub(source, opened, lockedSource(sides, source.name), false)
    return found === null ? [] : [[source.name, found] as const]
  })
  return Object.fromEntries(known)
}

/** Both versions of a conflict; a lock without one is its only side. */
function sidesOf(root: string, shown: string): readonly Lock[] {
  const text = readFileSync(join(root, shown), 'utf8')
  const marked = conflictSides(text)
  if (marked === null) return [parseLock(text, shown)]
  const parse = ({ ours, theirs }: Sides): readonly Lock[] => [
    parseLock(ours, `${shown} (ours)`),
    parseLock(theirs, `${shown} (theirs)`),
  ]
  const whole = unmergedVersions(root, shown)
  return whole === null ? unmixed(parse(marked)) : parse(whole)
}

function resolvedText(shown: string, { lock, kept, refilled, dropped }: Resolved, again: string): string {
  const line = (names: readonly string[], words: string) =>
    names.length === 0 ? [] : [`  ${words}: ${names.join(', ')}`]
  const complete = dropped.length === 0 && Object.keys(lock['gates'] ?? {}).length > 0
  return [
    `${shown} holds what fits the merged file`,
    ...line(kept, 'kept'),
    ...line(refilled, 'found in the cache'),
    ...line(dropped, 'left to the next run'),
    complete ? `next: git add ${shown}` : `next: ${again}, then git add ${shown}`,
  ].join('\n')
}

/** `%O %A %B` of a merge driver: the result goes over `%A`. A version that cannot be read leaves the conflict to people. */
function mergeCommand(command: Command): number {
  const [base, ours, theirs, ...rest] = command.args
  if (base === undefined || ours === undefined || theirs === undefined || rest.length > 0)
    throw new Usage(
      "lock --merge is called by git\n  help: git config merge.sluice-lock.driver 'npx sluice lock --merge %O %A %B'",
      true,
    )
  const read = (path: string) => parseLock(readFileSync(resolve(path), 'utf8'), path)
  try {
    const { lock, dropped } = mergeLocks(readBase(base), read(ours), read(theirs))
    writeAtomic(resolve(ours), lockText(lock))
    if (dropped.length > 0)
      process.stderr.write(
        `the lock is merged; both sides made ${dropped.join(', ')} anew, so the next sluice run fills them in (what it has cached costs nothing)\n`,
      )
    return 0
  } catch (error) {
    if (!(error instanceof LockError)) throw error
    process.stderr.write(`${error.message}\n`)
    return CONFLICT
  }
}

/** The common ancestor of criss-cross merges can hold conflict markers itself; nothing is then known of it. */
function readBase(path: string): Lock {
  try {
    return parseLock(readFileSync(resolve(path), 'utf8'), path)
  } catch (error) {
    if (error instanceof LockError) return {}
    throw error
  }
}
