/** A run that is killed, stopped or has to wait: the exit code says so, and the next run goes on. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ADAPTER, launch, trainedProject } from './newcomer.ts'
import type { Project, Running } from './newcomer.ts'

const LONG = 'steps: 1000000,'
const SHORT = 'steps: 10,'
const TRAINING = /"type":"progress","stage":"pretrain","op":"pretrain"/

/** A run that is in the middle of pretraining, for minutes if nobody stops it. */
async function longRun(project: Project): Promise<Running> {
  project.edit(SHORT, LONG)
  const running = project.start('run', '--events', 'ndjson')
  await running.says('stdout', TRAINING)
  return running
}

async function everythingIsStillThere(project: Project): Promise<void> {
  project.edit(LONG, SHORT)
  const { code, stdout, stderr } = await project.sluice('run')
  expect(code, stderr).toBe(0)
  expect(stdout).toContain('everything cached')
  expect(readFileSync(join(project.root, ADAPTER)).length).toBeGreaterThan(0)
  expect(readdirSync(join(project.root, '.sluice/staging'))).toEqual([])
  expect(readdirSync(join(project.root, '.sluice/locks'))).toEqual([])
}

/** Worker processes of a run: its children whose program is the kernel worker. */
function kernelWorkersOf(parent: number | undefined): readonly number[] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return numbers.flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const [, father] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const program = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      return Number(father) === parent && program.includes('workers/onnx/') ? [Number(pid)] : []
    } catch {
      return [] // It ended while we looked.
    }
  })
}

describe.skipIf(process.platform !== 'linux')('a run', () => {
  test('whose worker is killed ends with exit 6', async () => {
    const project = await trainedProject()
    const running = await longRun(project)
    const [worker, ...others] = kernelWorkersOf(running.child.pid)
    expect(others).toEqual([])
    process.kill(worker ?? Number.NaN, 'SIGKILL')
    const { code, stdout } = await running.ended
    expect(code).toBe(6)
    const failed = stdout.split('\n').find((line) => line.includes('"stage.failed"')) ?? '{}'
    expect(JSON.parse(failed)).toMatchObject({ stage: 'pretrain', cause: 'worker-lost' })
    expect(failed).toContain('SIGKILL')
    await everythingIsStillThere(project)
  })

  test('that is interrupted ends with exit 130', async () => {
    const project = await trainedProject()
    const running = await longRun(project)
    running.child.kill('SIGINT')
    const { code, stderr } = await running.ended
    expect(code).toBe(130)
    expect(stderr).toContain('stopping; finished stages stay cached')
    expect((await project.sluice('plan')).stdout).toMatch(
      /RUN .*; training goes on from its checkpoint of step \d+/,
    )
    expect((await project.sluice('why', 'pretrain')).stdout).toMatch(
      /goes on from its checkpoint of step \d+\n/,
    )
    await everythingIsStillThere(project)
  })

  test('waits for what another run makes and names it; what is cached is not held up', async () => {
    const project = await trainedProject()
    const first = await longRun(project)
    const second = project.start('run')
    const holder = `process ${String(first.child.pid)} on .* \\(sluice run --events ndjson\\)`
    await second.says('stderr', new RegExp(`pretrain +waits .* by ${holder}`))
    project.edit(LONG, SHORT)
    const { code, stdout } = await project.sluice('run')
    expect(code).toBe(0)
    expect(stdout).toContain('everything cached')
    project.edit(SHORT, LONG)
    second.child.kill('SIGINT')
    expect((await second.ended).code).toBe(130)
    first.child.kill('SIGINT')
    expect((await first.ended).code).toBe(130)
    await everythingIsStillThere(project)
  })

  /** Long enough to be in the middle of when it has kept something, short enough to be finished. */
  const SOME = 'steps: 300,'
  const EVENTS = ['run', '--events', 'ndjson'] as const
  const base = (project: Project) =>
    readFileSync(join(project.root, '.sluice/out/tiny/pretrain/model/model.safetensors'))
  const step = (type: string, stdout: string) =>
    Number(new RegExp(`"type":"stage.${type}","stage":"pretrain","step":(\\d+)`).exec(stdout)?.[1])

  test.each([
    ['killed', 'SIGKILL', null],
    ['interrupted', 'SIGINT', 130],
    ['terminated', 'SIGTERM', 143],
  ] as const)('that is %s in training goes on from its checkpoint', async (_, signal, exitCode) => {
    const project = await trainedProject()
    project.edit(SHORT, SOME)
    const soon = { SLUICE_CHECKPOINT_EVERY: '1ms' }
    const first = launch(project.root, EVENTS, [], soon)
    await first.says('stdout', /"type":"stage.checkpoint","stage":"pretrain"/)
    first.child.kill(signal)
    const { code, stdout: before } = await first.ended
    expect(code).toBe(exitCode)
    expect(before).not.toContain('"type":"stage.done","stage":"pretrain"')

    const second = await project.sluice(...EVENTS)
    expect(second.code, second.stderr).toBe(0)
    expect(step('resumed', second.stdout)).toBeGreaterThanOrEqual(step('checkpoint', before))
    expect((await project.sluice('show', 'pretrain')).stdout).toMatch(/made +from step \d+ on/)
    expect(readdirSync(join(project.root, '.sluice/checkpoints'))).toEqual([])

    const whole = await trainedProject()
    whole.edit(SHORT, SOME)
    expect((await whole.sluice('run')).code).toBe(0)
    expect(base(project).equals(base(whole))).toBe(true)
  })

  test('wants a time that can be read between two checkpoints', async () => {
    const project = await trainedProject()
    const { code, stderr } = await launch(project.root, ['run'], [], { SLUICE_CHECKPOINT_EVERY: 'often' })
      .ended
    expect(code).toBe(2)
    expect(stderr).toContain("SLUICE_CHECKPOINT_EVERY is a time such as 30s or 5m, not 'often'")
  })

  test('at a failpoint that does not exist is refused with the list', async () => {
    const project = await trainedProject()
    const { code, stderr } = await launch(project.root, ['run'], [], { SLUICE_FAILPOINT: 'nowhere' }).ended
    expect(code).toBe(2)
    expect(stderr).toContain('record-written')
  })
})
