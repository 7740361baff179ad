/** doctor names what a run would stumble over, and nothing that it would not. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startHub } from '../support/fake-hub.ts'
import type { FakeHub } from '../support/fake-hub.ts'
import { emptyProject, FILE, freshProject, launch } from './newcomer.ts'
import type { Ended, Project } from './newcomer.ts'

interface Finding {
  readonly what: string
  readonly state: string
  readonly detail: string
  readonly help: string | null
}

let hub: FakeHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub.close())

function doctor(project: Project, more: NodeJS.ProcessEnv = {}, ...argv: readonly string[]): Promise<Ended> {
  const environment = {
    HF_ENDPOINT: hub.url,
    HF_HOME: project.root,
    HF_TOKEN: '',
    HF_HUB_OFFLINE: '',
    ...more,
  }
  return launch(project.root, ['doctor', ...argv], [], environment).ended
}

async function findings(project: Project, more: NodeJS.ProcessEnv = {}): Promise<readonly Finding[]> {
  return JSON.parse((await doctor(project, more, '--json')).stdout) as readonly Finding[]
}

test('a machine that is ready', async () => {
  const { code, stdout } = await doctor(freshProject())
  expect(code, stdout).toBe(0)
  expect(stdout).not.toMatch(/[✗!]/)
  for (const what of ['node', 'git', 'disk', 'state folder', 'worker kernel', 'onnxruntime-node'])
    expect(stdout).toMatch(new RegExp(`✓ ${what} +\\S`))
  // Who uses no hub and no remote cache is not told of them.
  expect(stdout).not.toMatch(/hub|remote/)
  expect(hub.asked).toEqual([])
}, 60_000)

test('without a pipeline', async () => {
  const { code, stdout } = await doctor(emptyProject())
  expect(code).toBe(6)
  expect(stdout).toMatch(/✗ pipelines +none\n +help: sluice init/)
}, 60_000)

test('the hub, if a pipeline names a model on it', async () => {
  const commit = hub.publish('org/tiny', { 'config.json': Buffer.from('{}') })
  const project = freshProject()
  project.edit(
    'sources:\n',
    'sources:\n  # other: hf:org/unused\n  base: { type: model, from: hf:org/tiny }\n',
  )
  const there = (await findings(project)).find(({ what }) => what === 'hub')
  expect(there?.detail).toBe(`${hub.url} answers for org/tiny; the newest commit is ${commit.slice(0, 8)}`)

  const [offline, ...more] = (await findings(project, { HF_HUB_OFFLINE: '1' })).filter(
    ({ state }) => state !== 'ok',
  )
  expect([offline?.what, offline?.state, more]).toEqual(['hub', 'warning', []])

  const gone = await doctor(project, { HF_ENDPOINT: 'http://127.0.0.1:9' })
  expect(gone.code).toBe(6)
  expect(gone.stdout).toMatch(/✗ hub +http:\/\/127\.0\.0\.1:9 cannot be reached .*\n +help: .*HF_ENDPOINT/)
}, 90_000)

test('variables that nobody has set, a remote cache that is not there, a mistake in the configuration', async () => {
  const project = freshProject()
  project.edit('stages:\n', 'notify: [{ on: [gate.failed], webhook: env:HOOK_OF_TEAM }]\nstages:\n')
  project.write('sluice.config.yaml', 'version: 1\ncache: { remote: /nowhere/at/all }\n')
  const unready = (await findings(project)).filter(({ state }) => state !== 'ok')
  expect(unready.map(({ what, state }) => `${what} ${state}`)).toEqual([
    'remote cache warning',
    'HOOK_OF_TEAM warning',
  ])
  expect(unready[1]?.help).toBe(`${FILE} reads it`)
  expect((await doctor(project, { HOOK_OF_TEAM: 'https://example.com' })).stdout).not.toContain(
    'HOOK_OF_TEAM',
  )

  project.write('sluice.config.yaml', 'version: 1\nplugins: [./missing]\n')
  const broken = await doctor(project)
  expect(broken.code).toBe(6)
  expect(broken.stdout).toMatch(/✗ configuration +sluice\.config\.yaml: /)
}, 90_000)

test('a state folder that is none', async () => {
  const project = freshProject()
  project.write('.sluice', '')
  const { code, stdout } = await doctor(project)
  expect(code).toBe(6)
  expect(stdout).toMatch(/✗ state folder +.*\.sluice cannot be written \(ENOTDIR\)/)
}, 60_000)
