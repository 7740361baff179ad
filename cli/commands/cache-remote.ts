/** `sluice cache push` and `cache pull`: what a lock names, to and from the cache that is shared with others. */
import type { Digest } from '../../engine/artifact.ts'
import type { Lock } from '../../engine/lock-file.ts'
import type { RemoteCache } from '../../engine/remote/cache.ts'
import { inParallel } from '../../engine/remote/parallel.ts'
import { exitCodeOfStop, Stopped } from '../../engine/run/stopped.ts'
import type { StopSignal } from '../../engine/run/stopped.ts'
import { findMain } from '../baseline.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { openPipeline } from '../project.ts'
import type { Opened } from '../project.ts'
import { remoteOf } from '../remote.ts'
import type { Remote } from '../remote.ts'
import { bytes } from '../reports/style.ts'

/** Results at a time; each has several requests under way. */
const WIDTH = 3
const ENVIRONMENT = 6

/** `push [main]`, `pull [main]`. */
export async function remoteCommand(command: Command, buildDir: string): Promise<number> {
  const [direction = '', whose, ...rest] = command.args
  if (
    (direction !== 'push' && direction !== 'pull') ||
    (whose !== undefined && whose !== 'main') ||
    rest.length > 0
  )
    throw new Usage(
      'cache wants push or pull, of what the lock names, or of what main made\n  help: sluice cache pull, sluice cache pull main',
      true,
    )
  const opened = await openPipeline(command, buildDir)
  const remote = await remoteOf(opened.root, opened.environment.stateDir, process.env)
  if (remote === null)
    throw new Usage(
      process.env['SLUICE_REMOTE'] === 'off'
        ? 'SLUICE_REMOTE=off: the remote cache is switched off'
        : 'there is no remote cache\n  help: sluice.config.yaml, cache: { remote: … }; see docs/remote-cache.md',
      true,
    )
  if (direction === 'push' && remote.unpushable !== null)
    throw new Usage(`nothing can be pushed from here: ${remote.unpushable}`, true)
  const keys = keysIn(whose === 'main' ? await mainLock(opened) : opened.lock)
  const stop = new AbortController()
  const interrupt = (signal: StopSignal) => stop.abort(new Stopped(signal))
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    return await transfer({ direction, keys, opened, remote, signal: stop.signal })
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

interface Transfer {
  readonly direction: 'push' | 'pull'
  readonly keys: readonly Wanted[]
  readonly opened: Opened
  readonly remote: Remote
  readonly signal: AbortSignal
}

/** A result that a lock names. */
interface Wanted {
  readonly key: Digest
  readonly stage: string
  readonly ports: readonly string[]
}

type Fate = 'moved' | 'there' | 'absent' | 'trouble'

async function transfer({ direction, keys, opened, remote, signal }: Transfer): Promise<number> {
  const cache = remote.open((text) => void process.stderr.write(`warning: remote cache ${text}\n`))
  const fates: Fate[] = []
  let size = 0
  const move = direction === 'push' ? pushOne : pullOne
  await inParallel(keys, WIDTH, async (wanted) => {
    if (signal.aborted) return
    const { fate, bytes: moved } = await move(wanted, opened, cache, signal)
    fates.push(fate)
    size += moved
    if (fate === 'absent')
      process.stderr.write(
        `note: ${wanted.stage} is not in ${direction === 'push' ? 'the store of this machine' : cache.shown}\n`,
      )
  })
  const count = (fate: Fate) => fates.filter((each) => each === fate).length
  const words = [
    `${String(count('moved'))} of ${String(keys.length)} results ${direction === 'push' ? 'pushed to' : 'pulled from'} ${cache.shown}, ${bytes(size)}`,
    ...(count('there') > 0 ? [`${String(count('there'))} were there`] : []),
    ...(count('absent') > 0 ? [`${String(count('absent'))} do not exist`] : []),
    ...(count('trouble') > 0 ? [`${String(count('trouble'))} failed`] : []),
  ]
  process.stdout.write(`${words.join('; ')}\n`)
  if (signal.aborted) return exitCodeOfStop(signal)
  return count('trouble') > 0 ? ENVIRONMENT : 0
}

interface Moved {
  readonly fate: Fate
  readonly bytes: number
}

async function pushOne(
  { key }: Wanted,
  { stores }: Opened,
  cache: RemoteCache,
  signal: AbortSignal,
): Promise<Moved> {
  const lookup = stores.results.find(key)
  if (lookup.type === 'miss') return { fate: 'absent', bytes: 0 }
  const pushed = await cache.push(lookup.result, stores, signal)
  if (pushed.type === 'pushed') return { fate: 'moved', bytes: pushed.bytes }
  return { fate: pushed.type, bytes: 0 }
}

async function pullOne(
  { key, ports }: Wanted,
  { stores }: Opened,
  cache: RemoteCache,
  signal: AbortSignal,
): Promise<Moved> {
  if (stores.results.find(key).type === 'hit') return { fate: 'there', bytes: 0 }
  const pulled = await cache.pull(key, ports, stores, signal)
  if (pulled.type === 'pulled') return { fate: 'moved', bytes: pulled.bytes }
  return { fate: pulled.type === 'miss' ? 'absent' : 'trouble', bytes: 0 }
}

/** A choice has no result of its own: it is one of the trials. Instances may share a result. */
function keysIn(lock: Lock | null): readonly Wanted[] {
  if (lock === null)
    throw new Usage('there is no lock that says what belongs to this pipeline\n  help: sluice run', true)
  const wanted = new Map<string, Wanted>()
  for (const [stage, facts] of Object.entries(lock['stages'] ?? {})) {
    const { key, chosen } = facts
    if (chosen !== undefined || typeof key !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(key)) continue
    const ports = Object.keys(facts).flatMap((fact) =>
      fact.startsWith('out.') ? [fact.slice('out.'.length)] : [],
    )
    wanted.set(key, { key: key as Digest, stage, ports })
  }
  return [...wanted.values()]
}

async function mainLock(opened: Opened): Promise<Lock> {
  const { git } = await findMain(opened)
  if (git.type === 'passing') return git.passing.lock
  throw new Usage(`main is not known: ${git.why}\n  help: ${git.help}`, true)
}
