/** A branch or a tag -> the commit that it is at this moment. */
import { isCommit } from '../../dsl/hub-address.ts'
import type { HubAddress } from '../../dsl/hub-address.ts'
import { Patience } from '../remote/patience.ts'
import { RemoteTrouble } from '../remote/transport.ts'
import { commitOf } from './api.ts'
import { offline } from './fetching.ts'
import type { Fetching } from './fetching.ts'
import { sharedCommit } from './shared-cache.ts'
import { afterPatience, HubTrouble } from './trouble.ts'

/** The commit that an address means at this moment. */
export async function findCommit(
  { repository, revision }: HubAddress,
  fetching: Fetching,
  signal: AbortSignal,
): Promise<string> {
  const wanted = revision ?? 'main'
  if (isCommit(wanted)) return wanted
  const { settings, pause } = fetching
  const shared = sharedCommit(settings.sharedCache, repository, wanted)
  if (settings.offline) {
    if (shared !== null) return shared
    throw offline(repository, `the cache in ${settings.sharedCache} does not know it`)
  }
  try {
    const ask = () => commitOf(settings, repository, wanted, signal)
    return await new Patience(pause).ask(ask, signal)
  } catch (error) {
    if (!(error instanceof RemoteTrouble)) throw error
    const trouble = afterPatience(error, settings.endpoint)
    if (shared === null) throw trouble
    throw new HubTrouble(
      'machine',
      trouble.message,
      `HF_HUB_OFFLINE=1 takes the commit ${shared.slice(0, 8)} that ${settings.sharedCache} has`,
      error,
    )
  }
}
