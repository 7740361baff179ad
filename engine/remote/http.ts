/** A remote that speaks HTTP: GET, HEAD and PUT below one address, with an end to every wait. */
import { bodyOf, failureOf, kindOfStatus, send } from './request.ts'
import type { HttpExchange, HttpFailure, HttpLimits } from './request.ts'
import type { Payload, RemoteName, Transport } from './transport.ts'
import { RemoteTrouble } from './transport.ts'

export interface HttpRemote {
  /** Ends without a slash. */
  readonly base: URL
  readonly shown: string
  /** Headers that let the request in, made anew for each one. `payloadHash` is the SHA-256 of the body as hex. */
  readonly headersFor: (request: {
    readonly method: string
    readonly url: URL
    readonly payloadHash: string
  }) => Readonly<Record<string, string>>
  readonly limits: HttpLimits
  /** What one PUT may bring; absent where the server sets its own limit. */
  readonly mostBytes?: number
}

const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

export function httpTransport(remote: HttpRemote): Transport {
  return {
    shown: remote.shown,
    get: async (name, most, signal) => {
      const exchange = await ask(remote, 'GET', name, { most }, signal)
      if (exchange.response.statusCode === 200) return bodyOf(exchange)
      return absent(remote, await failureOf(exchange))
    },
    head: async (name, signal) => {
      const exchange = await ask(remote, 'HEAD', name, {}, signal)
      const { statusCode, headers } = exchange.response
      const found = await failureOf(exchange)
      if (statusCode !== 200) return absent(remote, found)
      const length = headers['content-length']
      return length === undefined ? 'unknown' : Number(length)
    },
    put: async (name, payload, signal) => {
      const { mostBytes = Infinity } = remote
      if (payload.size > mostBytes)
        throw new RemoteTrouble(
          'wrong',
          `a result has a file of ${gibibytes(payload.size)}, and one PUT may bring ${gibibytes(mostBytes)}; it is not shared`,
        )
      const exchange = await ask(remote, 'PUT', name, { payload, most: payload.size }, signal)
      const found = await failureOf(exchange)
      if (found.status < 200 || found.status > 299) throw troubleOf(remote, found)
    },
  }
}

function ask(
  remote: HttpRemote,
  method: string,
  name: RemoteName,
  { payload, most = 0 }: { readonly payload?: Payload; readonly most?: number },
  signal: AbortSignal,
): Promise<HttpExchange> {
  const { limits } = remote
  const url = new URL(remote.base)
  url.pathname = `${remote.base.pathname.replace(/\/$/, '')}/${name}`
  const payloadHash = payload === undefined ? EMPTY_HASH : payload.digest.slice('sha256:'.length)
  const headers = {
    ...remote.headersFor({ method, url, payloadHash }),
    ...(payload === undefined ? {} : { 'content-length': String(payload.size) }),
  }
  return send({ method, url, headers, most, limits, ...(payload === undefined ? {} : { payload }) }, signal)
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

function absent(remote: HttpRemote, found: HttpFailure): null {
  // A bucket that is not there is a mistake in the settings, not an empty cache.
  if ((found.status === 404 && found.code !== 'NoSuchBucket') || found.status === 410) return null
  throw troubleOf(remote, found)
}

function troubleOf(remote: HttpRemote, { status, code, retryAfterMs, headers }: HttpFailure): RemoteTrouble {
  const words = code === null ? String(status) : `${String(status)} ${code}`
  if (status >= 300 && status < 400) {
    // Not followed: what lets us in here must not be shown to another server.
    const target = headers.location === undefined ? '' : ` to ${originOf(headers.location, remote.base)}`
    return new RemoteTrouble('wrong', `${words}, it sends us${target}; give that address as the remote`)
  }
  return new RemoteTrouble(kindOfStatus(status), words, { retryAfterMs })
}

function originOf(location: string, base: URL): string {
  return URL.canParse(location, base.href) ? new URL(location, base).origin : 'another address'
}
