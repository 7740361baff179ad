/** A remote that speaks HTTP: GET, HEAD and PUT below one address, with an end to every wait. */
import { createReadStream } from 'node:fs'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import type { Payload, RemoteName, Transport, TroubleKind } from './transport.ts'
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
}

export interface HttpLimits {
  /** Without a byte in either direction for this long, a request is given up. */
  readonly stallMs: number
  /** A body may take this long and a second more for every `slowestBytesPerSecond`. */
  readonly bodyMs: number
  readonly slowestBytesPerSecond: number
}

export const HTTP_LIMITS: HttpLimits = { stallMs: 10_000, bodyMs: 30_000, slowestBytesPerSecond: 32 * 1024 }

const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
/** Of an error's body only this much is read, to find its code. */
const MOST_ERROR_BYTES = 4096

export function httpTransport(remote: HttpRemote): Transport {
  return {
    shown: remote.shown,
    get: async (name, most, signal) => {
      const exchange = await send(remote, 'GET', name, { most }, signal)
      if (exchange.response.statusCode === 200) return bodyOf(exchange)
      return absent(remote, await failure(exchange))
    },
    head: async (name, signal) => {
      const exchange = await send(remote, 'HEAD', name, {}, signal)
      const { statusCode, headers } = exchange.response
      const found = await failure(exchange)
      if (statusCode !== 200) return absent(remote, found)
      const length = headers['content-length']
      return length === undefined ? 'unknown' : Number(length)
    },
    put: async (name, payload, signal) => {
      const exchange = await send(remote, 'PUT', name, { payload, most: payload.size }, signal)
      const found = await failure(exchange)
      if (found.status < 200 || found.status > 299) throw troubleOf(remote, found)
    },
  }
}

interface Exchange {
  readonly response: IncomingMessage
  /** The body is over: the clock stops. */
  readonly end: () => void
  /** What an error of the body really is. */
  readonly whyBroken: (error: unknown) => RemoteTrouble
}

async function send(
  remote: HttpRemote,
  method: string,
  name: RemoteName,
  { payload, most = 0 }: { readonly payload?: Payload; readonly most?: number },
  signal: AbortSignal,
): Promise<Exchange> {
  const { limits } = remote
  const url = new URL(remote.base)
  url.pathname = `${remote.base.pathname.replace(/\/$/, '')}/${name}`
  const payloadHash = payload === undefined ? EMPTY_HASH : payload.digest.slice('sha256:'.length)
  const headers = {
    ...remote.headersFor({ method, url, payloadHash }),
    ...(payload === undefined ? {} : { 'content-length': String(payload.size) }),
  }
  // Loading them takes longer than a run of what is cached.
  const { request: open } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'))
  const request = open(url, {
    method,
    headers,
    // One of its own: many requests at a time on one signal are taken for a leak.
    signal: AbortSignal.any([signal]),
  })
  // Node reports a body that we gave up as one that the server broke off.
  let gaveUp: RemoteTrouble | null = null
  const whyBroken = (error: unknown) => gaveUp ?? brokenOff(error)
  const giveUp = (why: string) => {
    gaveUp = new RemoteTrouble('silent', why)
    request.destroy(gaveUp)
  }
  request.setTimeout(limits.stallMs, () => giveUp(`no answer for ${String(limits.stallMs / 1000)} s`))
  const wholeMs = limits.bodyMs + (most / limits.slowestBytesPerSecond) * 1000
  const clock = setTimeout(() => giveUp('it is too slow'), wholeMs)
  const end = () => clearTimeout(clock)
  try {
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve)
      request.on('error', reject)
    })
    if (payload === undefined) request.end()
    // A server that refuses may close while we still send; then its answer counts, not the broken pipe.
    else upload(payload, request).catch(() => undefined)
    return { response: await answered, end, whyBroken }
  } catch (error) {
    end()
    throw whyBroken(error)
  }
}

function upload({ from }: Payload, request: ClientRequest): Promise<void> {
  return pipeline('file' in from ? createReadStream(from.file) : Readable.from([from.bytes]), request)
}

async function* bodyOf({ response, end, whyBroken }: Exchange): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of response) yield chunk as Uint8Array
  } catch (error) {
    throw whyBroken(error)
  } finally {
    end()
    response.destroy()
  }
}

interface Failure {
  readonly status: number
  /** The code of an S3 error, such as `SignatureDoesNotMatch`. */
  readonly code: string | null
  readonly retryAfterMs: number | null
  readonly location: string | null
}

/** What an answer says apart from its body, of which only the code of an error is read. */
async function failure({ response, end }: Exchange): Promise<Failure> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response) {
      chunks.push(chunk as Buffer)
      size += (chunk as Buffer).length
      if (size > MOST_ERROR_BYTES) break
    }
  } catch {
    // The status says enough.
  } finally {
    end()
  }
  // Nothing else of the body is shown: an error of S3 repeats what was signed.
  const code = /<Code>(?<code>\w{1,60})<\/Code>/.exec(Buffer.concat(chunks).toString())?.groups?.['code']
  return {
    status: response.statusCode ?? 0,
    code: code ?? null,
    retryAfterMs: retryAfter(response.headers['retry-after']),
    location: response.headers.location ?? null,
  }
}

/** Seconds, or a date. */
function retryAfter(value: string | undefined): number | null {
  if (value === undefined) return null
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : null
}

function absent(remote: HttpRemote, found: Failure): null {
  // A bucket that is not there is a mistake in the settings, not an empty cache.
  if ((found.status === 404 && found.code !== 'NoSuchBucket') || found.status === 410) return null
  throw troubleOf(remote, found)
}

function troubleOf(remote: HttpRemote, { status, code, retryAfterMs, location }: Failure): RemoteTrouble {
  const words = code === null ? String(status) : `${String(status)} ${code}`
  if (status >= 300 && status < 400) {
    // Not followed: what lets us in here must not be shown to another server.
    const target = location === null ? '' : ` to ${originOf(location, remote.base)}`
    return new RemoteTrouble('wrong', `${words}, it sends us${target}; give that address as the remote`)
  }
  return new RemoteTrouble(kindOf(status), words, { retryAfterMs })
}

function kindOf(status: number): TroubleKind {
  if ([401, 403, 405, 407].includes(status)) return 'refused'
  if (status === 429 || status === 503) return 'busy'
  return status >= 500 || status === 408 ? 'broken' : 'wrong'
}

function originOf(location: string, base: URL): string {
  return URL.canParse(location, base.href) ? new URL(location, base).origin : 'another address'
}

function brokenOff(error: unknown): RemoteTrouble {
  if (error instanceof RemoteTrouble) return error
  const { code, message } = error as NodeJS.ErrnoException
  const unreachable = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH']
  const words =
    code === undefined
      ? message
      : unreachable.includes(code)
        ? `cannot be reached (${code})`
        : `broke off (${code})`
  return new RemoteTrouble('broken', words, { cause: error })
}
