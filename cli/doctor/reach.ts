/** Does what a run talks to answer: workers, the remote cache, the hub. */
import { randomBytes } from 'node:crypto'
import type { HubAddress } from '../../dsl/hub-address.ts'
import { own } from '../../dsl/own.ts'
import { digestOf } from '../../engine/artifact.ts'
import { openStores } from '../../engine/environment.ts'
import type { Environment } from '../../engine/environment.ts'
import { findCommit } from '../../engine/hub/find-commit.ts'
import { HubTrouble } from '../../engine/hub/trouble.ts'
import { realPause } from '../../engine/remote/patience.ts'
import { workerId } from '../../engine/steps.ts'
import { WorkerSession } from '../../engine/worker/session.ts'
import { settingsHere } from '../hub.ts'
import { compileText, environmentWith } from '../project.ts'
import type { Build, Project } from '../project.ts'
import { remoteOf } from '../remote.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

/** The workers that pipeline files name, started as this machine starts them. */
export async function namedWorkerFindings(
  files: readonly string[],
  around: Pick<Project, 'root' | 'environment' | 'plugins'>,
  build: Build,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const file of files) {
    // What is wrong in the file is said by `validate`.
    const { pipeline } = await compileText({ ...around, file, command: 'sluice doctor' }, build, {
      params: {},
    })
    if (pipeline === null) continue
    const { workers } = await environmentWith(pipeline, around)
    const named = Object.keys(pipeline.workers).flatMap((name) => {
      const worker = own(workers, workerId(name))
      return worker === undefined ? [] : [[name, worker] as const]
    })
    const help = `${file} names it: is its command right for this machine? sluice.local.yaml can say another`
    const declared = Object.fromEntries(
      Object.values(pipeline.workers).map(({ name, capabilities }) => [name, capabilities]),
    )
    findings.push(...(await handshakes(Object.fromEntries(named), help, declared)))
  }
  return findings
}

export function workerFindings({ workers }: Environment): Promise<readonly Finding[]> {
  return handshakes(workers, 'npm ci; for a plugin, see its own page')
}

async function handshakes(
  workers: Environment['workers'],
  help: string,
  /** What files say that a worker can do, which it has to say itself. */
  declared: Readonly<Record<string, readonly string[]>> = {},
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  // One after the other: they are timed.
  for (const [name, worker] of Object.entries(workers)) {
    const began = performance.now()
    try {
      const session = await WorkerSession.start(worker)
      const { ops } = session
      await session.end()
      const lacking = (own(declared, name) ?? []).filter((op) => ops?.includes(op) === false)
      findings.push(
        lacking.length === 0
          ? ok(`worker ${name}`, `answers in ${(performance.now() - began).toFixed(0)} ms`)
          : failed(`worker ${name}`, lackingText(lacking, ops ?? []), LACKING_HELP),
      )
    } catch (error) {
      findings.push(failed(`worker ${name}`, (error as Error).message, help))
    }
  }
  return findings
}

function lackingText(lacking: readonly string[], ops: readonly string[]): string {
  return `the file says that it can do ${lacking.join(', ')}; its ready names ${ops.join(', ') || 'nothing'}`
}

const LACKING_HELP = 'put right its capabilities in the file, or its ready message: docs/workers.md'

/** No trouble of it fails a run, so none is more than a warning. */
export async function remoteFindings({ root, stateDir }: Environment): Promise<readonly Finding[]> {
  const remote = await remoteOf(root, stateDir, process.env)
  if (remote === null) return []
  const troubles: string[] = []
  const cache = remote.open((text) => void troubles.push(text))
  const nobodysKey = digestOf(randomBytes(32))
  await cache.find(nobodysKey, openStores(stateDir), new AbortController().signal)
  const [trouble] = troubles
  if (trouble !== undefined)
    return [warning('remote cache', trouble, 'runs go on without it; see docs/remote-cache.md')]
  const push = remote.mode === 'pull' || remote.unpushable === null ? '' : `; ${remote.unpushable}`
  return [ok('remote cache', `${cache.shown} answers${push}`)]
}

/** Only if a pipeline uses it. */
export async function hubFindings(
  addresses: readonly HubAddress[],
  { stateDir }: Environment,
): Promise<readonly Finding[]> {
  if (addresses.length === 0) return []
  const settings = settingsHere()
  if (settings.offline)
    return [
      warning(
        'hub',
        'HF_HUB_OFFLINE is set',
        'only models that are here or in the Hugging Face cache can be used',
      ),
    ]
  const fetching = {
    ...{ settings, stateDir, pause: realPause, command: 'sluice doctor' },
    check: () => Promise.resolve(),
    progress: () => undefined,
    waiting: () => undefined,
  }
  const findings: Finding[] = []
  for (const address of addresses) {
    const { repository, revision } = address
    try {
      // A commit needs no asking, so the branch is asked for: it says whether the repository can be read.
      const commit = await findCommit({ repository, revision: null }, fetching, new AbortController().signal)
      const at = revision === null ? `; the newest commit is ${commit.slice(0, 8)}` : ''
      findings.push(ok('hub', `${settings.endpoint} answers for ${repository}${at}`))
    } catch (error) {
      if (!(error instanceof HubTrouble)) throw error
      findings.push(failed('hub', error.message, error.help))
    }
  }
  return findings
}
