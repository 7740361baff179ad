/** The hub's three questions: which commit, which files, which bytes. */
import { bodyOf, failureOf, send } from '../remote/request.ts'
import type { HttpExchange } from '../remote/request.ts'
import { RemoteTrouble } from '../remote/transport.ts'
import { isCommit } from '../../dsl/hub-address.ts'
import type { HubSettings } from './settings.ts'
import { refusal } from './trouble.ts'

/** A file as the hub lists it; what it is called by is what its bytes are checked against. */
export interface HubFile {
  readonly path: string
  readonly size: number
  /** Known for large files; small ones are known by git's own name. */
  readonly sha256: string | null
  readonly gitSha1: string
}

const MOST_REDIRECTS = 5
const MOST_ANSWER_BYTES = 32 << 20
const MOST_PAGES = 100

export async function commitOf(
  settings: HubSettings,
  repository: string,
  revision: string,
  signal: AbortSignal,
): Promise<string> {
  const url = `${settings.endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}`
  const { json } = await askJson(url, { repository, revision, settings }, signal)
  const { sha } = (json ?? {}) as Readonly<Record<string, unknown>>
  if (typeof sha === 'string' && isCommit(sha)) return sha
  throw new RemoteTrouble('wrong', `does not say which commit ${revision} is`)
}

export async function filesOf(
  settings: HubSettings,
  repository: string,
  commit: string,
  signal: AbortSignal,
): Promise<readonly HubFile[]> {
  const asked = { repository, revision: commit, settings }
  const files: HubFile[] = []
  let url: string | null = `${settings.endpoint}/api/models/${repository}/tree/${commit}?recursive=true`
  for (let page = 0; url !== null; page++) {
    if (page === MOST_PAGES) throw new RemoteTrouble('wrong', 'lists files without end')
    const answer: Answer = await askJson(url, asked, signal)
    if (!Array.isArray(answer.json)) throw new RemoteTrouble('wrong', 'answers no list of files')
    for (const entry of answer.json) files.push(...fileIn(entry))
    url = answer.next
  }
  return files
}

function fileIn(entry: unknown): readonly HubFile[] {
  const { type, path, size, oid, lfs } = (entry ?? {}) as Readonly<Record<string, unknown>>
  if (type !== 'file') return []
  const large = lfs as { readonly oid?: unknown; readonly size?: unknown } | undefined
  const whole = large?.size ?? size
  const sha256 = large === undefined ? null : large.oid
  if (
    typeof path !== 'string' ||
    !Number.isSafeInteger(whole) ||
    (whole as number) < 0 ||
    typeof oid !== 'string' ||
    !/^[0-9a-f]{40}$/.test(oid) ||
    !(sha256 === null || (typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)))
  )
    throw new RemoteTrouble('wrong', 'lists a file that makes no sense')
  return [{ path, size: whole as number, sha256, gitSha1: oid }]
}

export interface FileBytes {
  /** Where in the file they begin: a server may not go on where we left off. */
  readonly from: number
  readonly bytes: AsyncIterable<Uint8Array>
}

/** The bytes of a file from `from` on, as they come, unchecked. */
export async function bytesOf(
  settings: HubSettings,
  repository: string,
  commit: string,
  { file: { path, size }, from }: { readonly file: HubFile; readonly from: number },
  signal: AbortSignal,
): Promise<FileBytes> {
  const url = `${settings.endpoint}/${repository}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
  const range: Readonly<Record<string, string>> = from === 0 ? {} : { range: `bytes=${String(from)}-` }
  const exchange = await follow(settings, url, { most: size - from, headers: range }, signal)
  const { statusCode, headers } = exchange.response
  if (statusCode === 200) return { from: 0, bytes: bodyOf(exchange) }
  const begins = /^bytes (?<from>\d+)-/.exec(headers['content-range'] ?? '')?.groups?.['from']
  if (statusCode === 206 && begins === String(from)) return { from, bytes: bodyOf(exchange) }
  const failure = await failureOf(exchange)
  if (statusCode === 206 || statusCode === 416)
    throw new RemoteTrouble('wrong', 'sends another part of a file')
  throw refusal(failure, { repository, revision: commit, settings })
}

interface Answer {
  readonly json: unknown
  /** Where the list goes on. */
  readonly next: string | null
}

async function askJson(
  url: string,
  asked: Parameters<typeof refusal>[1] & { readonly settings: HubSettings },
  signal: AbortSignal,
): Promise<Answer> {
  const exchange = await follow(asked.settings, url, { most: MOST_ANSWER_BYTES, headers: {} }, signal)
  const { statusCode, headers } = exchange.response
  if (statusCode !== 200) throw refusal(await failureOf(exchange), asked)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of bodyOf(exchange)) {
    size += chunk.length
    if (size > MOST_ANSWER_BYTES) throw new RemoteTrouble('wrong', 'answers without end')
    chunks.push(chunk)
  }
  const link = Array.isArray(headers['link']) ? headers['link'].join() : (headers['link'] ?? '')
  const next = /<(?<next>[^>]+)>;\s*rel="next"/.exec(link)?.groups?.['next']
  try {
    return {
      json: JSON.parse(Buffer.concat(chunks).toString()),
      // On a mirror the list goes on at the mirror, whatever address the answer was made for.
      next: next === undefined ? null : sameServer(next, asked.settings.endpoint),
    }
  } catch {
    throw new RemoteTrouble('wrong', 'answers something that is no JSON; is it a hub?')
  }
}

function sameServer(address: string, endpoint: string): string {
  const { pathname, search } = new URL(address, endpoint)
  return `${endpoint}${pathname}${search}`
}

/** Large files lie elsewhere. Only the hub itself gets to see who we are, and a safe connection stays one. */
async function follow(
  settings: HubSettings,
  address: string,
  { most, headers }: { readonly most: number; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<HttpExchange> {
  const home = new URL(settings.endpoint).origin
  let url = new URL(address)
  for (let hops = 0; ; hops++) {
    const bearer: Readonly<Record<string, string>> =
      settings.token === null || url.origin !== home ? {} : { authorization: `Bearer ${settings.token}` }
    const exchange = await send(
      {
        method: 'GET',
        url,
        headers: { 'user-agent': 'sluice', ...headers, ...bearer },
        most,
        limits: settings.limits,
      },
      signal,
    )
    const { statusCode = 0, headers: answer } = exchange.response
    if (statusCode < 300 || statusCode > 399 || answer.location === undefined) return exchange
    await failureOf(exchange)
    if (hops === MOST_REDIRECTS || !URL.canParse(answer.location, url.href))
      throw new RemoteTrouble('wrong', 'sends us round in circles')
    const next = new URL(answer.location, url)
    if (next.protocol !== 'https:' && next.protocol !== url.protocol)
      throw new RemoteTrouble('wrong', `sends us to ${next.origin}, which is not a safe connection`)
    url = next
  }
}
