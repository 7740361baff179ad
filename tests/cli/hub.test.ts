/** Models from a hub on the command line: plan downloads nothing, run does it first, the lock pins the commit. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { visit } from '../../engine/run/visit.ts'
import { refuse, sha256, startHub } from '../support/fake-hub.ts'
import type { FakeHub } from '../support/fake-hub.ts'
import { emptyProject, launch, LOCK, projectWithModel } from './newcomer.ts'
import type { Ended, Project, Running } from './newcomer.ts'

let hub: FakeHub
let model: Readonly<Record<string, Buffer>>
let commit: string
/** Trained with the very files that the hub has, as a folder of the project. */
let trained: Project
const home = mkdtempSync(join(tmpdir(), 'sluice-home-'))

beforeAll(async () => {
  hub = await startHub()
  trained = await projectWithModel()
  const { code, stderr } = await trained.sluice('run')
  expect(code, stderr).toBe(0)
  const folder = join(trained.root, 'mine')
  const files = Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]),
  )
  model = files
  commit = hub.publish('org/tiny', {
    ...files,
    'README.md': Buffer.from('# tiny'),
    'pytorch_model.bin': Buffer.alloc(1000),
    'onnx/model.onnx': Buffer.alloc(10),
    'original/consolidated.safetensors': Buffer.alloc(10),
  })
}, 240_000)
beforeEach(() => {
  hub.lie = () => false
  hub.forget()
})
afterAll(() => {
  hub.close()
  rmSync(home, { recursive: true, force: true })
})

/** The trained project with its model on the hub, its cache kept. */
function onHub(address = 'hf:org/tiny', from: Project = trained): Project {
  const project = emptyProject()
  cpSync(from.root, project.root, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  rmSync(join(project.root, 'mine'), { recursive: true, force: true })
  if (from === trained) project.edit('model: mine/*', `model: ${address}`)
  return project
}

function start(project: Project, argv: readonly string[], more: NodeJS.ProcessEnv = {}): Running {
  const environment = { HF_ENDPOINT: hub.url, HF_HOME: home, HF_TOKEN: '', HF_HUB_OFFLINE: '', ...more }
  return launch(project.root, argv, [], environment)
}

function sluice(...asked: Parameters<typeof start>): Promise<Ended> {
  return start(...asked).ended
}

test('the same files from a hub and from a folder are the same model: everything is cached', async () => {
  const project = onHub()
  const before = project.read(LOCK)

  // Nobody was asked yet, so the plan cannot know.
  const plan = await sluice(project, ['plan'])
  expect(plan.code, plan.stderr).toBe(0)
  expect(plan.stdout).toMatch(/● lora-train +RUN +model is not fetched yet: hf:org\/tiny/)
  expect((await sluice(project, ['validate'])).code).toBe(0)
  expect(hub.asked).toEqual([])

  // The listing says that the content is the known one: the weights are not even fetched.
  const run = await sluice(project, ['run'])
  expect(run.code, run.stderr).toBe(0)
  expect(run.stdout).toContain('everything cached')
  expect(hub.asked.some((each) => each.startsWith('store'))).toBe(false)
  expect(hub.asked.filter((each) => each.includes('resolve/')).join()).not.toMatch(/README|bin|onnx|original/)
  const lock = project.read(LOCK)
  expect(lock).toContain(`    commit: "${commit}"\n`)
  expect(lock).toContain('    from: "hf:org/tiny"\n')
  const withoutSources = (text: string) => text.replace(/^sources:\n(?: .*\n)*/m, '')
  expect(withoutSources(lock)).toBe(withoutSources(before))

  // From now on the hub is left alone, also when its main has moved on.
  hub.forget()
  const again = await sluice(project, ['run'])
  expect(again.stdout).toContain('everything cached')
  expect((await sluice(project, ['lock', '--check'])).code).toBe(0)
  expect(hub.asked).toEqual([])
}, 120_000)

test('what has to run gets the weights first; a fresh clone plans by the lock, and says how much would come', async () => {
  const project = onHub()
  rmSync(join(project.root, '.sluice'), { recursive: true })
  const run = await sluice(project, ['run'])
  expect(run.code, run.stderr).toBe(0)
  expect(run.stdout).toMatch(/\d ran, 0 cached/)
  expect(run.stderr).toMatch(/model {2}org\/tiny {2}.* of .*/)
  const whole = join(project.root, '.sluice/hub/models--org--tiny', commit, 'whole')
  expect(readdirSync(whole).sort()).toEqual(Object.keys(model).sort())
  for (const [name, bytes] of Object.entries(model))
    expect(sha256(readFileSync(join(whole, name)))).toBe(sha256(bytes))
  expect(project.read(LOCK)).toContain(`commit: "${commit}"`)

  const clone = onHub('hf:org/tiny', project)
  rmSync(join(clone.root, '.sluice'), { recursive: true })
  hub.forget()
  const plan = await sluice(clone, ['plan'])
  expect(plan.stdout).toMatch(new RegExp(`↓ model +hf:org/tiny at ${commit.slice(0, 8)}: .* to download`))
  expect(hub.asked).toEqual([])
  expect((await sluice(clone, ['lock', '--check'])).code).toBe(0)
}, 180_000)

test('a cache of Hugging Face that has the commit spares the download, with and without a network', async () => {
  const project = onHub()
  rmSync(join(project.root, '.sluice'), { recursive: true })
  const shared = mkdtempSync(join(tmpdir(), 'sluice-shared-'))
  const repository = join(shared, 'models--org--tiny')
  const snapshot = join(repository, 'snapshots', commit)
  for (const folder of [join(repository, 'blobs'), join(repository, 'refs'), snapshot])
    mkdirSync(folder, { recursive: true })
  writeFileSync(join(repository, 'refs/main'), commit)
  for (const [name, bytes] of Object.entries(model)) {
    writeFileSync(join(repository, 'blobs', sha256(bytes)), bytes)
    symlinkSync(join('../../blobs', sha256(bytes)), join(snapshot, name))
  }
  const offline = { HF_HUB_CACHE: shared, HF_HUB_OFFLINE: '1' }
  const run = await sluice(project, ['run'], offline)
  expect(run.code, run.stderr).toBe(0)
  expect(hub.asked).toEqual([])
  expect(project.read(LOCK)).toContain(`commit: "${commit}"`)

  // The cache is cleared: what was read from it is not here any more, and comes from the hub.
  rmSync(shared, { recursive: true })
  const forced = await sluice(project, ['run', '--force', 'lora-train'])
  expect(forced.code, forced.stderr).toBe(0)
  expect(hub.asked.some((each) => each.startsWith('store GET'))).toBe(true)
}, 180_000)

test('what cannot be had is said before anything runs', async () => {
  const project = onHub('hf:org/missing')
  rmSync(join(project.root, '.sluice'), { recursive: true })
  const missing = await sluice(project, ['run'])
  expect(missing.code).toBe(2)
  expect(missing.stderr).toContain(`there is no model org/missing at ${hub.url}, or it is private`)
  expect(existsSync(join(project.root, '.sluice/out'))).toBe(false)

  hub.lie = (_, response) => (refuse(response, 403, 'GatedRepo'), true)
  const gated = await sluice(onHub(), ['run'])
  expect(gated.code).toBe(2)
  expect(gated.stderr).toContain('org/tiny is gated')
  expect(gated.stderr).toContain('HF_TOKEN')

  const offline = await sluice(onHub(), ['run'], { HF_HUB_OFFLINE: '1' })
  expect(offline.code).toBe(6)
  expect(offline.stderr).toContain('HF_HUB_OFFLINE is set, and org/tiny is not here')

  const unreachable = await sluice(onHub(), ['run'], { HF_ENDPOINT: 'http://127.0.0.1:9' })
  expect(unreachable.code).toBe(6)
  expect(unreachable.stderr).toContain('cannot be reached')
  expect((await sluice(onHub(), ['plan'], { HF_ENDPOINT: 'mirror' })).code).toBe(2)
}, 180_000)

test('an architecture that the worker does not compute is refused before its weights come', async () => {
  const config = JSON.parse(String(model['config.json'])) as object
  const other = { ...config, model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'] }
  hub.publish('org/other', { ...model, 'config.json': Buffer.from(JSON.stringify(other)) })
  const refused = await sluice(onHub('hf:org/other'), ['run'])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain(
    'org/other: config.json: the architecture Qwen2ForCausalLM is not supported',
  )
  expect(refused.stderr).toContain('plain Llama models')
  expect(hub.asked.some((each) => each.includes('safetensors') || each.startsWith('store'))).toBe(false)
}, 60_000)

test('killed in the middle of a download, nothing looks finished, and the next run goes on from there', async () => {
  const project = onHub()
  rmSync(join(project.root, '.sluice'), { recursive: true })
  const half = Math.floor((model['model.safetensors']?.length ?? 0) / 2)
  hub.lie = (request, response, honest) => {
    if (!request.headers.host?.endsWith(new URL(hub.store).port) || honest === null) return false
    response.writeHead(200, { 'content-length': honest.length })
    response.write(honest.subarray(0, half))
    return true
  }
  const environment = { HF_ENDPOINT: hub.url, HF_HOME: home, HF_TOKEN: '', HF_HUB_OFFLINE: '' }
  const running = launch(project.root, ['run'], [], environment)
  const folder = join(project.root, '.sluice/hub/models--org--tiny', commit)
  const part = join(folder, 'fetching/model.safetensors.part')
  await expect.poll(() => statSync(part, { throwIfNoEntry: false })?.size, { timeout: 60_000 }).toBe(half)
  running.child.kill('SIGKILL')
  await running.ended
  expect(existsSync(join(folder, 'whole'))).toBe(false)

  const ranges: (string | undefined)[] = []
  hub.lie = (request) => {
    if (request.headers.host?.endsWith(new URL(hub.store).port)) ranges.push(request.headers.range)
    return false
  }
  const run = await sluice(project, ['run'])
  expect(run.code, run.stderr).toBe(0)
  expect(ranges).toEqual([`bytes=${String(half)}-`])
}, 180_000)

test('lock --update moves to the newest commit, and plan says what that would run again', async () => {
  const first = hub.publish('org/moves', model)
  const project = onHub('hf:org/moves')
  expect((await sluice(project, ['run'])).code).toBe(0)
  expect((await sluice(project, ['lock', '--update'])).stdout).toContain(`still at ${first.slice(0, 8)}`)

  const config = { ...(JSON.parse(String(model['config.json'])) as object), max_position_embeddings: 4096 }
  const second = hub.publish('org/moves', { ...model, 'config.json': Buffer.from(JSON.stringify(config)) })
  expect((await sluice(project, ['run'])).stdout).toContain('everything cached')
  expect(project.read(LOCK)).toContain(first)
  const moved = await sluice(project, ['lock', '--update', 'model'])
  expect(moved.code, moved.stderr).toBe(0)
  expect(moved.stdout).toContain(`model  hf:org/moves  ${first.slice(0, 8)} → ${second.slice(0, 8)}`)
  expect(project.read(LOCK)).toContain(second)
  const plan = await sluice(project, ['plan'])
  expect(plan.stdout).toMatch(/● eval +RUN +the content of model changed/)
  expect(plan.stdout).toContain(`hf:org/moves at ${second.slice(0, 8)}`)
  expect((await sluice(project, ['lock', '--check'])).code).toBe(10)

  // What a lock pins is nothing to a pipeline without one: it asks for itself.
  rmSync(join(project.root, '.sluice/hub'), { recursive: true })
  const smoke = await sluice(project, ['run', '--smoke'])
  expect(smoke.code, smoke.stderr).toBe(0)
  expect(existsSync(join(project.root, '.sluice/hub/models--org--moves', second, 'small'))).toBe(true)
  expect(existsSync(join(project.root, '.sluice/hub/models--org--moves/refs'))).toBe(false)

  const wrong = await sluice(project, ['lock', '--update', 'data'])
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain('data is no model on a hub')
}, 180_000)

test('lock --update leaves what a run has written while the hub was asked', async () => {
  hub.publish('org/meets', model)
  const project = onHub('hf:org/meets')
  expect((await sluice(project, ['run'])).code).toBe(0)
  const config = { ...(JSON.parse(String(model['config.json'])) as object), max_position_embeddings: 512 }
  const second = hub.publish('org/meets', { ...model, 'config.json': Buffer.from(JSON.stringify(config)) })
  const others = join(project.root, '.sluice')
  // A run that is about to end: it has the right to the lock, and writes its fact after the hub has answered.
  await visit(others, 'sluice run', async (rights) => {
    const right = await rights.take('out-tiny', () => undefined, AbortSignal.timeout(60_000))
    const updating = start(project, ['lock', '--update'])
    await updating.says('stderr', /is writing the lock; waiting/)
    expect(project.read(LOCK)).not.toContain(second)
    project.edit('stages:\n', 'stages:\n  newly:\n    key: "of the run"\n', LOCK)
    right.release()
    const { code, stderr } = await updating.ended
    expect(code, stderr).toBe(0)
  })
  expect(project.read(LOCK)).toContain('key: "of the run"')
  expect(project.read(LOCK)).toContain(second)
}, 180_000)

test('a rehearsal needs configuration and tokenizer only', async () => {
  const project = onHub()
  const smoke = await sluice(project, ['run', '--smoke'])
  expect(smoke.code, smoke.stderr).toBe(0)
  expect(smoke.stdout).toContain('rehearsal:')
  expect(hub.asked.some((each) => each.startsWith('store'))).toBe(false)
}, 120_000)
