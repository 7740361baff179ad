/** Heavy steps go to the worker that the file names; whether that can work is said before anything runs. */
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LOCK, trainedProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

const WORKER = join(import.meta.dirname, '../support/merge-worker.mjs')
const GPU = '{ run: node tools/merge-worker.mjs --device cuda, capabilities: [merge] }'

/** The tiny project with a merge before its eval, done by a worker in `tools/`. */
async function withWorker(worker = GPU, stage = '{ worker: mine }'): Promise<Project> {
  const project = await trainedProject()
  cpSync(WORKER, join(project.root, 'tools/merge-worker.mjs'))
  project.edit('lora-train -> eval', 'lora-train -> merge -> eval')
  project.edit('stages:\n', `workers:\n  mine: ${worker}\nstages:\n  merge: ${stage}\n`)
  return project
}

async function shown(project: Project): Promise<{ key: string; summary: object; provenance: object }> {
  const { stdout } = await project.sluice('show', 'merge', '--json')
  return (JSON.parse(stdout) as { result: { key: string; summary: object; provenance: object } }).result
}

test('a worker of others does the heavy step, and what it made measures as ours does', async () => {
  const project = await withWorker()
  const { code, stdout, stderr } = await project.sluice('run', '--json')
  expect(code, stderr).toBe(0)
  const theirs = await shown(project)
  expect(theirs.summary).toMatchObject({ by: 'merge-worker', merged: 7 })
  expect(theirs.provenance).toMatchObject({ worker: 'mine' })
  const perplexity = (text: string) =>
    (JSON.parse(text) as { metrics: { eval: { metrics: { perplexity: { value: number } } } } }).metrics.eval
      .metrics.perplexity.value
  const measured = perplexity(stdout)
  expect(measured).toBeGreaterThan(1)

  project.edit('// A worker of', '// The worker of', 'tools/merge-worker.mjs')
  expect((await project.sluice('plan')).stdout).toMatch(/merge +RUN +worker mine changed: its command, /)
  project.edit('// The worker of', '// A worker of', 'tools/merge-worker.mjs')
  // The worker counts by its command and the files that it names, not by its name.
  project.edit('  mine: {', '  other: {')
  project.edit('{ worker: mine }', '{ worker: other }')
  expect((await project.sluice('plan', '--check')).code).toBe(0)
  project.edit('--device cuda', '--device cpu')
  expect((await project.sluice('plan', '--check')).code).toBe(10)
  project.edit('capabilities: [merge]', 'capabilities: [merge], version: 2')
  project.edit('--device cpu', '--device cuda')
  expect((await project.sluice('plan', '--check')).code).toBe(10)

  // Without it the step is done by ours again, under another key.
  project.edit('{ worker: other }', '{ worker: none }')
  const { stdout: why } = await project.sluice('why', 'merge')
  expect(why).toContain('will run: worker: mine → none\n')
  expect(why).not.toContain('onnxruntime')
  expect((await project.sluice('lock', '--check')).stdout).toContain('worker: another one → none')
  const ours = await project.sluice('run', '--json')
  expect(ours.code, ours.stderr).toBe(0)
  expect((await shown(project)).key).not.toBe(theirs.key)
  expect((await shown(project)).summary).not.toHaveProperty('by')
  expect(perplexity(ours.stdout) / measured).toBeCloseTo(1, 5)
})

test('under defaults a worker takes what it can do, and the rest stays', async () => {
  const project = await withWorker(GPU, '{}')
  project.edit('stages:\n', 'defaults: { worker: mine }\nstages:\n')
  const { code, stderr } = await project.sluice('run')
  expect(code, stderr).toBe(0)
  expect(await shown(project)).toMatchObject({ summary: { by: 'merge-worker' } })
  // The training was done before there was a worker, and it still is what it was.
  expect(stderr).toMatch(/lora-train +cached/)
  const smoke = await project.sluice('run', '--smoke')
  expect(smoke.code, smoke.stderr).toBe(0)
})

test('this machine may start it otherwise; that is in no key', async () => {
  const project = await withWorker('{ run: sluice-no-such-command x, capabilities: [merge] }')
  const lost = await project.sluice('run')
  expect(lost.code).toBe(6)
  expect(lost.stderr).toContain('merge needs the worker mine, and its command is not on this machine')
  expect(lost.stderr).toContain('say in sluice.local.yaml how it starts here: workers: { mine: { run: … } }')
  expect(lost.stderr).not.toContain('cached')
  expect((await project.sluice('validate')).code).toBe(0)
  project.write('sluice.local.yaml', 'workers: { mine: { run: node tools/merge-worker.mjs } }\n')
  const { code, stderr } = await project.sluice('run')
  expect(code, stderr).toBe(0)
  const lock = project.read(LOCK)
  project.write('sluice.local.yaml', 'workers: { mine: { run: node ./tools/merge-worker.mjs --fast } }\n')
  expect((await project.sluice('plan', '--check')).code).toBe(0)
  expect((await project.sluice('run')).stdout).toContain('everything cached')
  expect(project.read(LOCK)).toBe(lock)
  // What is done needs no command.
  project.write('sluice.local.yaml', '')
  expect((await project.sluice('run')).code).toBe(0)
  project.write('sluice.local.yaml', 'workers: { mine: { rum: node } }\n')
  const typo = await project.sluice('run')
  expect(typo.code).toBe(2)
  expect(typo.stderr).toMatch(/'rum' is not a worker key[^]*sluice\.local\.yaml:1/)
})

test('what cannot work is said before anything runs', async () => {
  const project = await withWorker(GPU, '{ worker: mien }')
  const before = existsSync(join(project.root, '.sluice/runs'))
  expect(before).toBe(true)
  for (const [from, to, words] of [
    ['worker: mien', 'worker: mien', "did you mean 'mine'?"],
    ['worker: mien', 'worker: mine', null],
    ['  split:\n', '  eval2: { uses: eval, worker: mine }\n  split:\n', "'eval2' needs score, generate"],
    [GPU, '{ connect: https://gpu:1 }', "'connect' is not supported yet"],
  ] as const) {
    project.edit(from, to)
    const { code, stderr, stdout } = await project.sluice('validate')
    expect(code).toBe(words === null ? 0 : 2)
    if (words !== null) expect(stdout + stderr).toContain(words)
  }
})

test('a worker that says itself that it cannot do it fails the stage in words', async () => {
  const project = await withWorker()
  const source = readFileSync(WORKER, 'utf8').replace("?? 'merge'", "?? 'other'")
  project.write('tools/merge-worker.mjs', source)
  const { code, stderr } = await project.sluice('run')
  expect(code).toBe(1)
  expect(stderr).toContain('the worker says that it cannot do merge; it can do other')
})

test('doctor and logs say what became of a worker that lacks, is not there or dies', async () => {
  const project = await withWorker()
  const source = readFileSync(WORKER, 'utf8')
  project.write('tools/merge-worker.mjs', source.replace("?? 'merge'", "?? 'other'"))
  const lacking = await project.sluice('doctor')
  expect(lacking.code).toBe(6)
  expect(lacking.stdout).toMatch(/✗ worker mine +the file says that it can do merge; its ready names other\n/)
  project.write('sluice.local.yaml', 'workers: { mine: { run: no-such-program } }\n')
  expect((await project.sluice('doctor')).stdout).toContain(
    'the worker cannot start: there is no program no-such-program on this machine',
  )
  project.write('sluice.local.yaml', '')
  project.write(
    'tools/merge-worker.mjs',
    source
      .replace("message.type === 'job'", "message.type === 'job' && crash()")
      .concat('\nfunction crash() { throw new RangeError("no such tensor") }\n'),
  )
  const died = await project.sluice('run')
  expect(died.code).toBe(6)
  expect(died.stderr).toContain('ended with exit code 1; the last it printed: RangeError: no such tensor')
  expect(died.stderr).not.toContain('out of memory')
  project.write('tools/merge-worker.mjs', 'throw new Error("no such library")\n')
  expect((await project.sluice('run')).code).toBe(6)
  expect((await project.sluice('logs', 'merge')).stdout).toContain('no such library')
  expect((await project.sluice('logs', 'gate')).stderr).toContain('prints nothing: sluice gate shows')
}, 120_000)
