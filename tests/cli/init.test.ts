/** `init`: its questions, its templates, and what becomes of the files of other tools. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { askAll, defaults, mayAsk } from '../../cli/init/ask.ts'
import type { World } from '../../cli/init/ask.ts'
import { templateText, TEMPLATES } from '../../cli/init/templates.ts'
import { emptyProject } from './newcomer.ts'

const nobody = { template: null, name: null }
const world: World = {
  wrongName: (name) => (name === 'my-model' || name === 'support' ? null : `not ${name}`),
  countFiles: (pattern) => Promise.resolve(pattern === 'rows/*.jsonl' ? 2 : 0),
}

/** Answers one question after the other, and keeps what was asked. */
function answering(...answers: readonly string[]) {
  const asked: string[] = []
  return { asked, ask: (question: string) => Promise.resolve(answers[asked.push(question) - 1] ?? '') }
}

describe('questions', () => {
  const tty = { isTTY: true }
  const command = (flags: Readonly<Record<string, boolean>>) => ({ verb: 'init', args: [], flags })
  test.each([
    ['on a terminal', {}, tty, tty, {}, true],
    ['with --yes', { yes: true }, tty, tty, {}, false],
    ['with --no-input', { 'no-input': true }, tty, tty, {}, false],
    ['in CI', {}, tty, tty, { CI: 'true' }, false],
    ['fed by a pipe', {}, {}, tty, {}, false],
    ['read by a pipe', {}, tty, {}, {}, false],
  ])('%s', (_, flags, stdin, stdout, env, asks) => {
    expect(mayAsk(command(flags), { stdin, stdout, env })).toBe(asks)
  })

  test('Enter takes every default, the same as --yes', async () => {
    const { ask, asked } = answering()
    expect(await askAll(nobody, ask, world)).toEqual(defaults(nobody))
    expect(asked).toHaveLength(4)
  })

  test('what cannot be is asked again with the reason; what was said is not asked', async () => {
    const typed = ['9', '2', 'My Model', 'my-model', 'none.jsonl', 'rows/*.jsonl', 'models/base/']
    const { ask, asked } = answering(...typed)
    expect(await askAll(nobody, ask, world)).toMatchObject({
      template: { name: 'support-zh' },
      name: 'my-model',
      data: 'rows/*.jsonl',
      model: 'models/base/*',
    })
    expect(asked[1]).toContain('9 is none of them')
    expect(asked[3]).toContain('not My Model')
    expect(asked[5]).toContain('there is no file none.jsonl')
    const said = { template: defaults(nobody).template, name: 'mine' }
    const few = answering('', 'hf:org/model')
    expect(await askAll(said, few.ask, world)).toMatchObject({
      name: 'mine',
      data: null,
      model: 'hf:org/model',
    })
    expect(few.asked).toHaveLength(2)
  })
})

describe('templates', () => {
  test.each(TEMPLATES.map(({ name }) => name))('%s validates without a warning and plans', async (name) => {
    const project = emptyProject()
    expect((await project.sluice('init', '--template', name)).code).toBe(0)
    expect(await project.sluice('validate', '--strict')).toMatchObject({ code: 0, stderr: '' })
    expect((await project.sluice('plan')).stdout).toContain('stages will run')
    const template = TEMPLATES.find((each) => each.name === name)
    if (template === undefined) throw new Error('a template has gone')
    const own = { data: 'rows/*.jsonl', model: 'models/base/*' }
    project.write(`pipelines/${name}.pipeline.yaml`, templateText(template, name, 'schema.json', own))
    expect(await project.sluice('validate', '--strict')).toMatchObject({ code: 0, stderr: '' })
  })

  test('a misspelt one is named', async () => {
    const { code, stderr } = await emptyProject().sluice('init', '--template', 'supprot')
    expect([code, stderr]).toEqual([2, expect.stringContaining('help: support, support-zh, sweep')])
  })
})

describe('files of other tools', () => {
  const fixture = (name: string) =>
    readFileSync(join(import.meta.dirname, '../fixtures/other-tools', name), 'utf8')

  test('what has a counterpart is carried over, the rest is named with the reason', async () => {
    const project = emptyProject()
    project.write('axolotl.yml', fixture('axolotl.yml'))
    project.write('data/answers.jsonl', '{"instruction":"a","output":"b"}\n')
    const wrote = await project.sluice('init', '--from', 'axolotl.yml')
    expect(wrote).toMatchObject({ code: 0, stderr: '' })
    expect(wrote.stdout).toContain('added  sluice.local.yaml to .gitignore\n')
    expect(wrote.stdout).toContain('added  pipelines/*.pipeline.lock to .gitattributes\n')
    expect(project.read('.gitignore')).toBe('.sluice/\nsluice.local.yaml\n')
    expect(await project.sluice('validate', '--strict')).toMatchObject({ code: 0, stderr: '' })
    const text = project.read('pipelines/axolotl.pipeline.yaml')
    expect(text).toContain('model: "hf:example-org/tiny-llama"\ndata: "data/answers.jsonl"\n')
    expect(text).toContain('{ train: 80%, validation: 5%, test: 15% }')
    expect(text).toContain('{ max_length: 1024, loss_on: "response" }')
    expect(text).toContain(
      '{ r: 32, alpha: 16, dropout: 0.05, target: "all-linear", grad_accum: 4, batch_size: 2, epochs: 4, schedule: "cosine", lr: 0.0002, weight_decay: 0 }',
    )
    const left = [...wrote.stdout.matchAll(/^ {2}(\w+): .*\n {6}\S/gm)].map(([, key]) => key)
    expect(left).toEqual([
      'datasets',
      'load_in_4bit',
      'adapter',
      'output_dir',
      'sample_packing',
      'optimizer',
      'warmup_steps',
      'evals_per_epoch',
      'frobnicate',
      'special_tokens',
    ])
    const again = await project.sluice('init', '--from', 'axolotl.yml')
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('exist already')])
  })

  test("of Axolotl with the tokenizer's own chat template", async () => {
    const project = emptyProject()
    project.write('models/base/config.json', '{}')
    project.write('data/shop.jsonl', '{"prompt": "a", "response": "b"}\n')
    project.write(
      'x.yml',
      'base_model: models/base\nchat_template: tokenizer_default\ndatasets:\n  - path: data/shop.jsonl\n',
    )
    const wrote = await project.sluice('init', 'mine', '--from', 'x.yml')
    expect(wrote).toMatchObject({ code: 0, stderr: '' })
    expect(wrote.stdout).not.toContain('tokenizer_default')
    expect(project.read('pipelines/mine.pipeline.yaml')).toContain('template: "chat"')
  })

  test('of LLaMA-Factory, with the data set looked up in dataset_info.json', async () => {
    const project = emptyProject()
    project.write('conf/llamafactory.yaml', fixture('llamafactory.yaml'))
    project.write('models/base/config.json', '{}')
    project.write('data/dataset_info.json', '{"shop": {"file_name": "shop.json"}}')
    project.write('data/shop.json', '[]')
    const wrote = await project.sluice('init', 'mine', '--from', 'conf/llamafactory.yaml')
    expect(wrote).toMatchObject({ code: 0, stderr: '' })
    expect(await project.sluice('validate', '--strict')).toMatchObject({ code: 0, stderr: '' })
    const text = project.read('pipelines/mine.pipeline.yaml')
    expect(text).toContain('model: "models/base/*"\ndata: "data/shop.jsonl"\n')
    expect(text).toContain('{ train: 75%, validation: 10%, test: 15%, seed: 7 }')
    // Twice the rank, where the file says nothing.
    expect(text).toMatch(/r: 8, .*warmup: 0.1, seed: 7, alpha: 16 /)
    expect(wrote.stdout).toContain("jq -c '.[]' data/shop.json > data/shop.jsonl")
    expect(wrote.stdout).toContain('lr_scheduler_type: "constant_with_warmup"\n      its value is none')
    expect(wrote.stdout).toContain('template: "llama3"\n      it names a chat format')
  })

  test('what is said of the data, all weights, and what has a counterpart elsewhere are named', async () => {
    const project = emptyProject()
    project.write(
      'full.yml',
      `base_model: org/tiny
datasets:
  - path: org/first-with-a-long-name-of-its-own
    type: { field_instruction: q, field_output: a, system_prompt: hello }
    split: train
  - path: org/second-with-a-name-that-is-even-longer-than-the-first
  - { path: org/third, type: chat_template }
loss_watchdog_threshold: 5
trust_remote_code: true
max_samples: 100
early_stopping_patience: 3
`,
    )
    const { code, stdout } = await project.sluice('init', '--from', 'full.yml')
    expect(code).toBe(0)
    expect(stdout).toContain('adapter: not set\n      without it Axolotl trains all weights')
    expect(stdout).toContain('"org/second-with-a-name-that-is-even-longer-than-the-first, org/third"')
    expect(stdout).toContain('datasets.split: "train"\n')
    expect(stdout).toContain('datasets.type.system_prompt: "hello"\n')
    expect(stdout).toMatch(/loss_watchdog_threshold: 5\n.*watch: \[stop: train\.loss > 5\]/)
    expect(stdout).toMatch(/trust_remote_code: true\n +no code that comes with a model/)
    expect(stdout).toMatch(/max_samples: 100\n +all rows/)
    expect(stdout).toMatch(/early_stopping_patience: 3\n +nothing is measured while training/)
    expect(project.read('pipelines/full.pipeline.yaml')).toContain(
      'from: "data/first-with-a-long-name-of-its-own.jsonl", schema: { input: "q", output: "a" } }\n',
    )
    project.write('data/first-with-a-long-name-of-its-own.jsonl', '{"q":"a","a":"b"}\n')
    expect((await project.sluice('validate', '--strict')).code).toBe(0)
    project.write(
      'chat.yml',
      'base_model: org/tiny\nadapter: lora\ndatasets:\n  - path: x.jsonl\n    type: chat_template\n    field_messages: talk\n',
    )
    const chat = await project.sluice('init', '--from', 'chat.yml')
    expect(chat.stdout).toContain('datasets.type: "chat_template"\n      how a row reads')
    expect(chat.stdout).toContain('datasets.field_messages: "talk"\n')
    expect(chat.stdout).not.toContain('all weights')
  })

  test.each([
    ['stage: dpo\nmodel_name_or_path: x/y\n', 'stage: dpo: only supervised fine-tuning'],
    ['rl: kto\nbase_model: x/y\n', 'help: a file for that has no rl'],
    ['name: build\n', 'neither a file of Axolotl'],
    ['- a\n', 'is no map of settings'],
    ['base_model: [\n', '--> x.yml:'],
  ])('refuses %j', async (text, words) => {
    const project = emptyProject()
    project.write('x.yml', text)
    const { code, stderr } = await project.sluice('init', '--from', 'x.yml')
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)])
  })
})
