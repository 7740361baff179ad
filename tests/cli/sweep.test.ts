/** A sweep by hand: trials, the choice, significance, conditions, notifications and the rehearsal, with real training. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshProject, launch, projectWithModel, trainedProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

/** The tiny project with two trials in place of its one training. */
function swept(project: Project): Project {
  project.edit(
    'split -> tokenize -> lora-train -> eval -> gate',
    'split -> tokenize -> lora-train -> score -> pick -> eval -> gate',
  )
  project.edit(
    '      epochs: 1\n      lr: =params.rate\n',
    '      epochs: 1\n      lr: =params.rate * matrix.times\n      r: =matrix.r\n    matrix: { r: [2, 4], times: [1], max_parallel: 1 }\n',
  )
  project.edit(
    '  eval:\n',
    `  score: { uses: eval, with: { metrics: [perplexity], split: validation, max_new_tokens: 4 } }
  pick: { uses: select, with: { by: best perplexity, tie: smallest r } }
  eval:
`,
  )
  return project
}

describe('a sweep', () => {
  test('trains every point, hands the winner on, and is cached the next time', async () => {
    const project = swept(await trainedProject())
    const plan = await project.sluice('plan')
    expect(plan.stdout).toMatch(/lora-train\[r=2,times=1\] +RUN/)
    expect(plan.stdout).toMatch(/pick +chooses when every trial is measured/)
    const run = await project.sluice('run')
    expect(run.code, run.stderr).toBe(0)
    expect(run.stderr).toMatch(/pick +chose +r=[24],times=1/)
    const winner = /chose +(?<point>r=[24],times=1)/.exec(run.stderr)?.groups?.['point'] ?? ''
    const adapter = (stage: string) =>
      project.read(`.sluice/out/tiny/${stage}/adapter/adapter_model.safetensors`)
    expect(adapter('pick')).toBe(adapter(`lora-train[${winner}]`))
    const again = await project.sluice('run')
    expect(again.stdout).toContain('everything cached')
    expect((await project.sluice('plan')).stdout).toMatch(new RegExp(`pick +chooses ${winner}`))
    expect(await project.sluice('why', 'lora-train[r=2,times=1]')).toMatchObject({ code: 0 })
    for (const verb of ['show', 'logs', 'why']) {
      const { code, stderr } = await project.sluice(verb, 'lora-train')
      expect(code).toBe(2)
      expect(stderr).toContain(
        "'lora-train' stands for several: lora-train[r=2,times=1] lora-train[r=4,times=1]",
      )
    }
    expect(project.read('pipelines/tiny.pipeline.lock')).toContain('lora-train[r=4,times=1]')
  })

  test('rehearsed first, in seconds and apart from everything real', async () => {
    const project = swept(freshProject())
    project.edit('tie: smallest r', 'tie: smallest r, where: perplexity <= 1') // No untrained model gets there.
    const smoke = await project.sluice('run', '--smoke')
    expect(smoke.code, smoke.stderr).toBe(0)
    expect(smoke.stdout).toMatch(/^rehearsal: \d+ stages work/)
    expect(existsSync(join(project.root, 'pipelines/tiny.pipeline.lock'))).toBe(false)
    expect(existsSync(join(project.root, '.sluice/out/tiny'))).toBe(false)
  })

  test('a model from outside is rehearsed with a tiny twin', async () => {
    const project = await projectWithModel()
    const smoke = await project.sluice('run', '--smoke', '--json')
    expect(smoke.code, smoke.stderr).toBe(0)
    const { stages } = JSON.parse(smoke.stdout) as { stages: readonly { name: string; status: string }[] }
    expect(stages).toContainEqual(expect.objectContaining({ name: 'shrink-model', status: 'done' }))
  })

  test('a stage that cannot work is found by the rehearsal', async () => {
    const project = freshProject()
    project.write('data/rows.jsonl', 'no JSON\n')
    const smoke = await project.sluice('run', '--smoke')
    expect(smoke.code).toBe(1)
    expect(smoke.stderr).toContain('clean failed')
  })
})

describe('checks', () => {
  test('with p: the verdict shows p, the rows and what they could have shown', async () => {
    const project = await trainedProject()
    project.edit('  gate:\n', '  gate:\n    baseline: untuned\n')
    project.edit('- perplexity <= 100000', '- perplexity < baseline.perplexity * 3 with p < 0.05')
    const run = await project.sluice('run')
    expect(run.code, run.stdout + run.stderr).toBe(0)
    expect(run.stdout).toMatch(/p = [\d.e-]+, \d+ rows drawn again, could see/)
    const gate = await project.sluice('gate', '--json')
    expect(gate.stdout).toContain('"draws": 2000')
  })

  test('facts, sizes and budgets are judged like metrics', async () => {
    const project = await trainedProject()
    project.edit(
      '      - perplexity <= 100000\n',
      '      - data.rows >= 24\n      - data.truncated <= 0\n      - train.steps >= 1\n      - size(adapter) <= 10MB\n    budget: [total.duration <= 10m, total.gpu_time <= 0s]\n',
    )
    const run = await project.sluice('run')
    expect(run.code, run.stdout + run.stderr).toBe(0)
    project.edit('total.duration <= 10m', 'total.duration <= 1ms')
    const strict = await project.sluice('run')
    expect(strict.code).toBe(3)
    expect(strict.stdout).toMatch(/✗ total\.duration <= 1ms/)
  })
})

describe('what a run tells others', () => {
  test('a webhook gets the verdict; one that fails is a warning and changes nothing', async () => {
    const project = await trainedProject()
    project.write('tell.sh', 'cat > told.json\n')
    project.edit(
      'stages:\n',
      'notify:\n  - { on: [gate.passed], webhook: env:HOOK }\n  - { on: [gate.passed], run: sh tell.sh }\n  - { on: [run.failed], run: exit 9 }\nstages:\n',
    )
    const bodies: string[] = []
    const server = createServer((request, response) => {
      request.setEncoding('utf8').on('data', (text: string) => bodies.push(text))
      request.on('end', () => response.writeHead(bodies.length === 1 ? 204 : 500).end())
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`
    const run = await launch(project.root, ['run'], [], { HOOK: url }).ended
    expect(run.code, run.stderr).toBe(0)
    expect(JSON.parse(bodies[0] ?? '')).toMatchObject({
      pipeline: 'tiny',
      exitCode: 0,
      events: ['gate.passed'],
    })
    const refused = await launch(project.root, ['run'], [], { HOOK: url }).ended
    expect(refused.code).toBe(0)
    expect(refused.stderr).toContain('warning: notify: HOOK answered 500')
    expect(refused.stderr).not.toContain(url)
    server.close()
    expect(JSON.parse(project.read('told.json'))).toMatchObject({ gates: { gate: 'pass' } })
  })

  test('a claim above what the machine has ends with exit 6 before anything runs', async () => {
    const project = freshProject()
    project.edit('  lora-train:\n', '  lora-train:\n    resources: { memory: 900TB }\n')
    const run = await project.sluice('run')
    expect(run.code).toBe(6)
    expect(run.stderr).toContain('lora-train claims memory')
    expect(existsSync(join(project.root, '.sluice/runs'))).toBe(false)
  })
})
