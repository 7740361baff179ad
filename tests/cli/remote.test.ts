/** The remote cache from the command line: CI trains, a laptop pulls and runs nothing; slips in its settings are named. */
import { mkdtempSync, renameSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ADAPTER, freshProject, LOCK } from './newcomer.ts'
import type { Project } from './newcomer.ts'

const CONFIG = 'sluice.config.yaml'
const newShare = () => mkdtempSync(join(tmpdir(), 'sluice-share-'))
const withRemote = (share: string, mode: string): Project => {
  const project = freshProject()
  project.write(CONFIG, `version: 1\ncache: { remote: ${share}, mode: ${mode} }\n`)
  return project
}

test('what CI made a laptop plans, pulls, and runs nothing of; gone, the remote is named as failed', async () => {
  const share = newShare()
  const ci = withRemote(share, 'auto')
  const made = await ci.sluice('run')
  expect(made.code, made.stderr).toBe(0)
  expect(made.stdout).toMatch(/6 ran, 0 cached, 6 pushed \(/)
  const laptop = withRemote(share, 'pull')
  const plan = await laptop.sluice('plan')
  expect(plan.stdout).toContain('everything is cached, here or in the remote cache')
  expect(plan.stdout).toMatch(/↓ lora-train +in the remote cache, .* to pull/)
  const json = JSON.parse((await laptop.sluice('plan', '--json')).stdout) as { stages: { status: string }[] }
  expect(json.stages.filter(({ status }) => status === 'cached-remote')).toHaveLength(6)
  const why = await laptop.sluice('why', 'lora-train')
  expect(why.stdout).toMatch(/now: {3}in the remote cache, .* to pull, key /)
  const pulled = await laptop.sluice('run')
  expect(pulled.code, pulled.stderr).toBe(0)
  expect(pulled.stdout).toMatch(/everything cached, 6 pulled \(/)
  expect(laptop.read(ADAPTER)).toBe(ci.read(ADAPTER))
  expect((await laptop.sluice('show', 'lora-train')).code).toBe(0)

  // What a part of the pipeline does not run is pulled, too.
  const part = await withRemote(share, 'pull').sluice('run', '--from', 'eval')
  expect(part.code, part.stderr).toBe(0)
  expect(part.stdout).toMatch(/everything cached, 6 pulled \(/)

  // By hand: what the lock names.
  const third = withRemote(share, 'pull')
  third.write(LOCK, ci.read(LOCK))
  expect((await third.sluice('cache', 'pull')).stdout).toMatch(/^6 of 6 results pulled from/)
  expect((await third.sluice('cache', 'push')).stdout).toMatch(/^0 of 6 results pushed to .*; 6 were there/)

  renameSync(share, `${share}-gone`)
  const offline = withRemote(share, 'pull')
  const blind = await offline.sluice('plan')
  expect(blind.code).toBe(0)
  expect(blind.stderr).toContain('is not there (is it mounted?)')
  expect((await third.sluice('cache', 'push')).code).toBe(6)
}, 240_000)

describe('settings', () => {
  const project = freshProject()
  test.each([
    ['{ mode: pull }', 'it lacks remote'],
    ['{ remote: https://cache.example }', 'it lacks trust'],
    ['{ remote: "https://ci:secret@cache.example", trust: writers }', 'SLUICE_REMOTE_AUTHORIZATION'],
    ['{ remote: ftp://x, trust: writers }', 's3://bucket/folder'],
    ['{ remote: s3://team, trust: { main: keys/none.pub } }', 'there is no such file'],
    ['{ remote: s3://team, trust: everybody }', 'writers: all who may write there'],
    ['{ remote: share, mode: atuo }', "did you mean 'auto'?"],
    ['{ remote: share, tust: writers }', "did you mean 'trust'?"],
    ['share', 'cache has to be a map'],
  ])('cache: %s', async (cache, words) => {
    project.write(CONFIG, `version: 1\ncache: ${cache}\n`)
    const { code, stderr } = await project.sluice('cache', 'pull')
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)])
  })

  test('without a remote the command says where it is set', async () => {
    project.write(CONFIG, 'version: 1\n')
    const { code, stderr } = await project.sluice('cache', 'push')
    expect([code, stderr]).toEqual([2, expect.stringContaining('docs/remote-cache.md')])
  })
})
