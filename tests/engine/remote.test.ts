/** The remote cache: what is shared comes back whole, what is not trusted does not count, and no lie reaches a run. */
import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestOf, treeOf, treeText } from '../../engine/artifact.ts'
import { unsealed } from '../../engine/attest/dsse.ts'
import { openStores } from '../../engine/environment.ts'
import type { Stores } from '../../engine/environment.ts'
import { checkedTree } from '../../engine/remote/check-tree.ts'
import { directoryTransport } from '../../engine/remote/directory.ts'
import { divide } from '../../engine/remote/pack.ts'
import type { Trust } from '../../engine/remote/record.ts'
import type { Result } from '../../engine/store/results.ts'
import { asOrdinaryUser } from '../support/ordinary-user.ts'
import { go, newRoot, pipelineOf } from '../support/rig.ts'
import type { Ran } from '../support/rig.ts'
import { cacheOver, httpOver, newKey, scope, startServer, useOver } from '../support/remote-rig.ts'
import type { Server } from '../support/remote-rig.ts'

const never = new AbortController().signal
const pipeline = pipelineOf({
  first: { with: { files: { 'x.txt': 'x', 'big.bin': 'b'.repeat(300_000) } } },
  second: { with: { copy: true }, inputs: { a: 'first' } },
})

let share = ''
let root = ''
beforeEach(() => {
  share = newRoot()
  root = newRoot()
})

const storesAt = (at: string): Stores => openStores(join(at, '.sluice'))
const trusting = (main: KeyObject, pr: readonly KeyObject[] = []): Trust => ({
  main: [createPublicKey(main)],
  pr: pr.map((key) => createPublicKey(key)),
})
const remoteEvents = ({ events }: Ran) =>
  events.flatMap((event) =>
    event.type === 'stage.pulled' || event.type === 'stage.pushed' ? [`${event.type} ${event.stage}`] : [],
  )
const resultOf = (ran: Ran, stage: string): Result => {
  const result = ran.results.get(stage)
  if (result === undefined) throw new Error(`${stage} has no result`)
  return result
}

describe('a team shares a folder', () => {
  test('what one made another one pulls, and runs nothing', async () => {
    const remote = directoryTransport(share)
    const made = await go(root, pipeline, { remote: useOver(remote, root) })
    expect(made.status).toEqual({ first: 'done', second: 'done' })
    expect(remoteEvents(made).sort()).toEqual(['stage.pushed first', 'stage.pushed second'])
    const other = newRoot()
    const pulled = await go(other, pipeline, { remote: useOver(remote, other) })
    expect(pulled.status).toEqual({ first: 'cached', second: 'cached' })
    expect(remoteEvents(pulled)).toEqual(['stage.pulled first', 'stage.pulled second'])
    const coming = pulled.events.flatMap((event) => (event.type === 'stage.pulling' ? [event.stage] : []))
    expect(coming).toEqual(['first', 'second'])
    expect(pulled.digests).toEqual(made.digests)
    expect(pulled.state.stages.get('first')?.from).toBe('pulled, made by test machine')
    expect(readFileSync(join(other, '.sluice/out/toy/first/out/x.txt'), 'utf8')).toBe('x')
    expect(readdirSync(join(other, '.sluice/staging'))).toEqual([])
    // With everything here the remote is not even asked.
    renameSync(share, `${share}-gone`)
    const again = await go(other, pipeline, { remote: useOver(remote, other) })
    expect([again.state.troubles, again.status]).toEqual([[], { first: 'cached', second: 'cached' }])
  })

  test('a user to whom the read-only files of the store are read-only shares them, too', async () => {
    const home = newRoot()
    await asOrdinaryUser(home, async () => {
      const shared = join(home, 'share')
      mkdirSync(shared)
      const made = await go(home, pipeline, { remote: useOver(directoryTransport(shared), home) })
      expect(made.state.troubles).toEqual([])
      expect(remoteEvents(made).sort()).toEqual(['stage.pushed first', 'stage.pushed second'])
    })
  })

  test('only the changed stage runs', async () => {
    const remote = directoryTransport(share)
    await go(root, pipeline, { remote: useOver(remote, root) })
    const other = newRoot()
    const changed = pipelineOf({
      first: { with: { files: { 'x.txt': 'x', 'big.bin': 'b'.repeat(300_000) } } },
      second: { with: { files: { 'y.txt': 'mine' } }, inputs: { a: 'first' } },
    })
    const ran = await go(other, changed, { remote: useOver(remote, other) })
    expect(ran.status).toEqual({ first: 'cached', second: 'done' })
  })

  test('a stage that is never cached is neither pulled nor pushed, a forced one is made here', async () => {
    const remote = directoryTransport(share)
    const effects = pipelineOf({ first: { cache: 'off' } })
    expect(remoteEvents(await go(root, effects, { remote: useOver(remote, root) }))).toEqual([])
    expect(existsSync(join(share, 'ac'))).toBe(false)
    await go(root, pipeline, { remote: useOver(remote, root) })
    const other = newRoot()
    const forced = await go(other, pipeline, { remote: useOver(remote, other), forced: new Set(['first']) })
    expect(forced.status).toEqual({ first: 'done', second: 'cached' })
  })

  test('a share that is not mounted is a failure and no miss; the run makes its results itself', async () => {
    const remote = directoryTransport(join(share, 'unmounted'))
    const ran = await go(root, pipeline, { remote: useOver(remote, root) })
    expect(ran.status).toEqual({ first: 'done', second: 'done' })
    expect(ran.exitCode).toBe(0)
    expect(ran.state.troubles.length).toBeGreaterThan(0)
    expect(ran.state.troubles.join()).toContain('is not there (is it mounted?)')
  })

  test('a result that somebody has shared stays; one whose bytes are gone is sent again', async () => {
    const remote = directoryTransport(share)
    const ran = await go(root, pipeline, { remote: useOver(remote, root) })
    const { cache } = cacheOver(remote, root)
    const result = resultOf(ran, 'first')
    expect(await cache.push(result, storesAt(root), never)).toEqual({ type: 'there' })
    renameSync(join(share, 'cas'), join(share, 'cas-gone'))
    expect(await cache.find(result.key, storesAt(newRoot()), never)).toEqual({ type: 'trouble' })
    expect(await cache.push(result, storesAt(root), never)).toMatchObject({ type: 'pushed', blobs: 2 })
    const there = await cache.find(result.key, storesAt(newRoot()), never)
    expect(there).toMatchObject({ type: 'hit' })
  })
})

test('small files travel in one pack, large ones alone, in any order the same', () => {
  const blob = (n: number, size: number) => ({ digest: digestOf(String(n)), size })
  const small = Array.from({ length: 1000 }, (_, n) => blob(n, 100))
  const { large, packs } = divide([...small, blob(2000, 300_000), blob(2000, 300_000)])
  expect([large.length, packs.length, packs[0]?.length]).toEqual([1, 1, 1000])
  expect(divide([blob(2000, 300_000), ...small.toReversed()])).toEqual({ large, packs })
  expect(divide(Array.from({ length: 600 }, (_, n) => blob(n, 250_000))).packs.length).toBe(3)
})

describe('who is trusted', () => {
  /** What a reader with this trust gets of what `pushes` put there. */
  async function read(
    trust: Trust,
    pushes: readonly { readonly key: KeyObject | null; readonly scope: string }[],
    readScopes = ['main'],
  ): Promise<{ type: string; told: readonly string[] }> {
    const remote = directoryTransport(share)
    const ran = await go(root, pipeline)
    const result = resultOf(ran, 'first')
    for (const { key, scope: to } of pushes) {
      const { cache } = cacheOver(remote, root, { trust, key, writeScope: scope(to) })
      expect(await cache.push(result, storesAt(root), never)).toMatchObject({ type: 'pushed' })
    }
    const other = newRoot()
    const { cache, told } = cacheOver(remote, other, { trust, readScopes: readScopes.map(scope) })
    const { type } = await cache.pull(result.key, ['out'], storesAt(other), never)
    expect(storesAt(other).results.find(result.key).type).toBe(type === 'pulled' ? 'hit' : 'miss')
    return { type, told }
  }

  const main = newKey()
  const pr = newKey()
  const stranger = newKey()

  test('the key of main writes main', async () => {
    expect((await read(trusting(main), [{ key: main, scope: 'main' }])).type).toBe('pulled')
  })

  test.each([
    ['nobody', null, 'none'],
    ['an unknown key', stranger, 'not signed with this key'],
    ['the key of pull requests', pr, 'not signed with this key'],
  ])('what %s signed does not count in main', async (_, key, why) => {
    const { type, told } = await read(trusting(main, [pr]), [{ key, scope: 'main' }])
    expect(type).toBe('trouble')
    expect(told.join()).toContain(why)
  })

  test('a pull request reads its own results; readers of main do not see them', async () => {
    const trust = trusting(main, [pr])
    const pushes = [{ key: pr, scope: 'pr/7' }]
    expect((await read(trust, pushes, ['main', 'pr/7'])).type).toBe('pulled')
    expect((await read(trust, [], ['main'])).type).toBe('miss')
    expect((await read(trust, [], ['main', 'pr/8'])).type).toBe('miss')
  })

  test('a record does not count elsewhere than where it was written for', async () => {
    // The key of main may sign for a pull request, but its record, copied, is no record of main.
    await read(trusting(main), [{ key: main, scope: 'pr/7' }], ['pr/7'])
    renameSync(join(share, 'ac/pr/7'), join(share, 'ac/main'))
    const { type, told } = await read(trusting(main), [])
    expect([type, told.join()]).toEqual(['trouble', expect.stringContaining('it was written for pr/7')])
  })

  test('a record under another key does not count', async () => {
    const remote = directoryTransport(share)
    const ran = await go(root, pipeline, {
      remote: useOver(remote, root, { trust: trusting(main), key: main }),
    })
    const hex = (stage: string) => resultOf(ran, stage).key.slice('sha256:'.length)
    renameSync(join(share, `ac/main/${hex('second')}.json`), join(share, `ac/main/${hex('first')}.json`))
    const other = newRoot()
    const { cache, told } = cacheOver(remote, other, { trust: trusting(main) })
    const pulled = await cache.pull(resultOf(ran, 'first').key, ['out'], storesAt(other), never)
    expect([pulled.type, told.join()]).toEqual([
      'trouble',
      expect.stringContaining('the record of another key'),
    ])
  })
})

describe('a record that lies, where writers are trusted', () => {
  /** Changes the record of `first` and what a run of another machine makes of it. */
  async function after(
    change: (record: Record<string, unknown> & { result: Result }) => unknown,
  ): Promise<Ran> {
    const remote = directoryTransport(share)
    const made = await go(root, pipeline, { remote: useOver(remote, root) })
    const path = join(share, `ac/main/${resultOf(made, 'first').key.slice('sha256:'.length)}.json`)
    const { payload, payloadType } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>
    const record = JSON.parse(Buffer.from(payload ?? '', 'base64').toString()) as { result: Result }
    const changed = change(record)
    writeFileSync(path, JSON.stringify(unsealed(payloadType ?? '', Buffer.from(JSON.stringify(changed)))))
    const other = newRoot()
    const ran = await go(other, pipeline, { remote: { ...useOver(remote, other), writes: false } })
    expect(ran.exitCode).toBe(0)
    expect(ran.digests).toEqual(made.digests)
    return ran
  }

  const withTree = (tree: string, bytes: number) => (record: { result: Result }) => ({
    ...record,
    result: { ...record.result, outputs: { out: { type: 'dataset', tree, bytes } } },
  })

  test('about its recipe', async () => {
    const ran = await after((record) => ({
      ...record,
      result: { ...record.result, manifest: { ...record.result.manifest, kind: '"other"' } },
    }))
    expect(ran.status['first']).toBe('done')
    expect(ran.state.troubles.join()).toContain('its recipe is not that of its key')
  })

  test('about its outputs: other ports, other trees', async () => {
    const ports = await after((record) => ({
      ...record,
      result: { ...record.result, outputs: { ...record.result.outputs, more: record.result.outputs['out'] } },
    }))
    expect(ports.state.troubles.join()).toContain('other outputs than its stage')
  })

  test('about a tree that it does not bring', async () => {
    const ran = await after(withTree(digestOf('nothing'), 1))
    expect(ran.state.troubles.join()).toContain('does not bring the list')
  })

  test('about its size', async () => {
    const ran = await after((record) => withTree(record.result.outputs['out']?.tree ?? '', 1)(record))
    expect(ran.state.troubles.join()).toContain('another size')
  })

  test('with paths that lead out of the folder', () => {
    const file = (path: string) => ({ path, size: 1, digest: digestOf('x') })
    const check = (...paths: readonly string[]) => {
      const { digest, files } = treeOf(paths.map(file))
      return checkedTree(Buffer.from(treeText(files)), digest)
    }
    expect(check('a', 'b/c')).not.toBeNull()
    for (const paths of [
      ['../x'],
      ['/x'],
      ['a/../b'],
      ['a//b'],
      ['a\\b'],
      ['./a'],
      ['a', 'a'],
      ['a', 'a/b'],
      [''],
    ])
      expect(check(...paths)).toBeNull()
    const odd = Buffer.from('[ ]')
    expect(checkedTree(odd, digestOf(odd))).toBeNull()
  })
})

describe('a server', () => {
  let server: Server
  let first: Result
  beforeEach(async () => {
    server = await startServer()
    const made = await go(root, pipeline, { remote: useOver(httpOver(server), root) })
    expect(made.state.troubles).toEqual([])
    first = resultOf(made, 'first')
    server.asked.length = 0
  })
  afterEach(() => server.close())

  const isBlob = (url: string | undefined) => url?.includes('/cas/') ?? false
  /** A run on a machine that has nothing yet; it never fails, and makes what the first one made. */
  async function runElsewhere(): Promise<Ran> {
    const other = newRoot()
    const ran = await go(other, pipeline, { remote: useOver(httpOver(server), other) })
    expect(ran.exitCode).toBe(0)
    expect(resultOf(ran, 'first').outputs).toEqual(first.outputs)
    for (const name of readdirSync(join(other, '.sluice/cas/sha256'), { recursive: true, encoding: 'utf8' }))
      if (/^..\/[0-9a-f]{62}$/.test(name))
        expect(digestOf(readFileSync(join(other, '.sluice/cas/sha256', name)))).toBe(
          `sha256:${name.replace('/', '')}`,
        )
    return ran
  }

  test('that works is asked for few things, and no blob twice', async () => {
    const ran = await runElsewhere()
    expect(ran.status).toEqual({ first: 'cached', second: 'cached' })
    // Of each stage the record, the large file and one pack: its list of files and the small ones.
    const gets = server.asked.filter((each) => each.startsWith('GET'))
    expect(gets.length).toBe(6)
    expect(new Set(gets).size).toBe(6)
  })

  test('that takes no such large file in one request is not sent it, and the words name the limit', async () => {
    server.stored.clear()
    const limited = httpOver(server, {}, { mostBytes: 200_000 })
    const ran = await go(root, pipeline, { remote: useOver(limited, root), forced: new Set(['first']) })
    expect(ran.exitCode).toBe(0)
    expect(ran.state.troubles.join()).toMatch(
      /a file of 0.0 GiB, and one PUT may bring 0.0 GiB; it is not shared/,
    )
    expect(server.asked.filter((each) => each.startsWith('PUT') && each.includes('/ac/'))).toEqual([])
  })

  test('that sends other bytes is not believed', async () => {
    server.lie = (request, response, honest) => {
      if (request.method !== 'GET' || !isBlob(request.url) || honest === undefined) return false
      const bytes = Buffer.from(honest)
      bytes[0] = (bytes[0] ?? 0) ^ 1
      response.writeHead(200).end(bytes)
      return true
    }
    const ran = await runElsewhere()
    expect(ran.status['first']).toBe('done')
    expect(ran.state.troubles.join()).toContain('has other bytes')
  })

  test('whose bytes rotted gets them anew from who made them again', async () => {
    const [path = ''] = [...server.stored.keys()].filter(isBlob)
    const bytes = Buffer.from(server.stored.get(path) ?? '')
    server.stored.set(path, Buffer.alloc(bytes.length, 'z'))
    await runElsewhere()
    expect(server.stored.get(path)?.equals(bytes)).toBe(true)
  })

  test.each([
    ['short', (bytes: Buffer) => bytes.subarray(1), 'ends too early'],
    ['long', (bytes: Buffer) => Buffer.concat([bytes, bytes]), 'longer than its record says'],
  ])('that sends bodies that are too %s is not believed', async (_, change, why) => {
    server.lie = (request, response, honest) => {
      if (request.method !== 'GET' || !isBlob(request.url) || honest === undefined) return false
      response.writeHead(200).end(change(honest))
      return true
    }
    expect((await runElsewhere()).state.troubles.join()).toContain(why)
  })

  test('that breaks off is asked again, and then left alone', async () => {
    let broken = 0
    server.lie = (request, response, honest) => {
      if (request.method !== 'GET' || !isBlob(request.url) || honest === undefined) return false
      broken++
      response.writeHead(200, { 'content-length': honest.length })
      response.write(honest.subarray(0, 10), () => response.destroy())
      return true
    }
    const ran = await runElsewhere()
    expect(ran.state.troubles.join()).toContain('broke off')
    expect(broken).toBeLessThanOrEqual(6)
  })

  test('that recovers within a few tries is forgiven', async () => {
    let failures = 0
    server.lie = (request, response) => {
      if (request.method !== 'GET' || failures++ >= 2) return false
      response.writeHead(500).end()
      return true
    }
    const ran = await runElsewhere()
    expect([ran.status, ran.state.troubles]).toEqual([{ first: 'cached', second: 'cached' }, []])
  })

  test('that says 403 is asked once for reading and can still be written', async () => {
    server.stored.clear()
    server.lie = (request, response) => {
      if (request.method !== 'GET') return false
      response
        .writeHead(403)
        .end('<Error><Code>AccessDenied</Code><AWSAccessKeyId>SECRET</AWSAccessKeyId></Error>')
      return true
    }
    const { cache, told } = cacheOver(httpOver(server), newRoot())
    const other = storesAt(newRoot())
    for (let i = 0; i < 3; i++)
      expect((await cache.pull(first.key, ['out'], other, never)).type).toBe('trouble')
    expect(server.asked).toHaveLength(1)
    expect(told).toEqual([`${server.url}: 403 AccessDenied; not asked again`])
  })

  test('that may not be written is still read', async () => {
    server.lie = (request, response) => {
      if (request.method !== 'PUT') return false
      response.writeHead(403).end()
      return true
    }
    const other = newRoot()
    const more = pipelineOf({
      ...{ third: {} },
      first: { with: { files: { 'x.txt': 'x', 'big.bin': 'b'.repeat(300_000) } } },
    })
    const ran = await go(other, more, { remote: useOver(httpOver(server), other) })
    expect(ran.status).toEqual({ third: 'done', first: 'cached' })
    expect(ran.state.troubles).toEqual([`${server.url}: 403; nothing more is pushed`])
  })

  test('that is always broken is given up after two requests', async () => {
    server.lie = (_, response) => (response.writeHead(502).end(), true)
    const { cache, told, pauses } = cacheOver(httpOver(server), root)
    const other = storesAt(newRoot())
    for (let i = 0; i < 4; i++)
      expect((await cache.pull(first.key, ['out'], other, never)).type).toBe('trouble')
    expect(server.asked).toHaveLength(6)
    expect(told).toEqual([`${server.url}: 502`, `${server.url}: 502; not asked again`])
    expect(pauses.every((ms) => ms >= 300 && ms < 1000)).toBe(true)
  })

  test('that wants a pause gets it; one that wants a long one is left alone', async () => {
    let busy = 1
    let after = '2'
    server.lie = (_, response) =>
      busy-- > 0 && (response.writeHead(429, { 'retry-after': after }).end(), true)
    const { cache, pauses } = cacheOver(httpOver(server), root)
    expect((await cache.pull(first.key, ['out'], storesAt(newRoot()), never)).type).toBe('pulled')
    expect(pauses).toEqual([2000])
    busy = 10
    after = '3600'
    expect((await cache.pull(first.key, ['out'], storesAt(newRoot()), never)).type).toBe('trouble')
    expect(pauses).toEqual([2000])
  })

  test.each([
    ['hangs', () => true],
    [
      'hangs in the middle of a body',
      (_: unknown, response: { writeHead: (s: number) => void; write: (s: string) => void }) => {
        response.writeHead(200)
        response.write('{')
        return true
      },
    ],
  ])('that %s is given up', async (_, lie) => {
    server.lie = lie
    const { cache, told } = cacheOver(httpOver(server), root)
    expect((await cache.pull(first.key, ['out'], storesAt(newRoot()), never)).type).toBe('trouble')
    expect(told).toEqual([`${server.url}: no answer for 0.2 s`])
    // It had its time: no second try.
    expect(server.asked).toHaveLength(1)
  })

  test('that drips is given up', async () => {
    server.lie = (_, response) => {
      const drip = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(drip))
      response.writeHead(200)
      return true
    }
    const { cache, told } = cacheOver(httpOver(server, { bodyMs: 150 }), root)
    expect((await cache.pull(first.key, ['out'], storesAt(newRoot()), never)).type).toBe('trouble')
    expect(told).toEqual([`${server.url}: it is too slow`])
  })

  test('that sends us elsewhere is not followed', async () => {
    server.lie = (_, response) => (
      response.writeHead(302, { location: 'http://evil.example/x?token=1' }).end(),
      true
    )
    const { cache, told } = cacheOver(httpOver(server), root)
    expect((await cache.pull(first.key, ['out'], storesAt(newRoot()), never)).type).toBe('trouble')
    expect(told.join()).toContain('it sends us to http://evil.example;')
    expect(server.asked).toHaveLength(1)
  })

  test('that is not there does not fail a run', async () => {
    server.close()
    const ran = await runElsewhere()
    expect(ran.status).toEqual({ first: 'done', second: 'done' })
    expect(ran.state.troubles.join()).toContain('cannot be reached (ECONNREFUSED); not asked again')
  })

  test('a record without end is given up', async () => {
    const { cache, told } = cacheOver(httpOver(server), root)
    server.lie = (_, response) => {
      response.writeHead(200)
      const chunk = Buffer.alloc(1 << 20)
      const more = () => {
        if (!response.destroyed) response.write(chunk, more)
      }
      more()
      return true
    }
    expect((await cache.pull(first.key, ['out'], storesAt(newRoot()), never)).type).toBe('trouble')
    expect(told.join()).toContain('a record is too long')
  })

  test('a run that is stopped does not call it trouble', async () => {
    const stop = new AbortController()
    server.lie = () => (stop.abort(), true)
    const { cache, told } = cacheOver(httpOver(server, { stallMs: 5_000 }), root)
    expect((await cache.pull(first.key, ['out'], storesAt(newRoot()), stop.signal)).type).toBe('trouble')
    expect(told).toEqual([])
  })

  test('a plan asks for records and sizes, and for no bytes', async () => {
    const { cache } = cacheOver(httpOver(server), root)
    const found = await cache.find(first.key, storesAt(newRoot()), never)
    expect(found).toMatchObject({ type: 'hit' })
    expect(found.type === 'hit' && found.bytes > 300_000).toBe(true)
    expect(server.asked.filter((each) => each.startsWith('GET') && isBlob(each))).toEqual([])
    expect(await cache.find(digestOf('nothing'), storesAt(root), never)).toEqual({ type: 'miss' })
  })
})
