/** The newcomer's way: init, validate, plan, run, change something, raise the bar. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ADAPTER, FILE, LOCK, emptyProject, freshProject, trainedProject } from './newcomer.ts'

describe('the first steps', () => {
  test('init writes a pipeline that validates, plans, and is not overwritten', async () => {
    const project = emptyProject()
    const wrote = await project.sluice('init', 'mine')
    expect(wrote).toMatchObject({ code: 0, stderr: '' })
    expect(wrote.stdout).toContain('next: sluice run -f pipelines/mine.pipeline.yaml')
    expect(project.read('.gitignore')).toBe('.sluice/\nsluice.local.yaml\n')
    expect(await project.sluice('validate')).toMatchObject({ code: 0, stderr: '' })
    const plan = await project.sluice('plan')
    expect(plan.code).toBe(0)
    expect(plan.stdout).toContain('7 of 7 stages will run')
    expect(await project.sluice('plan', '--check')).toMatchObject({ code: 10 })
    const again = await project.sluice('init', 'mine')
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('exist already')
  })

  test('a run trains and judges; the next one finds everything done', async () => {
    const project = freshProject()
    const first = await project.sluice('run')
    expect(first.code, first.stderr).toBe(0)
    expect(first.stdout).toMatch(/gate {3}PASS/)
    expect(first.stdout).toContain('6 ran, 0 cached')
    expect(existsSync(join(project.root, ADAPTER))).toBe(true)
    const second = await project.sluice('run')
    expect(second.code).toBe(0)
    expect(second.stdout).toContain('everything cached')
    expect(second.stdout).toMatch(/gate {3}PASS/)
    expect(await project.sluice('plan', '--check')).toMatchObject({ code: 0 })
  })

  test('a changed option is named with its file and line, and only what reads it runs', async () => {
    const project = await trainedProject()
    const before = project.read(ADAPTER)
    project.edit('lr: =params.rate', 'lr: 5e-3')
    const line =
      project
        .read(FILE)
        .split('\n')
        .findIndex((text) => text.includes('lr: 5e-3')) + 1
    const plan = await project.sluice('plan')
    expect(plan.stdout).toContain('2 of 6 stages will run')
    expect(plan.stdout).toMatch(new RegExp(`with\\.lr {2}0\\.001 → 0\\.005 +${FILE}:${String(line)}`))
    const ran = await project.sluice('run')
    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stdout).toContain('2 ran, 4 cached')
    expect(project.read(ADAPTER)).not.toBe(before)
  })

  test('a raised bar judges again without running, and fails with exit 3', async () => {
    const project = await trainedProject()
    project.edit('perplexity <= 100000', 'perplexity <= 1.01')
    const run = await project.sluice('run')
    expect(run.code).toBe(3)
    expect(run.stdout).toContain('everything cached')
    expect(run.stdout).toMatch(/✗ perplexity <= 1\.01 +[\d.]+ +> +1\.010 +short by [\d.]+ +pipelines/)
    expect(await project.sluice('gate')).toMatchObject({ code: 3 })
  })
})

describe('the lock file', () => {
  test('is not written with a parameter from the command line, nor for chosen stages', async () => {
    const project = await trainedProject()
    rmSync(join(project.root, LOCK))
    const overridden = await project.sluice('run', '-p', 'rate=2e-3')
    expect(overridden.code, overridden.stderr).toBe(0)
    expect(overridden.stdout).toContain('2 ran')
    expect((await project.sluice('run', 'clean')).code).toBe(0)
    expect(existsSync(join(project.root, LOCK))).toBe(false)
    expect((await project.sluice('run')).code).toBe(0)
    expect(project.read(LOCK)).toContain('lock: 1')
  })

  test('with conflict markers ends with exit 2, the file and the line', async () => {
    const project = await trainedProject()
    const lines = project.read(LOCK).split('\n')
    project.write(LOCK, [...lines.slice(0, 4), '<<<<<<< HEAD', ...lines.slice(4)].join('\n'))
    for (const verb of ['run', 'plan']) {
      const { code, stderr } = await project.sluice(verb)
      expect(code).toBe(2)
      expect(stderr).toMatch(/^error E303: .*\n +--> pipelines\/tiny\.pipeline\.lock:5:1/)
      expect(stderr).toContain('sluice lock --resolve')
    }
  })
})

describe('for programs', () => {
  test('--json of every command is one JSON document', async () => {
    const project = await trainedProject()
    const commands = [
      ['run'], ['plan'], ['why', 'eval'], ['validate'], ['gate'], ['graph'], ['show', 'eval'], ['metrics'],
    ] // prettier-ignore
    for (const command of commands) {
      const { code, stdout } = await project.sluice(...command, '--json')
      expect(code, command.join(' ')).toBe(0)
      expect(() => void JSON.parse(stdout), command.join(' ')).not.toThrow()
    }
    project.edit('flow:', 'flwo:')
    const { code, stdout } = await project.sluice('validate', '--json')
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject([{ code: 'E003', file: FILE, range: { start: { line: 8 } } }])
  })

  test('--events ndjson prints the whole run, one event a line, and nothing else', async () => {
    const project = await trainedProject()
    const { stdout } = await project.sluice('run', '--events', 'ndjson', '--force', 'eval')
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i))
    expect(events[0]).toMatchObject({ type: 'run.start', pipeline: 'tiny' })
    expect(events).toContainEqual(expect.objectContaining({ type: 'stage.done', stage: 'eval' }))
    expect(events).toContainEqual(expect.objectContaining({ type: 'gate.verdict' }))
    expect(events.at(-1)).toMatchObject({ type: 'run.done', exitCode: 0 })
  })
})
