/** What every step of fetching works with, and how each says that it could not. */
import type { Pause } from '../remote/patience.ts'
import { RemoteTrouble } from '../remote/transport.ts'
import type { HubSettings } from './settings.ts'
import { afterPatience, HubTrouble } from './trouble.ts'

export interface Fetching {
  readonly settings: HubSettings
  readonly stateDir: string
  readonly pause: Pause
  /** As it was typed, for those who wait. */
  readonly command: string
  /** Looks at configuration and tokenizer in a folder; throws `HubTrouble` if no stage could use the model. */
  readonly check: (dir: string) => Promise<void>
  readonly progress: (done: number, total: number) => void
  readonly waiting: (holder: string) => void
}

/** One commit of a model. */
export interface Pinned {
  readonly repository: string
  readonly commit: string
}

export async function inWords<T>({ settings }: Fetching, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw error instanceof RemoteTrouble ? afterPatience(error, settings.endpoint) : error
  }
}

export function offline(repository: string, why: string): HubTrouble {
  return new HubTrouble(
    'machine',
    `HF_HUB_OFFLINE is set, and ${repository} is not here: ${why}`,
    'unset HF_HUB_OFFLINE, or fetch it where there is a network: hf download ' + repository,
  )
}

export function notShared({ repository, commit }: Pinned, { settings }: Fetching): never {
  throw offline(repository, `the cache in ${settings.sharedCache} lacks files of ${commit.slice(0, 8)}`)
}
