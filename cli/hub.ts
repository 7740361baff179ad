/** Models on a hub as commands meet them: looked up without the network, fetched before a run needs them. */
import { randomUUID } from 'node:crypto'
import { homedir } from 'node:os'
import { hubAddress } from '../dsl/hub-address.ts'
import type { HubAddress } from '../dsl/hub-address.ts'
import type { Pipeline, PipelineSource } from '../dsl/pipeline.ts'
import type { Environment, FoundSource } from '../engine/environment.ts'
import type { Fetching } from '../engine/hub/fetching.ts'
import { findCommit } from '../engine/hub/find-commit.ts'
import { hubSource, listedSource, lockedDigest, pinnedCommit } from '../engine/hub/hub-source.ts'
import type { Known } from '../engine/hub/hub-source.ts'
import { listModel } from '../engine/hub/list-model.ts'
import { hubSettings } from '../engine/hub/settings.ts'
import type { HubSettings } from '../engine/hub/settings.ts'
import { keepCommit } from '../engine/hub/snapshot.ts'
import { HubTrouble } from '../engine/hub/trouble.ts'
import type { Facts, Lock } from '../engine/lock-file.ts'
import { realPause } from '../engine/remote/patience.ts'
import { WorkerSession } from '../engine/worker/session.ts'
import { interruptible } from './interrupted.ts'
import { Usage } from './options.ts'
import type { Opened } from './project.ts'
import type { Remote } from './remote.ts'
import { sharedPlan } from './remote-plan.ts'
import { FetchReport } from './reports/fetching.ts'
import type { Wished } from './wish.ts'

type Place = Pick<Opened, 'environment' | 'pipeline' | 'command'>

/** What this machine and the lock know of a source on a hub; null if it is none, or nobody has asked yet. */
export function knownOnHub(
  source: PipelineSource,
  place: Place,
  locked: Facts | undefined,
  smallOnly: boolean,
): FoundSource | null {
  const known = knownOf(source, place, locked, smallOnly)
  return known === null ? null : hubSource(known)
}

function knownOf(
  source: PipelineSource,
  place: Place,
  locked: Facts | undefined,
  smallOnly: boolean,
): Known | null {
  const { from } = source
  const address = hubAddress(from)
  if (address === null || typeof from !== 'string') return null
  return { from, address, locked, smallOnly, fetching: fetchingFor(source.name, address, place) }
}

/** Where the hub is for this user. Throws `Usage` if a variable says nonsense. */
export function settingsHere(): HubSettings {
  const settings = hubSettings(process.env, homedir())
  if (!/^https?:\/\//.test(settings.endpoint) || !URL.canParse(settings.endpoint))
    throw new Usage(
      `HF_ENDPOINT is an address such as https://hf-mirror.com, not '${settings.endpoint}'`,
      true,
    )
  return settings
}

function fetchingFor(name: string, address: HubAddress, place: Place): Fetching {
  const report = new FetchReport(process.stderr, `${name}  ${address.repository}`)
  return {
    settings: settingsHere(),
    stateDir: place.environment.stateDir,
    pause: realPause,
    command: place.command,
    check: (dir) => checkModel(name, address, place, dir),
    progress: (done, total) => report.take(done, total),
    waiting: (holder) => void process.stderr.write(`${name}: ${holder} is fetching it; waiting\n`),
  }
}

/** Asks the worker that would train or score with it; one that does not know the question is no hindrance. */
async function checkModel(
  name: string,
  { repository }: HubAddress,
  { environment, pipeline }: Place,
  dir: string,
): Promise<void> {
  const worker = environment.workers['kernel']
  if (worker === undefined || !isComputed(name, pipeline, environment)) return
  const session = await WorkerSession.start(worker)
  try {
    const outcome = await session.run(
      {
        ...{ type: 'job', id: randomUUID(), op: 'check-model', with: {}, outputs: {}, threads: 1 },
        inputs: { model: { dir, files: [] } },
      },
      { message: () => undefined, output: () => undefined },
      new AbortController().signal,
    )
    if (outcome.type === 'done' || outcome.kind !== 'input') return
    throw new HubTrouble(
      'request',
      `${repository}: ${outcome.message.replaceAll(`${dir}/`, '')}`,
      `${outcome.help ?? 'take another model'} No weights were fetched.`,
    )
  } finally {
    await session.end()
  }
}

/** Whether a stage computes with the source in our own worker, and does not only tokenize for it. */
function isComputed(name: string, { stages }: Pipeline, { kinds }: Environment): boolean {
  return stages.some(
    ({ inputs, uses, worker, with: options }) =>
      worker === null &&
      Object.values(inputs).some((from) => from.type === 'source' && from.source === name) &&
      kinds[uses]?.steps(options).some(({ on }) => on === 'kernel') === true,
  )
}

/** Fetches what the stages of this run read and do not have; what the cache spares, it leaves where it is. */
export async function fetchModels(
  opened: Opened,
  { forced, takesPart }: Pick<Wished, 'forced' | 'takesPart'>,
  remote: Remote | null,
  smallOnly: boolean,
): Promise<Opened> {
  const read = (names: (stage: string) => boolean) =>
    new Set(
      opened.pipeline.stages
        .filter(({ name }) => names(name))
        .flatMap(({ inputs }) => Object.values(inputs))
        .flatMap((from) => (from.type === 'source' ? [from.source] : [])),
    )
  const wanted = read((name) => takesPart.has(name))
  const onHub = Object.values(opened.pipeline.sources).filter(
    ({ name, from }) => wanted.has(name) && hubAddress(from) !== null,
  )
  if (onHub.every(({ name }) => opened.sources[name]?.hub?.isHere() === true)) return opened
  return interruptible(async (signal) => {
    const sources = { ...opened.sources }
    for (const source of onHub)
      sources[source.name] ??= await askFor(source, opened, opened.lock, smallOnly, signal)
    const now = { ...opened, sources }
    const absent = onHub.filter(({ name }) => sources[name]?.hub?.isHere() === false)
    if (absent.length === 0) return now
    const { planned } = await sharedPlan(now, forced, remote, signal)
    const running = new Set(planned.flatMap((each) => (each.type === 'run' ? [each.stage.name] : [])))
    const needed = read((name) => takesPart.has(name) && running.has(name))
    for (const { name } of absent) if (needed.has(name)) await sources[name]?.hub?.bring(signal)
    return now
  })
}

/** Asks the hub what a source holds; brings no weights. */
async function askFor(
  source: PipelineSource,
  place: Place,
  lock: Lock | null,
  smallOnly: boolean,
  signal: AbortSignal,
): Promise<FoundSource> {
  const known = knownOf(source, place, lock?.['sources']?.[source.name], smallOnly)
  if (known === null) throw new Error(`bug: ${source.name} is on no hub`)
  const { address, fetching } = known
  const pinned = pinnedCommit(known)
  const commit = pinned ?? (await findCommit(address, fetching, signal))
  const digest = lockedDigest(known, commit)
  const tree = await listModel({ repository: address.repository, commit }, { digest }, fetching, signal)
  if (pinned === null) remember(known, commit)
  return listedSource(known, commit, tree)
}

/** For the next command. What a lock pins is not noted: a pipeline without that lock has nothing to do with it. */
function remember({ address: { repository, revision }, fetching }: Known, commit: string): void {
  keepCommit(fetching.stateDir, repository, revision ?? 'main', commit)
}

/** Asks the hub anew which commit a source is at; whoever pinned another one is told by the caller. */
export async function moveSource(source: PipelineSource, place: Place): Promise<FoundSource> {
  const known = knownOf(source, place, undefined, false)
  if (known === null) throw new Usage(`${source.name} is no model on a hub, so nothing of it is pinned`, true)
  const { address, fetching } = known
  return interruptible(async (signal) => {
    const commit = await findCommit(address, fetching, signal)
    const pinned = { repository: address.repository, commit }
    const tree = await listModel(pinned, { digest: null, anew: true }, fetching, signal)
    remember(known, commit)
    return listedSource(known, commit, tree)
  })
}
