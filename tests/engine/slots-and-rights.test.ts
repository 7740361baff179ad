/** Who may go when: slots within a run, rights between runs. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Others, PATIENCE_MS } from '../../engine/run/others.ts'
import { standingOf, thisProcess } from '../../engine/run/owner.ts'
import type { Owner } from '../../engine/run/owner.ts'
import { beatOf, Presence, presenceOf } from '../../engine/run/presence.ts'
import { Rights } from '../../engine/run/rights.ts'
import { Slots } from '../../engine/run/slots.ts'
import { sweepStaging } from '../../engine/run/staging.ts'
import { newRoot, until, write } from '../support/rig.ts'

const never = new AbortController().signal

describe('slots', () => {
  test('are as many as there are, given to the higher rank, then in order', async () => {
    const slots = new Slots({ kernel: 1 })
    const first = await slots.take('kernel', 0, never)
    const order: string[] = []
    const job = async (name: string, rank: number) => {
      const give = await slots.take('kernel', rank, never)
      order.push(name)
      give()
    }
    const jobs = [job('low', 1), job('high', 5), job('low too', 1), job('high too', 5)]
    await Promise.resolve()
    expect(order).toEqual([])
    first()
    await Promise.all(jobs)
    expect(order).toEqual(['high', 'high too', 'low', 'low too'])
  })

  test('an abort leaves the queue and loses no slot', async () => {
    const slots = new Slots({ kernel: 1 })
    const give = await slots.take('kernel', 0, never)
    const stop = new AbortController()
    const waiting = slots.take('kernel', 9, stop.signal)
    const other = slots.take('kernel', 1, never)
    stop.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
    give()
    ;(await other)()
    ;(await slots.take('kernel', 0, never))()
    await expect(slots.take('kernel', 0, stop.signal)).rejects.toThrow('stopped')
    await expect(slots.take('gpu', 0, never)).rejects.toThrow('no resource is called gpu')
  })
})

/** A run that is under way in a state folder, and what it may take there. */
function runIn(stateDir: string, run = 'here', others = new Others(stateDir)) {
  const presence = new Presence(stateDir, run, 'sluice run')
  return { presence, rights: new Rights(stateDir, presence, others) }
}

const me = thisProcess('r1', 'sluice run')

describe('owner', () => {
  test('lives as long as its process', () => {
    expect(standingOf(me)).toBe('alive')
    expect(standingOf({ ...me, start: '1' }), 'the number was given to a later process').toBe('dead')
    expect(standingOf({ ...me, pid: 2 ** 22 - 1 })).toBe('dead')
    expect(standingOf({ ...me, place: 'other', pid: 2 ** 22 - 1 }), 'nobody here can tell').toBe('elsewhere')
  })

  test.runIf(existsSync('/proc/self/stat'))('a zombie is dead', async () => {
    // The shell starts a child, tells its number, and becomes a program that never collects it.
    const shell = spawn('sh', ['-c', 'sleep 0.05 & echo $!; exec sleep 20'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [line] = (await once(shell.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    const owner: Owner = { ...me, pid, start: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '' }
    await until(() => readFileSync(`/proc/${String(pid)}/stat`, 'utf8').includes(') Z '), 'zombie')
    expect(standingOf(owner)).toBe('dead')
    shell.kill('SIGKILL')
  })
})

describe('a run elsewhere', () => {
  const there: Owner = { ...me, place: 'another host', run: 'there' }
  /** A clock of our own, and their beat as we set it. */
  const looking = () => {
    const root = newRoot()
    let now = 0
    const path = presenceOf(root, there.run)
    write(root, 'present/there.json', JSON.stringify(there))
    return {
      others: new Others(root, () => now),
      wait: (ms: number) => (now += ms),
      beat: (count: number) => utimesSync(path, count, count),
      vanish: () => rmSync(path),
    }
  }

  test('lives while its beat moves, however slowly the clocks agree', () => {
    const { others, wait, beat } = looking()
    for (const count of [5, 6, 7, 3, 1]) {
      beat(count)
      for (let ms = 0; ms < PATIENCE_MS; ms += 1000) {
        expect(others.lives(there)).toBe(true)
        wait(1000)
      }
    }
  })

  test.each(['stands still', 'is gone'])('is dead when its beat %s for long enough under our eyes', (how) => {
    const { others, wait, vanish } = looking()
    if (how === 'is gone') vanish()
    const lives: boolean[] = []
    for (let ms = 0; ms <= PATIENCE_MS; ms += 1000, wait(1000)) lives.push(others.lives(there))
    expect(lives).toEqual([...Array<boolean>(15).fill(true), false])
  })

  test('is not dead because we were asleep for a day', () => {
    const { others, wait, beat } = looking()
    expect(others.lives(there)).toBe(true)
    wait(24 * 3600 * 1000)
    expect(others.lives(there)).toBe(true)
    beat(2)
    expect(others.lives(there)).toBe(true)
  })
})

test('a run beats while its main thread does nothing else', async () => {
  const root = newRoot()
  const { presence } = runIn(root)
  expect(presence.owner).toMatchObject({ pid: process.pid, run: 'here' })
  presence.beat()
  await until(() => (beatOf(root, 'here') ?? 0) < 1e6, 'the first beat')
  const before = beatOf(root, 'here') ?? 0
  const end = performance.now() + 3500
  while (performance.now() < end);
  expect(beatOf(root, 'here')).toBeGreaterThan(before)
  await presence[Symbol.asyncDispose]()
  expect(beatOf(root, 'here')).toBeNull()
})

describe('rights', () => {
  const lockOf = (root: string) => join(root, 'locks/p.lock')
  const none = () => expect.unreachable('nobody holds it')

  test('the second waits, hears of the holder once, and goes on after it', async () => {
    const root = newRoot()
    const { rights } = runIn(root)
    const first = await rights.take('p', none, never)
    const heard: Owner[] = []
    const second = rights.take('p', (holder) => heard.push(holder), never)
    const other = await rights.take('another', none, never)
    await until(() => heard.length > 0, 'told')
    await new Promise((resolve) => setTimeout(resolve, 450))
    expect(heard).toMatchObject([{ pid: process.pid, run: 'here', command: 'sluice run' }])
    first.release()
    const lock = await second
    expect(existsSync(lockOf(root))).toBe(true)
    // Late and twice: not ours any more.
    first.release()
    expect(existsSync(lockOf(root))).toBe(true)
    lock.release()
    other.release()
    expect(readdirSync(join(root, 'locks'))).toEqual([])
  })

  const dead = { ...me, run: 'd', start: '1' }
  test.each([
    ['a dead process', { ...dead, start: me.start, pid: 2 ** 22 - 1 }],
    ['a pid that was given again', dead],
  ])('are taken over from %s, even if who began to do so died, too', async (_, holder) => {
    const root = newRoot()
    write(root, 'locks/p.lock', JSON.stringify(holder))
    write(root, 'locks/p.lock.d', JSON.stringify({ ...dead, run: 'e' }))
    const { rights } = runIn(root)
    const right = await rights.take('p', none, never)
    right.release()
    expect(readdirSync(join(root, 'locks'))).toEqual([])
  })

  test('what the dead hold is swept, what the living hold stays', () => {
    const root = newRoot()
    for (const name of ['p.lock', 'p.lock.d', 'q.lock', 'torn.lock'])
      write(root, `locks/${name}`, name === 'torn.lock' ? '{"pid"' : JSON.stringify(dead))
    write(root, 'locks/living.lock', JSON.stringify(me))
    write(root, 'locks/elsewhere.lock', JSON.stringify({ ...me, place: 'other' }))
    runIn(root).rights.sweep()
    expect(readdirSync(join(root, 'locks')).sort()).toEqual(['elsewhere.lock', 'living.lock'])
  })

  test.each(['', '{"pid":', 'null', '[]'])('a damaged record holds nobody up: %j', async (text) => {
    const root = newRoot()
    write(root, 'locks/p.lock', text)
    ;(await runIn(root).rights.take('p', none, never)).release()
    expect(readdirSync(join(root, 'locks'))).toEqual([])
  })

  test('are taken over from a run elsewhere whose beat stands still, and not before', async () => {
    const root = newRoot()
    let now = 0
    const { rights } = runIn(root, 'here', new Others(root, () => now))
    write(root, 'locks/p.lock', JSON.stringify({ ...me, place: 'other', run: 'there' }))
    for (; now < PATIENCE_MS; now += 1000) expect(rights.tryTake('p')).toMatchObject({ type: 'held' })
    expect(rights.tryTake('p').type).toBe('taken')
  })

  test('waiting can be stopped', async () => {
    const root = newRoot()
    const { rights } = runIn(root)
    const right = await rights.take('p', none, never)
    const stop = new AbortController()
    await expect(rights.take('p', () => stop.abort(), stop.signal)).rejects.toThrow()
    expect(readdirSync(join(root, 'locks'))).toEqual(['p.lock'])
    right.release()
  })

  test('many at once take it one after another', async () => {
    const root = newRoot()
    write(root, 'locks/p.lock', JSON.stringify(dead))
    let inside = 0
    let most = 0
    const one = async (_: unknown, at: number) => {
      const right = await runIn(root, `r${String(at)}`).rights.take('p', () => undefined, never)
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setTimeout(resolve, 5))
      inside--
      right.release()
    }
    await Promise.all(Array.from({ length: 5 }, one))
    expect(most).toBe(1)
  })
})

test('staging of the dead is swept, that of the living stays', () => {
  const root = newRoot()
  const present = (run: string, owner: unknown) => write(root, `present/${run}.json`, JSON.stringify(owner))
  for (const run of ['dead', 'living', 'ended', 'elsewhere']) write(root, `staging/${run}.1/out.port/x`, '')
  present('dead', { ...me, start: '1' })
  present('living', me)
  present('elsewhere', { ...me, place: 'other' })
  write(root, 'staging/stray', '')
  expect(sweepStaging(root, new Others(root))).toBe(true)
  expect(readdirSync(join(root, 'staging')).sort()).toEqual(['elsewhere.1', 'living.1', 'stray'])
})
