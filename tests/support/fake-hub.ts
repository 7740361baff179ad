/** A small hub after the documented interface: commits, pages of files, redirects to another server; it lies on request. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Answers in the place of the honest one; true if it did. */
export type HubLie = (request: IncomingMessage, response: ServerResponse, honest: Buffer | null) => boolean

export interface FakeHub {
  readonly url: string
  /** Where large files lie. */
  readonly store: string
  /** Requests to both, in order: `GET /api/models/…`, `store GET /…`. */
  readonly asked: string[]
  /** Authorization that each server was shown. */
  readonly shown: { hub: Set<string>; store: Set<string> }
  lie: HubLie
  /** Publishes a commit and moves the branch `main` to it. */
  readonly publish: (repository: string, files: Readonly<Record<string, Buffer>>) => string
  /** Forgets what it was asked. */
  readonly forget: () => void
  readonly close: () => void
}

/** Entries of a list that one answer holds. */
const PAGE = 4

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
export const gitSha1 = (bytes: Buffer): string =>
  createHash('sha1')
    .update(`blob ${String(bytes.length)}\0`)
    .update(bytes)
    .digest('hex')

/** Git attributes of a model repository send these to the other server. */
const isLarge = (path: string): boolean => /\.(safetensors|bin)$/.test(path)

export async function startHub(): Promise<FakeHub> {
  const commits = new Map<string, Readonly<Record<string, Buffer>>>()
  const branches = new Map<string, string>()
  const large = new Map<string, Buffer>()
  const asked: string[] = []
  const shown = { hub: new Set<string>(), store: new Set<string>() }

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', state.url)
    const path = decodeURIComponent(url.pathname)
    const api = /^\/api\/models\/(?<repository>[^/]+\/[^/]+)\/(?<what>revision|tree)\/(?<revision>.+)$/.exec(
      path,
    )
    const file = /^\/(?<repository>[^/]+\/[^/]+)\/resolve\/(?<revision>[^/]+)\/(?<path>.+)$/.exec(path)
    const { repository = '', revision = '', what = '' } = api?.groups ?? file?.groups ?? {}
    const named = [...branches.keys()].some((each) => each.startsWith(`${repository}@`))
    const commit = branches.get(`${repository}@${revision}`) ?? revision
    const files = commits.get(`${repository}@${commit}`)
    const wanted = file === null ? null : (files?.[file.groups?.['path'] ?? ''] ?? null)
    if (state.lie(request, response, wanted)) return
    if (!named) return refuse(response, 401, 'RepoNotFound')
    if (files === undefined) return refuse(response, 404, 'RevisionNotFound')
    if (what === 'revision') return json(response, { id: repository, sha: commit, private: false })
    if (what === 'tree') {
      const from = Number(url.searchParams.get('cursor') ?? 0)
      const all = [{ type: 'directory', oid: '0'.repeat(40), size: 0, path: 'onnx' }, ...listed(files)]
      const more = from + PAGE < all.length
      const next = `${state.url}${url.pathname}?recursive=true&cursor=${String(from + PAGE)}`
      return json(response, all.slice(from, from + PAGE), more ? { link: `<${next}>; rel="next"` } : {})
    }
    if (wanted === null) return refuse(response, 404, 'EntryNotFound')
    const etag = isLarge(path) ? sha256(wanted) : gitSha1(wanted)
    const facts = { 'x-repo-commit': commit, etag: `"${etag}"` }
    if (!isLarge(path)) return bytes(request, response, wanted, facts)
    large.set(`/${etag}`, wanted)
    response.writeHead(302, {
      ...facts,
      location: `${state.store}/${etag}?signed=yes`,
      'x-linked-etag': `"${etag}"`,
      'x-linked-size': wanted.length,
    })
    response.end()
  }

  const hub = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`)
    shown.hub.add(request.headers.authorization ?? 'nobody')
    answer(request, response)
  })
  const store = createServer((request, response) => {
    asked.push(`store ${request.method ?? ''} ${request.url ?? ''}`)
    shown.store.add(request.headers.authorization ?? 'nobody')
    const wanted = large.get((request.url ?? '').split('?')[0] ?? '') ?? null
    if (state.lie(request, response, wanted)) return
    if (wanted === null) response.writeHead(404).end()
    else bytes(request, response, wanted, {})
  })
  const state: FakeHub = {
    url: await listen(hub),
    store: await listen(store),
    asked,
    shown,
    lie: () => false,
    publish: (repository, files) => {
      const text = JSON.stringify(listed(files))
      const commit = createHash('sha1').update(`${repository} ${text}`).digest('hex')
      commits.set(`${repository}@${commit}`, files)
      branches.set(`${repository}@main`, commit)
      return commit
    },
    forget: () => {
      asked.length = 0
      shown.hub.clear()
      shown.store.clear()
    },
    close: () => {
      for (const server of [hub, store]) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
  return state
}

function listed(files: Readonly<Record<string, Buffer>>): readonly object[] {
  return Object.entries(files).map(([path, bytes]) => ({
    type: 'file',
    oid: gitSha1(bytes),
    size: bytes.length,
    path,
    ...(isLarge(path) ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } } : {}),
  }))
}

/** The whole of it, or what the request's range asks for. */
export function bytes(
  request: IncomingMessage,
  response: ServerResponse,
  all: Buffer,
  headers: Readonly<Record<string, string>>,
): void {
  const from = Number(/^bytes=(?<from>\d+)-$/.exec(request.headers.range ?? '')?.groups?.['from'] ?? 0)
  const part = all.subarray(from)
  const range = `bytes ${String(from)}-${String(all.length - 1)}/${String(all.length)}`
  response.writeHead(from === 0 ? 200 : 206, {
    ...headers,
    'content-length': part.length,
    'accept-ranges': 'bytes',
    ...(from === 0 ? {} : { 'content-range': range }),
  })
  response.end(request.method === 'HEAD' ? undefined : part)
}

export function refuse(response: ServerResponse, status: number, code: string | null, message = ''): void {
  response.writeHead(status, {
    ...(code === null ? {} : { 'x-error-code': code }),
    'x-error-message': message,
  })
  response.end(JSON.stringify({ error: message }))
}

function json(
  response: ServerResponse,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(value))
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
}
