/** A run is killed at every step of its commit; the next one ends with the same results as one that nobody disturbed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { STEPS } from '../../engine/failpoint.ts'
import { go, newRoot } from '../support/rig.ts'
import type { Ran } from '../support/rig.ts'
import { inspect, leftovers, lockIn, tortured, torturedChild } from '../support/torture.ts'

const child = join(newRoot(), 'child.mjs')
let undisturbed: Ran
let lock: string | null = null

beforeAll(async () => {
  await torturedChild(child)
  const root = newRoot()
  undisturbed = await go(root, tortured(0))
  lock = lockIn(root)
  expect(inspect(root)).toMatchObject({ corrupt: [], records: { size: 3 } })
})

/** What is passed once in a run; all else is killed at its second time, too. */
const ONCE = ['swept', 'run-begun', 'all-shown', 'lock-written', 'run-ended', 'log-closed']
const points = Object.keys(STEPS).flatMap((step) => (ONCE.includes(step) ? [step] : [step, `${step}:2`]))

test.each(points)('killed at %s', async (failpoint) => {
  const root = newRoot()
  const pipeline = tortured(0)
  const told = JSON.stringify({ root, pipeline, failpoint })
  const run = spawn(process.execPath, [child, told], { stdio: ['ignore', 'ignore', 'inherit'] })
  expect(await once(run, 'exit'), 'the step is reached').toEqual([null, 'SIGKILL'])
  const { corrupt, records } = inspect(root)
  expect(corrupt).toEqual([])
  expect([null, lock]).toContain(lockIn(root))
  const next = await go(root, pipeline)
  expect(next.exitCode).toBe(0)
  expect(next.digests).toEqual(undisturbed.digests)
  expect(lockIn(root)).toBe(lock)
  expect(leftovers(root)).toEqual([])
  for (const [name, { key }] of next.results)
    expect(next.status[name], name).toBe(records.has(key) ? 'cached' : 'done')
  expect(inspect(root).corrupt).toEqual([])
  expect(Object.values((await go(root, pipeline)).status)).toEqual(['cached', 'cached', 'cached'])
})
