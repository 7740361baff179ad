/** Does what a run talks to answer: workers, the remote cache, the hub. */
import { randomBytes } from 'node:crypto'
import type { HubAddress } from '../../dsl/hub-address.ts'
import { digestOf } from '../../engine/artifact.ts'
import { openStores } from '../../engine/environment.ts'
import type { Environment } from '../../engine/environment.ts'
import { findCommit } from '../../engine/hub/find-commit.ts'
import { HubTrouble } from '../../engine/hub/trouble.ts'
import { realPause } from '../../engine/remote/patience.ts'
import { WorkerSession } from '../../engine/worker/session.ts'
import { settingsHere } from '../hub.ts'
import { remoteOf } from '../remote.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

export async function workerFindings({ workers }: Environment): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  // One after the other: they are timed.
  for (const [name, worker] of Object.entries(workers)) {
    const began = performance.now()
    try {
      await (await WorkerSession.start(worker)).end()
      findings.push(ok(`worker ${name}`, `answers in ${(performance.now() - began).toFixed(0)} ms`))
    } catch (error) {
      findings.push(
        failed(`worker ${name}`, (error as Error).message, 'npm ci; for a plugin, see its own page'),
      )
    }
  }
  return findings
}

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
