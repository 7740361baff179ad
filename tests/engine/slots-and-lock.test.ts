/** Who may go when: slots within a run, the lock between runs. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sweepStaging } from '../../engine/run/staging.ts'
import { isAlive, thisProcess } from '../../engine/run/owner.ts'
import type { Owner } from '../../engine/run/owner.ts'
import { takeRunLock } from '../../engine/run/run-lock.ts'
import { Slots } from '../../engine/run/slots.ts'
import { newRoot, staged, until, write } from '../support/rig.ts'

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

describe('owner', () => {
  const me = thisProcess()
  test('lives as long as its process', () => {
    expect(isAlive(me)).toBe(true)
    expect(isAlive({ ...me, start: '1' }), 'the number was given to a later process').toBe(false)
    expect(isAlive({ ...me, boot: 'before' }), 'before the last boot').toBe(false)
    expect(isAlive({ ...me, pid: 2 ** 22 - 1 })).toBe(false)
    expect(isAlive({ ...me, host: 'elsewhere', pid: 2 ** 22 - 1 }), 'nobody here can tell').toBe(true)
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
    expect(isAlive(owner)).toBe(false)
    shell.kill('SIGKILL')
  })
})

describe('run lock', () => {
  const lockOf = (root: string) => join(root, 'locks/p.lock')
  const none = () => expect.unreachable('nobody holds it')

  test('the second waits, hears of the holder once, and goes on after it', async () => {
    const root = newRoot()
    const first = await takeRunLock(root, 'p', none, never)
    const heard: Owner[] = []
    const second = takeRunLock(root, 'p', (holder) => heard.push(holder), never)
    const other = await takeRunLock(root, 'another', none, never)
    await until(() => heard.length > 0, 'told')
    await new Promise((resolve) => setTimeout(resolve, 450))
    expect(heard.map((holder) => holder.pid)).toEqual([process.pid])
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

  test.each([
    ['a dead process', { pid: 2 ** 22 - 1 }],
    ['a pid that was given again', { start: '1' }],
    ['another boot', { boot: 'before' }],
  ])('is taken over from %s', async (_, change) => {
    const root = newRoot()
    write(root, 'locks/p.lock', JSON.stringify({ ...thisProcess(), ...change }))
    const lock = await takeRunLock(root, 'p', none, never)
    lock.release()
    expect(readdirSync(join(root, 'locks'))).toEqual([])
  })

  test.each(['', '{"pid":', 'null', '[]'])('a damaged record holds nobody up: %j', async (text) => {
    const root = newRoot()
    write(root, 'locks/p.lock', text)
    ;(await takeRunLock(root, 'p', none, never)).release()
    expect(readdirSync(join(root, 'locks'))).toEqual([])
  })

  test('waiting can be stopped', async () => {
    const root = newRoot()
    const lock = await takeRunLock(root, 'p', none, never)
    const stop = new AbortController()
    await expect(takeRunLock(root, 'p', () => stop.abort(), stop.signal)).rejects.toThrow()
    expect(readdirSync(join(root, 'locks'))).toEqual(['p.lock'])
    lock.release()
  })

  test('many at once take it one after another', async () => {
    const root = newRoot()
    write(root, 'locks/p.lock', JSON.stringify({ ...thisProcess(), start: '1' }))
    let inside = 0
    let most = 0
    const one = async () => {
      const lock = await takeRunLock(root, 'p', () => undefined, never)
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setTimeout(resolve, 5))
      inside--
      lock.release()
    }
    await Promise.all(Array.from({ length: 5 }, one))
    expect(most).toBe(1)
  })
})

test('staging of the dead is swept, that of the living stays', () => {
  const root = newRoot()
  const me = thisProcess()
  const stage = (id: string, owner: unknown) =>
    write(root, `.sluice/staging/owners/${id}.json`, JSON.stringify(owner))
  for (const id of ['dead', 'living', 'nameless'])
    write(root, `.sluice/staging/key-${id === 'dead' ? id : 'living'}/${id}/out/x`, '')
  stage('dead', { ...me, start: '1' })
  stage('never-began', { ...me, start: '1' })
  stage('living', me)
  write(root, '.sluice/staging/stray', '')
  sweepStaging(join(root, '.sluice'))
  rmSync(join(root, '.sluice/staging/stray'))
  expect(staged(root)).toEqual(['living'])
  expect(readdirSync(join(root, '.sluice/staging/owners'))).toEqual(['living.json'])
  expect(readdirSync(join(root, '.sluice/staging')).sort()).toEqual(['key-living', 'owners'])
})
