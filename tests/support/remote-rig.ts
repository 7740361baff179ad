/** For tests of the remote cache: keys, a share, and a server that stores what it is given and lies on request. */
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { RemoteCache } from '../../engine/remote/cache.ts'
import type { Sharing } from '../../engine/remote/cache.ts'
import { httpTransport } from '../../engine/remote/http.ts'
import type { HttpLimits } from '../../engine/remote/request.ts'
import { scopeOf } from '../../engine/remote/record.ts'
import type { Scope } from '../../engine/remote/record.ts'
import type { Transport } from '../../engine/remote/transport.ts'
import type { RemoteUse } from '../../engine/run/shares.ts'

export function newKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey
}

export function scope(text: string): Scope {
  const found = scopeOf(text)
  if (found === null) throw new Error(`${text} is no scope`)
  return found
}

export interface Shared {
  readonly cache: RemoteCache
  readonly told: string[]
  /** Pauses between tries, in milliseconds; nothing really waits. */
  readonly pauses: number[]
}

export function cacheOver(transport: Transport, root: string, changes: Partial<Sharing> = {}): Shared {
  const told: string[] = []
  const pauses: number[] = []
  const pause = (ms: number) => Promise.resolve(pauses.push(ms))
  const sharing: Sharing = {
    transport,
    trust: 'writers',
    readScopes: [scope('main')],
    writeScope: scope('main'),
    key: null,
    builder: 'test machine',
    stateDir: join(root, '.sluice'),
    ...changes,
  }
  return { cache: new RemoteCache(sharing, (text) => void told.push(text), pause), told, pauses }
}

/** As a run uses it. */
export function useOver(transport: Transport, root: string, changes: Partial<Sharing> = {}): RemoteUse {
  const { readScopes = [scope('main')], writeScope = scope('main') } = changes
  return {
    open: (tell) =>
      new RemoteCache(
        {
          transport,
          trust: 'writers',
          readScopes,
          writeScope,
          key: null,
          builder: 'test machine',
          stateDir: join(root, '.sluice'),
          ...changes,
        },
        tell,
        () => Promise.resolve(),
      ),
    reads: true,
    writes: true,
  }
}

/** Answers in the place of the honest one; true if it did. */
export type Lie = (request: IncomingMessage, response: ServerResponse, honest: Buffer | undefined) => boolean

export interface Server {
  readonly url: string
  readonly stored: Map<string, Buffer>
  /** `GET /ac/...`, in order. */
  readonly asked: string[]
  lie: Lie
  readonly close: () => void
}

export async function startServer(): Promise<Server> {
  const stored = new Map<string, Buffer>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(`${request.method ?? ''} ${path}`)
    if (state.lie(request, response, stored.get(path))) return
    if (request.method === 'PUT') {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        stored.set(path, Buffer.concat(chunks))
        response.writeHead(201).end()
      })
      return
    }
    const bytes = stored.get(path)
    if (bytes === undefined) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-length': bytes.length })
    response.end(request.method === 'HEAD' ? undefined : bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const state: Server = {
    url: `http://127.0.0.1:${String(port)}/team`,
    stored,
    asked,
    lie: () => false,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
  return state
}

const LIMITS: HttpLimits = { stallMs: 200, bodyMs: 2_000, slowestBytesPerSecond: 1e9 }

export function httpOver(
  server: Server,
  limits: Partial<HttpLimits> = {},
  mostBytes: { readonly mostBytes?: number } = {},
): Transport {
  return httpTransport({
    base: new URL(server.url),
    shown: server.url,
    headersFor: () => ({}),
    limits: { ...LIMITS, ...limits },
    ...mostBytes,
  })
}
