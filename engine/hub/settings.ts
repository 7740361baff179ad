/** The variables that everybody's tools read -> where the hub is, who we are there, and where its files may lie already. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HTTP_LIMITS } from '../remote/request.ts'
import type { HttpLimits } from '../remote/request.ts'

export interface HubSettings {
  /** Without a slash at its end: `HF_ENDPOINT`, a mirror for instance. */
  readonly endpoint: string
  readonly token: string | null
  /** `HF_HUB_OFFLINE`: nothing is asked of the network. */
  readonly offline: boolean
  /** The cache that transformers and others share. */
  readonly sharedCache: string
  readonly limits: HttpLimits
}

type Env = Readonly<Record<string, string | undefined>>

/** Servers of large files take their time before the first byte. */
const STALL_MS = 30_000
const DEFAULT_ENDPOINT = 'https://huggingface.co'

/** Throws in words if the endpoint is no address. */
export function hubSettings(env: Env, home: string): HubSettings {
  const set = (name: string) => (env[name] === '' ? undefined : env[name])
  const base = set('HF_HOME') ?? join(set('XDG_CACHE_HOME') ?? join(home, '.cache'), 'huggingface')
  return {
    endpoint: (set('HF_ENDPOINT') ?? DEFAULT_ENDPOINT).replace(/\/+$/, ''),
    token: set('HF_TOKEN') ?? tokenIn(set('HF_TOKEN_PATH') ?? join(base, 'token')),
    offline: /^(1|on|yes|true)$/i.test(set('HF_HUB_OFFLINE') ?? ''),
    sharedCache: set('HF_HUB_CACHE') ?? join(base, 'hub'),
    limits: { ...HTTP_LIMITS, stallMs: STALL_MS },
  }
}

/** Where `hf auth login` leaves it. */
function tokenIn(path: string): string | null {
  try {
    const token = readFileSync(path, 'utf8').trim()
    return token === '' ? null : token
  } catch {
    return null
  }
}
