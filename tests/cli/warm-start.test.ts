/** A second training that starts from the first one's weights, where the file says so. */
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { trainedProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

const FIRST = '  lora-train:\n    with:\n      epochs: 1\n      lr: =params.rate\n'
const more = (options: string, inputs = '{ warm_start: lora-train.adapter }') =>
  `  more:\n    uses: lora-train\n    inputs: ${inputs}\n    with: { epochs: 1${options} }\n`

/** The tiny project with a second training between the first and the evaluation. */
async function projectWith(text: string): Promise<Project> {
  const project = await trainedProject()
  project.edit('lora-train -> eval', 'lora-train -> more -> eval')
  project.edit(FIRST, `${FIRST}${text}`)
  return project
}

async function inputsOf(project: Project): Promise<Readonly<Record<string, unknown>>> {
  const { stdout } = await project.sluice('show', 'more', '--json')
  return (JSON.parse(stdout) as { inputs: Record<string, unknown> }).inputs
}

test('the second training reads the adapter of the first, and only because it says so', async () => {
  const project = await projectWith(more(''))
  const { code, stdout, stderr } = await project.sluice('run')
  expect(code, stderr).toBe(0)
  expect(stdout).toMatch(/[23] ran, /)
  expect(await inputsOf(project)).toMatchObject({ warm_start: { stage: 'lora-train', port: 'adapter' } })
  const first = (stage: string) =>
    JSON.parse(
      readFileSync(join(project.root, `.sluice/out/tiny/${stage}/training/metrics.jsonl`), 'utf8').split(
        '\n',
      )[0]!,
    ) as { loss: number }
  expect(first('more').loss).toBeLessThan(first('lora-train').loss)
  // The adapter counts by content: another first training is another second one.
  project.edit('rate: 1e-3', 'rate: 2e-3')
  const plan = await project.sluice('plan')
  expect(plan.stdout).toMatch(/more +RUN +warm_start will be made anew by lora-train/)
  const smoke = await project.sluice('run', '--smoke')
  expect(smoke.code, smoke.stderr).toBe(0)

  const plain = await projectWith(more('', '{ tokens: tokenize.tokens }'))
  expect(await inputsOf(plain)).not.toHaveProperty('warm_start')
})

test('an adapter that does not fit is refused before anything is trained', async () => {
  const project = await projectWith(more(', r: 4'))
  const { code, stderr } = await project.sluice('run')
  expect(code).toBe(1)
  expect(stderr).toContain('The adapter of warm_start does not fit this stage: it has r 8, not 4.')
  expect(stderr).toContain('Write its values under with: (r: 8), or leave warm_start out.')
})

test('what is no adapter is a mistake of the file', async () => {
  const project = await projectWith(more('', '{ warm_start: tokenize.tokens }'))
  const { code, stderr } = await project.sluice('validate')
  expect(code).toBe(2)
  expect(stderr).toMatch(/adapter/)
})

test('pretraining goes on with a model from outside and its tokenizer; a rehearsal does without', async () => {
  const project = await trainedProject()
  const model = '.sluice/out/tiny/pretrain/model'
  const fileOf = (path: string) => readFileSync(join(project.root, path))
  const before = fileOf(`${model}/model.safetensors`)
  cpSync(join(project.root, model), join(project.root, 'mine'), { recursive: true, dereference: true })
  project.edit('sources:\n', 'sources:\n  mine: { type: model, from: mine/* }\n')
  project.edit('  pretrain:\n', '  pretrain:\n    inputs: { warm_start: sources.mine }\n')
  const smoke = await project.sluice('run', '--smoke')
  expect(smoke.code, smoke.stderr).toBe(0)
  const { code, stderr } = await project.sluice('run')
  expect(code, stderr).toBe(0)
  expect(fileOf(`${model}/model.safetensors`).equals(before)).toBe(false)
  expect(fileOf(`${model}/tokenizer.json`).equals(fileOf('mine/tokenizer.json'))).toBe(true)
  project.edit('hidden: 32,', 'hidden: 64,')
  const refused = await project.sluice('run')
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain(
    'The model of warm_start does not fit this stage: it has hidden 32, not 64.',
  )
})
