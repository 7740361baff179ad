/** One HTTP request, with an end to every wait, and what an answer that is no body says. */
import { createReadStream } from 'node:fs'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Payload, TroubleKind } from './transport.ts'
import { RemoteTrouble } from './transport.ts'

export interface HttpLimits {
  /** Without a byte in either direction for this long, a request is given up. */
  readonly stallMs: number
  /** A body may take this long and a second more for every `slowestBytesPerSecond`. */
  readonly bodyMs: number
  readonly slowestBytesPerSecond: number
}

export const HTTP_LIMITS: HttpLimits = { stallMs: 10_000, bodyMs: 30_000, slowestBytesPerSecond: 32 * 1024 }

export interface HttpRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly payload?: Payload
  /** Bytes of the longer body. */
  readonly most: number
  readonly limits: HttpLimits
}

export interface HttpExchange {
  readonly response: IncomingMessage
  /** The body is over: the clock stops. */
  readonly end: () => void
  /** What an error of the body really is. */
  readonly whyBroken: (error: unknown) => RemoteTrouble
}

/** Of an error's body only this much is read, to find its code. */
const MOST_ERROR_BYTES = 4096

export async function send(
  { method, url, headers, payload, most, limits }: HttpRequest,
  signal: AbortSignal,
): Promise<HttpExchange> {
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
  // A timer of more than 24 days would fire at once.
  const clock = setTimeout(() => giveUp('it is too slow'), Math.min(wholeMs, LONGEST_TIMER_MS))
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

const LONGEST_TIMER_MS = 2 ** 31 - 1

function upload({ from }: Payload, request: ClientRequest): Promise<void> {
  return pipeline('file' in from ? createReadStream(from.file) : Readable.from([from.bytes]), request)
}

export async function* bodyOf({ response, end, whyBroken }: HttpExchange): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of response) yield chunk as Uint8Array
  } catch (error) {
    throw whyBroken(error)
  } finally {
    end()
    response.destroy()
  }
}

export interface HttpFailure {
  readonly status: number
  /** The code of an S3 error, such as `SignatureDoesNotMatch`. */
  readonly code: string | null
  readonly retryAfterMs: number | null
  readonly headers: IncomingHttpHeaders
}

/** What an answer says apart from its body, of which only the code of an error is read. */
export async function failureOf({ response, end }: HttpExchange): Promise<HttpFailure> {
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
    headers: response.headers,
  }
}

/** Seconds, or a date. */
function retryAfter(value: string | undefined): number | null {
  if (value === undefined) return null
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : null
}

export function kindOfStatus(status: number): TroubleKind {
  if ([401, 403, 405, 407].includes(status)) return 'refused'
  if (status === 429 || status === 503) return 'busy'
  return status >= 500 || status === 408 ? 'broken' : 'wrong'
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
