/**
 * The remote cache against servers that other people wrote: nginx with DAV, and moto, which speaks S3 and computes the
 * signature of every request again with AWS's own botocore. Both are installed by `.ci/run`; without them the tests are
 * skipped, and say so.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStores } from '../../engine/environment.ts'
import { httpTransport } from '../../engine/remote/http.ts'
import { HTTP_LIMITS } from '../../engine/remote/request.ts'
import { s3Remote } from '../../engine/remote/s3.ts'
import type { Transport } from '../../engine/remote/transport.ts'
import { cacheOver, newKey, useOver } from '../support/remote-rig.ts'
import { go, newRoot, pipelineOf } from '../support/rig.ts'

const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/opt/homebrew/bin/nginx'].find((path) =>
  existsSync(path),
)
const MOTO = process.env['SLUICE_MOTO_SERVER']
const never = new AbortController().signal
const pipeline = pipelineOf({
  first: { with: { files: { 'x.txt': 'x', '中文.txt': '好', 'big.bin': 'b'.repeat(3_000_000) } } },
  second: { with: { copy: true }, inputs: { a: 'first' } },
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function answers(url: string): Promise<void> {
  for (let tried = 0; tried < 300; tried++) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`${url} does not answer`)
}

/** Two machines, one remote: the second runs nothing and has the same bytes; then a push that finds all there. */
async function shareThrough(transport: Transport): Promise<void> {
  const key = newKey()
  const trust = { main: [createPublicKey(key)], pr: [] }
  const [one, two] = [newRoot(), newRoot()]
  const made = await go(one, pipeline, { remote: useOver(transport, one, { trust, key }) })
  expect([made.status, made.state.troubles]).toEqual([{ first: 'done', second: 'done' }, []])
  expect(made.state.stages.get('first')?.pushedBytes).toBeGreaterThan(3_000_000)
  const pulled = await go(two, pipeline, { remote: useOver(transport, two, { trust }) })
  expect([pulled.status, pulled.state.troubles]).toEqual([{ first: 'cached', second: 'cached' }, []])
  expect(pulled.digests).toEqual(made.digests)
  const first = made.results.get('first')
  if (first === undefined) throw new Error('first was not made')
  const { cache, told } = cacheOver(transport, one, { trust, key })
  const stores = openStores(join(one, '.sluice'))
  expect(await cache.push(first, stores, never)).toEqual({ type: 'there' })
  expect(await cache.find(first.key, stores, never)).toMatchObject({ type: 'hit', bytes: 0 })
  expect(told).toEqual([])
}

if (NGINX === undefined) console.warn('SKIPPED: nginx is not installed (apt-get install nginx-light)')
describe.skipIf(NGINX === undefined)('nginx with DAV', () => {
  let server: ChildProcess
  let base = ''
  beforeAll(async () => {
    const folder = newRoot()
    const port = await freePort()
    base = `http://127.0.0.1:${String(port)}`
    mkdirSync(join(folder, 'data'))
    writeFileSync(join(folder, 'users'), 'ci:{PLAIN}secret\n')
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log; events {}
user root;
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/p;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server {
    listen 127.0.0.1:${String(port)}; root ${folder}/data; client_max_body_size 0;
    dav_methods PUT; create_full_put_path on;
    location / { limit_except GET { auth_basic cache; auth_basic_user_file ${folder}/users; } }
  }
}
`,
    )
    server = spawn(NGINX ?? '', [
      '-c',
      join(folder, 'nginx.conf'),
      '-p',
      folder,
      '-e',
      join(folder, 'start.log'),
    ])
    await answers(base)
  }, 60_000)
  afterAll(() => void server.kill())

  const through = (user: string | null) =>
    httpTransport({
      base: new URL(`${base}/team`),
      shown: base,
      headersFor: () =>
        user === null ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` },
      limits: HTTP_LIMITS,
    })

  test('is shared by two machines', () => shareThrough(through('ci:secret')), 60_000)

  test('whom it lets only read, that one makes its results itself and pushes nothing', async () => {
    const root = newRoot()
    const other = pipelineOf({ first: { with: { files: { 'x.txt': 'not shared' } } } })
    const ran = await go(root, other, { remote: useOver(through(null), root) })
    expect(ran.status).toEqual({ first: 'done' })
    expect(ran.state.troubles).toEqual([`${base}: 401; nothing more is pushed`])
  }, 60_000)
})

if (MOTO === undefined)
  console.warn('SKIPPED: no S3 server (pip install "moto[server,s3]", SLUICE_MOTO_SERVER=…/bin/moto_server)')
describe.skipIf(MOTO === undefined)('S3 as moto speaks it, signatures checked', () => {
  let server: ChildProcess
  let endpoint = ''
  const keys = { id: '', secret: '' }
  beforeAll(async () => {
    const port = await freePort()
    endpoint = `http://127.0.0.1:${String(port)}`
    // The first requests make a user; from then on each one has to be signed, and allowed by the user's policy.
    server = spawn(MOTO ?? '', ['-H', '127.0.0.1', '-p', String(port)], {
      env: { ...process.env, INITIAL_NO_AUTH_ACTION_COUNT: '4' },
    })
    await answers(`${endpoint}/moto-api/`)
    const iam = async (query: string) =>
      (
        await fetch(endpoint, {
          method: 'POST',
          body: `Version=2010-05-08&${query}`,
          headers: {
            'content-type': 'application/x-www-form-urlencoded',
            authorization:
              'AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x',
          },
        })
      ).text()
    await fetch(`${endpoint}/team`, {
      method: 'PUT',
      headers: {
        authorization:
          'AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x',
      },
    })
    await iam('Action=CreateUser&UserName=ci')
    const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] }
    await iam(
      `Action=PutUserPolicy&UserName=ci&PolicyName=s3&PolicyDocument=${encodeURIComponent(JSON.stringify(policy))}`,
    )
    const made = await iam('Action=CreateAccessKey&UserName=ci')
    keys.id = /<AccessKeyId>(.*?)</.exec(made)?.[1] ?? ''
    keys.secret = (/<SecretAccessKey>(.*?)</.exec(made)?.[1] ?? '').replaceAll('&amp;', '&')
    expect(keys.id).not.toBe('')
  }, 60_000)
  afterAll(() => void server.kill())

  const through = (secret: string, bucket = 'team') =>
    httpTransport(
      s3Remote(
        { bucket, prefix: 'a folder/1+1', region: 'us-east-1', endpoint },
        { accessKeyId: keys.id, secretAccessKey: secret, sessionToken: null },
        HTTP_LIMITS,
        () => new Date(),
      ),
    )

  test('is shared by two machines', () => shareThrough(through(keys.secret)), 60_000)

  test('a wrong secret is a refusal, in the words of the server', async () => {
    const root = newRoot()
    const ran = await go(root, pipeline, { remote: useOver(through('wrong'), root) })
    expect(ran.exitCode).toBe(0)
    expect(ran.state.troubles.join()).toContain('403 SignatureDoesNotMatch; not asked again')
  }, 60_000)

  test('a bucket that is not there is no empty cache', async () => {
    const { cache, told } = cacheOver(through(keys.secret, 'nobody'), newRoot())
    const stores = openStores(join(newRoot(), '.sluice'))
    const key = `sha256:${'0'.repeat(64)}` as Parameters<typeof cache.find>[0]
    expect(await cache.find(key, stores, never)).toEqual({ type: 'trouble' })
    expect(told.join()).toContain('404 NoSuchBucket')
  }, 60_000)
})
