/** What a run does with checkpoints: keeps the last two under the stage's key, goes on from the newest whole one, removes them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { digestOf } from '../../engine/artifact.ts'
import { checkpointsIn, dropCheckpoints } from '../../engine/run/checkpoints.ts'
import type { Json } from '../../dsl/stage-signature.ts'
import { go, newRoot, pipelineOf } from '../support/rig.ts'
import type { Ran, RunChanges } from '../support/rig.ts'

let root = ''
beforeEach(() => {
  root = newRoot()
})

/** A stage of five steps, each of which is kept; its first attempt dies after them. */
const training = (told: Record<string, Json> = {}, more = {}) =>
  pipelineOf({ train: { with: { files: { 'x.txt': 'x' }, steps: 5, first: 'kill', ...told }, more } })
const resumedAt = (ran: Ran) =>
  ran.events.flatMap((event) => (event.type === 'stage.resumed' ? [event.step] : []))
const notes = (ran: Ran) => ran.state.stages.get('train')?.notes
const stateDir = () => join(root, '.sluice')
const kept = () => checkpointsIn(stateDir()).map(({ key }) => key)
/** The folder of the only key's checkpoints. */
const folder = () =>
  join(stateDir(), 'checkpoints', readdirSync(join(stateDir(), 'checkpoints'))[0] ?? '', 'act')
const killed = async (told: Record<string, Json> = {}) => {
  const ran = await go(root, training(told))
  expect(ran.exitCode).toBe(6)
  return ran
}
const resumes = async (steps: readonly number[], changes: RunChanges = {}) => {
  const ran = await go(root, training(), changes)
  expect(resumedAt(ran)).toEqual(steps)
  return ran
}

test('a killed stage goes on in the next run, says so, and leaves no checkpoint behind', async () => {
  const first = await killed()
  expect(first.state.stages.get('train')).toMatchObject({ checkpoint: 5, resumedFrom: null })
  expect(readdirSync(folder()).sort()).toEqual(['4', '5'])
  const second = await resumes([5])
  expect(second.exitCode).toBe(0)
  expect(second.state.stages.get('train')).toMatchObject({ status: 'done', resumedFrom: 5 })
  expect(second.results.get('train')?.provenance).toMatchObject({ resumed: true, resumedFrom: 5 })
  expect(kept()).toEqual([])
})

test('a stage that was not interrupted has nothing of this in its record', async () => {
  const ran = await go(root, training({ first: null }))
  expect(ran.exitCode).toBe(0)
  expect(ran.results.get('train')?.provenance).not.toHaveProperty('resumed')
  expect(kept()).toEqual([])
})

test.each([
  ['kill', 'worker-lost', null],
  ['hang', 'timeout', 3000],
] as const)('a retry after a %s goes on', async (first, cause, timeoutMs) => {
  const retry = { max: 1, on: [cause], backoffMs: 0 }
  const ran = await go(root, training({ first }, { retry, timeoutMs }))
  expect(ran.exitCode).toBe(0)
  expect(ran.events.filter(({ type }) => type === 'stage.retry')).toHaveLength(1)
  expect(resumedAt(ran)).toEqual([5])
})

test('a run that is stopped goes on later', async () => {
  const stop = new AbortController()
  const pipeline = training({ first: 'hang' })
  const ran = await go(root, pipeline, {
    signal: stop.signal,
    onEvent: (event) =>
      event.type === 'stage.checkpoint' && event.step === 5 && stop.abort(new Error('stop')),
  })
  expect(ran.exitCode).toBe(130)
  expect(resumedAt(await go(root, pipeline))).toEqual([5])
})

test('another key begins at the beginning and leaves the checkpoints of the first alone', async () => {
  await killed()
  const other = await killed({ files: { 'x.txt': 'changed' } })
  expect(resumedAt(other)).toEqual([])
  expect(kept()).toHaveLength(2)
  await resumes([5])
  expect(kept()).toHaveLength(1)
})

test('--force begins at the beginning', async () => {
  await killed()
  const ran = await go(root, training(), { forced: new Set(['train']) })
  expect(resumedAt(ran)).toEqual([])
  expect(ran.exitCode).toBe(6)
})

describe('a checkpoint that is', () => {
  const newest = () => join(folder(), '5')
  test.each<[string, () => void, RegExp]>([
    ['truncated', () => writeFileSync(join(newest(), 'state'), 'ste'), /step 5 .*state has 3 of its 7 bytes/],
    ['changed', () => writeFileSync(join(newest(), 'state'), 'step 6\n'), /step 5 .*not have the bytes/],
    ['without a file', () => rmSync(join(newest(), 'state')), /state is missing/],
    ['without a record', () => rmSync(join(newest(), 'checkpoint.json')), /checkpoint.json is missing/],
    [
      'torn in its record',
      () => tear(join(newest(), 'checkpoint.json')),
      /checkpoint.json is missing or damaged/,
    ],
    ["another step's", () => swap(join(folder(), '4'), newest()), /something else/],
  ])('%s is put aside with a word, and the one before is used', async (_, damage, word) => {
    await killed()
    damage()
    const ran = await resumes([4])
    expect(notes(ran)).toEqual([expect.stringMatching(word)])
    expect(ran.exitCode).toBe(0)
    expect(kept()).toEqual([])
  })

  test("another stage's is put aside; with no other left the stage begins at the beginning", async () => {
    await killed()
    for (const step of ['4', '5']) {
      const path = join(folder(), step, 'checkpoint.json')
      const record = JSON.parse(readFileSync(path, 'utf8')) as { of: string }
      writeFileSync(path, JSON.stringify({ ...record, of: `${digestOf('other')} act` }))
    }
    const ran = await resumes([])
    expect(notes(ran)?.filter((note) => note.includes('something else'))).toHaveLength(2)
    expect(readdirSync(folder()).sort()).toEqual(['4', '4.aside', '5', '5.aside'])
  })

  test('half written is removed without a word', async () => {
    await killed()
    mkdirSync(join(folder(), '6.tmp'))
    const ran = await resumes([5])
    expect(notes(ran)).toEqual([])
  })
})

test('checkpoints of keys that are gone can be listed with size and age, and removed', async () => {
  expect(checkpointsIn(stateDir())).toEqual([])
  const before = Date.now() - 1000
  await killed()
  const [one, ...others] = checkpointsIn(stateDir())
  expect(others).toEqual([])
  expect(one?.at).toBeGreaterThan(before)
  expect(one?.bytes).toBeGreaterThan(2 * 'step 5\n'.length)
  if (one !== undefined) dropCheckpoints(stateDir(), one.key)
  expect(existsSync(join(stateDir(), 'checkpoints', one?.key.slice(7) ?? ''))).toBe(false)
  await resumes([])
})

function tear(path: string): void {
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, 30))
}

function swap(a: string, b: string): void {
  renameSync(a, `${a}.x`)
  renameSync(b, a)
  renameSync(`${a}.x`, b)
  // The older one is whole in its own place.
  const path = join(a, 'checkpoint.json')
  writeFileSync(path, readFileSync(path, 'utf8').replace('"step":5', '"step":4'))
}
