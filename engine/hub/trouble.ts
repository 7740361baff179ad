/** Why a model could not be had from a hub, and what to do. */
import type { HttpFailure } from '../remote/request.ts'
import { kindOfStatus } from '../remote/request.ts'
import { RemoteTrouble } from '../remote/transport.ts'
import type { HubSettings } from './settings.ts'

export class HubTrouble extends Error {
  readonly help: string
  /** `request`: what was asked for is not to be had; `machine`: the network or the disk; it may work later. */
  readonly kind: 'request' | 'machine'
  constructor(kind: HubTrouble['kind'], message: string, help: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
    this.help = help
  }
}

export interface Asked {
  readonly repository: string
  /** As written, or the commit. */
  readonly revision: string
  readonly settings: Pick<HubSettings, 'endpoint' | 'token'>
}

/** An answer that asking again will not change becomes `HubTrouble`, every other one `RemoteTrouble`. */
export function refusal(failure: HttpFailure, asked: Asked): HubTrouble | RemoteTrouble {
  const { status, headers, retryAfterMs } = failure
  const { repository, revision, settings } = asked
  const code = headers['x-error-code']
  const page = `${settings.endpoint}/${repository}`
  const request = (message: string, help: string) => new HubTrouble('request', message, help)
  if (code === 'GatedRepo')
    return request(
      `${repository} is gated: its licence has to be accepted first`,
      settings.token === null
        ? `accept it at ${page}, then set HF_TOKEN to a token of that account`
        : `accept it at ${page} with the account of your token, and wait until access is granted`,
    )
  if (code === 'RevisionNotFound')
    return request(
      `${repository} has no branch, tag or commit '${revision}'`,
      `look at ${page}/tree/main; without @${revision} the newest commit is taken`,
    )
  if (status === 401 && /invalid/i.test(String(headers['x-error-message'] ?? '')))
    return request('the hub does not accept the token', 'HF_TOKEN is wrong or has expired')
  // The hub does not tell a stranger what is private from what is not there.
  if (code === 'RepoNotFound' || status === 401 || status === 404)
    return request(
      `there is no model ${repository} at ${settings.endpoint}, or it is private`,
      settings.token === null
        ? 'check the spelling; for a private model set HF_TOKEN'
        : 'check the spelling, and that your token may read it',
    )
  if (status === 403)
    return request(
      `${settings.endpoint} refuses ${repository} (403)`,
      settings.token === null ? `see ${page}; HF_TOKEN is not set` : `see ${page}; may your token read it?`,
    )
  return new RemoteTrouble(kindOfStatus(status), `answers ${String(status)}`, { retryAfterMs })
}

/** What is left after all tries. */
export function afterPatience(trouble: RemoteTrouble, endpoint: string): HubTrouble {
  const busy = trouble.kind === 'busy'
  return new HubTrouble(
    'machine',
    `${endpoint} ${trouble.message}`,
    busy
      ? 'it wants fewer requests: run again later, or set HF_TOKEN for a higher limit; what has come is kept'
      : 'run again: what has come is kept. Another address of the hub, such as a mirror, goes into HF_ENDPOINT',
    trouble,
  )
}
