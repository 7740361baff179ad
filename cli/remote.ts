/** The remote cache as this project, this machine and this run of CI have it. */
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import type { KeyObject } from 'node:crypto'
import { didYouMean } from '../dsl/spelling.ts'
import { words } from '../dsl/problems/problem.ts'
import { wrongShape } from '../dsl/problems/values.ts'
import { keyIdOf, publicKeyOf, readPrivateKey, readPublicKey } from '../engine/attest/dsse.ts'
import type { Credentials } from '../engine/remote/aws-signature.ts'
import { RemoteCache } from '../engine/remote/cache.ts'
import { directoryTransport } from '../engine/remote/directory.ts'
import { httpTransport } from '../engine/remote/http.ts'
import { HTTP_LIMITS } from '../engine/remote/request.ts'
import { realPause } from '../engine/remote/patience.ts'
import { scopeOf, trustedIn } from '../engine/remote/record.ts'
import type { Scope, Trust } from '../engine/remote/record.ts'
import { s3Remote } from '../engine/remote/s3.ts'
import type { Transport } from '../engine/remote/transport.ts'
import type { RemoteUse } from '../engine/run/shares.ts'
import { Usage } from './options.ts'
import { FileProblem } from './project.ts'
import type { KeyFile, Mode, RemoteConfig } from './remote-config.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface Remote {
  readonly open: (tell: (text: string) => void) => RemoteCache
  readonly mode: Mode
  /** Why nothing can be pushed from here; null if it can. */
  readonly unpushable: string | null
}

const CONFIG_FILE = 'sluice.config.yaml'
const WISHES = ['pull', 'push', 'auto', 'off'] as const

/** Null without a remote cache, or where `SLUICE_REMOTE=off` says to do without. */
export async function remoteOf(root: string, stateDir: string, env: Env): Promise<Remote | null> {
  const wish = nonEmpty(env['SLUICE_REMOTE'])
  const wished = WISHES.find((each) => each === wish)
  if (wish !== null && wished === undefined) {
    const near = didYouMean(wish, WISHES)
    throw new Usage(
      `SLUICE_REMOTE is one of ${WISHES.join(', ')}; this is '${wish}'${near === null ? '' : `; did you mean '${near}'?`}`,
      true,
    )
  }
  const file = join(root, CONFIG_FILE)
  // Reading YAML costs more than a run of what is cached; most configurations need not be read.
  if (wished === 'off' || !existsSync(file) || !/^['"]?cache\b/m.test(readFileSync(file, 'utf8'))) return null
  const { readConfig } = await import('./config.ts')
  const { value: config, diagnostics } = readConfig(root)
  if (config === undefined) throw new FileProblem(diagnostics, root)
  if (config.remote === null) return null
  const trust = trustOf(config.remote, root)
  const writeScope = ownScope(env)
  const key = signingKey(env)
  const sharing = {
    transport: transportOf(config.remote, root, env),
    trust,
    readScopes: [...new Set<Scope>(['main' as Scope, writeScope])],
    writeScope,
    // Where whoever may write is trusted nobody looks at a signature.
    key: trust === 'writers' ? null : key,
    builder: builderOf(env),
    stateDir,
  }
  return {
    open: (tell) => new RemoteCache(sharing, tell, realPause),
    mode: wished ?? config.remote.mode,
    unpushable: unpushable(trust, key, writeScope),
  }
}

/** How a run uses it: as the mode says, as far as it may. */
export function useOf(remote: Remote | null): RemoteUse | null {
  if (remote === null) return null
  const { mode, open, unpushable: why } = remote
  if (mode !== 'pull' && why !== null)
    process.stderr.write(`warning: remote cache: nothing is pushed: ${why}\n`)
  return { open, reads: mode !== 'push', writes: mode !== 'pull' && why === null }
}

function unpushable(trust: Trust, key: KeyObject | null, scope: Scope): string | null {
  if (trust === 'writers') return null
  if (key === null) return 'SLUICE_REMOTE_KEY, the private key that signs, is not set'
  const id = keyIdOf(publicKeyOf(key))
  if (trustedIn(scope, trust).some((each) => keyIdOf(each) === id)) return null
  return `the key of SLUICE_REMOTE_KEY is none of those that ${CONFIG_FILE} trusts for ${scope}`
}

function trustOf({ trust }: RemoteConfig, root: string): Trust {
  if (trust === 'writers') return trust
  const read = ({ path, span }: KeyFile): KeyObject => {
    const file = resolve(root, path)
    const key = existsSync(file)
      ? readPublicKey(readFileSync(file, 'utf8'))
      : { problem: 'there is no such file' }
    if ('key' in key) return key.key
    const wish = words(`no public ed25519 key: ${key.problem}`, `不是 ed25519 公钥：${key.problem}`)
    throw new FileProblem([wrongShape(span, path, wish)], root)
  }
  return { main: trust.main.map(read), pr: trust.pr.map(read) }
}

/** The key itself, as CI keeps secrets, or the path of its file. */
function signingKey(env: Env): KeyObject | null {
  const given = nonEmpty(env['SLUICE_REMOTE_KEY'])
  if (given === null) return null
  const written = given.includes('-----BEGIN')
  if (!written && !existsSync(given)) throw new Usage('SLUICE_REMOTE_KEY is no PEM text and no file', true)
  const key = readPrivateKey(written ? given : readFileSync(given, 'utf8'))
  if ('problem' in key)
    throw new Usage(
      `SLUICE_REMOTE_KEY is not the key that is needed: ${key.problem}\n  help: openssl genpkey -algorithm ed25519 -out main.key`,
      true,
    )
  return key.key
}

/** A pull request writes for itself unless it is told otherwise. */
function ownScope(env: Env): Scope {
  const named = nonEmpty(env['SLUICE_REMOTE_SCOPE'])
  const number =
    /^refs\/pull\/(?<number>\d+)\//.exec(env['GITHUB_REF'] ?? '')?.groups?.['number'] ??
    nonEmpty(env['CI_MERGE_REQUEST_IID'])
  const scope = scopeOf(named ?? (number === null ? 'main' : `pr/${number}`))
  if (scope === null)
    throw new Usage(`SLUICE_REMOTE_SCOPE is main or pr/NUMBER; this is '${named ?? ''}'`, true)
  return scope
}

function builderOf(env: Env): string {
  const { GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run, CI_JOB_URL: job } = env
  if (repository !== undefined && run !== undefined) return `${repository} run ${run}`
  return job ?? hostname()
}

function transportOf({ address, endpoint, region }: RemoteConfig, root: string, env: Env): Transport {
  switch (address.type) {
    case 'folder':
      return directoryTransport(resolve(root, address.path))
    case 'http': {
      const authorization = nonEmpty(env['SLUICE_REMOTE_AUTHORIZATION'])
      return httpTransport({
        base: address.url,
        shown: address.url.href.replace(/\/$/, ''),
        headersFor: () => (authorization === null ? {} : { authorization }),
        limits: HTTP_LIMITS,
      })
    }
    case 's3': {
      const where = region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? 'us-east-1'
      const bucket = { ...address, region: where, endpoint }
      return httpTransport(s3Remote(bucket, credentialsOf(env), HTTP_LIMITS, () => new Date()))
    }
  }
}

/** From the environment only: what stands in a file is committed some day. Without them a bucket is asked as a stranger. */
function credentialsOf(env: Env): Credentials | null {
  const accessKeyId = nonEmpty(env['AWS_ACCESS_KEY_ID'])
  const secretAccessKey = nonEmpty(env['AWS_SECRET_ACCESS_KEY'])
  if (accessKeyId === null || secretAccessKey === null) return null
  return { accessKeyId, secretAccessKey, sessionToken: nonEmpty(env['AWS_SESSION_TOKEN']) }
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text
}
