/** `sluice init`: a pipeline that validates and runs as it is, with a little data to replace. */
import { existsSync, mkdirSync, readFileSync, appendFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { schemaText } from '../../editor/schema.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { defaultBranch, fetchCommand, HISTORY_DEPTH } from '../git.ts'

/** For editors that know JSON Schema and not `sluice lsp`. */
const SCHEMA = 'schema/pipeline.schema.json'
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/

export function initCommand(command: Command): number {
  const root = process.cwd()
  const name = command.args[0] ?? 'support'
  if (!NAME.test(name))
    throw new Usage(
      `a pipeline's name is lower-case words joined by '-', not '${name}'\n  help: sluice init my-model`,
      true,
    )
  const files: Readonly<Record<string, string>> = {
    [`pipelines/${name}.pipeline.yaml`]: pipelineText(name),
    [`data/${name}.jsonl`]: sampleRows(),
    [`data/${name}-handbook.txt`]: sampleCorpus(),
    [SCHEMA]: schemaText(stageKinds, 'en'),
    'sluice.config.yaml':
      '# This folder is the root of a sluice project; paths in pipeline files start here.\nversion: 1\n',
    [`.github/workflows/${name}.yml`]: workflowText(name, branchOf(root)),
  }
  // What a project has one of is left as it is; a pipeline or its data must not be taken for the new one's.
  const taken = Object.keys(files).filter(
    (path) => /^(pipelines|data)\//.test(path) && existsSync(join(root, path)),
  )
  if (taken.length > 0)
    throw new Usage(
      `these files exist already and are left as they are: ${taken.join(', ')}\n  help: sluice init another-name`,
      true,
    )
  for (const [path, text] of Object.entries(files)) {
    const target = join(root, path)
    if (existsSync(target)) {
      process.stdout.write(`left   ${relative(root, target)} as it is\n`)
      continue
    }
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, text)
    process.stdout.write(`wrote ${relative(root, target)}\n`)
  }
  ignoreState(join(root, '.gitignore'))
  mergeLocks(join(root, '.gitattributes'))
  process.stdout.write(
    `so that git merges lock files by stage, once per clone:\n  git config merge.sluice-lock.driver '${MERGE_DRIVER}'\n`,
  )
  process.stdout.write(`next: sluice run -f pipelines/${name}.pipeline.yaml\n`)
  return 0
}

function ignoreState(path: string): void {
  addLine(path, '.sluice/', /^\/?\.sluice\/?$/m)
}

/** What `git config` has to hold for the line in `.gitattributes` to mean something. */
const MERGE_DRIVER = 'npx sluice lock --merge %O %A %B'

function mergeLocks(path: string): void {
  addLine(path, 'pipelines/*.pipeline.lock merge=sluice-lock text eol=lf', /\bmerge=sluice-lock\b/)
}

/** Adds a line to a file of the user's, unless one like it is there. */
function addLine(path: string, line: string, like: RegExp): void {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  if (like.test(text)) return
  appendFileSync(path, `${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`)
}

function branchOf(root: string): string {
  const branch = defaultBranch(root, null)
  return branch.type === 'found' ? branch.name : 'main'
}

function workflowText(name: string, branch: string): string {
  const file = `pipelines/${name}.pipeline.yaml`
  return `# The pipeline on every pull request; its gate decides. Written by sluice init, yours to change.
# A step's exit code: 0 passed, 3 gate failed, 4 gate undecided, 1 stage failed, 2 bad file, 6 environment.
name: ${name}
on:
  pull_request:
  push:
    branches: [${branch}]
permissions:
  contents: read
jobs:
  gate:
    runs-on: ubuntu-latest
    timeout-minutes: 120
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: ${String(HISTORY_DEPTH)} }
      # Checks that name main read the lock file on this branch, so the branch and its history have to be here.
      - run: ${fetchCommand(branch)}
      - uses: actions/setup-node@v4
        with: { node-version: 20 }
      - run: npm ci                      # sluice is one of the project's devDependencies
      # Results by content: a pull request trains only what it changes, and main's answers can be compared.
      - uses: actions/cache@v4
        with:
          path: .sluice
          key: sluice-${name}-\${{ github.sha }}
          restore-keys: sluice-${name}-
      - run: npx sluice validate -f ${file}
      - run: npx sluice run --json -f ${file} > run.json
      - if: always()
        run: npx sluice report --md -f ${file} > comment.md
      - if: always()
        uses: actions/upload-artifact@v4
        with:
          name: sluice-${name}
          path: |
            run.json
            comment.md
`
}

function pipelineText(name: string): string {
  return `# yaml-language-server: $schema=../${SCHEMA}
version: 1
name: ${name}
description: Answers questions from a small handbook. Replace the two files in data/ with your own.

data: data/${name}.jsonl                 # {"prompt": "...", "response": "..."} per line
sources:
  handbook: { type: corpus, from: data/${name}-handbook.txt }

# To start from a model of your own, delete 'pretrain' here and below, and add:  model: path/to/model-directory/*
flow: pretrain -> tokenize; clean -> split -> tokenize -> lora-train -> eval -> gate

stages:
  pretrain:                              # a tiny base model, trained here from the handbook
    with: { hidden: 64, layers: 2, heads: 4, kv_heads: 4, ffn: 172, vocab: 512, steps: 150 }
  split:
    with: { train: 75%, test: 25%, seed: 42 }
  tokenize:
    with: { template: "Question: {prompt}\\nAnswer: {response}", loss_on: response, max_length: 256 }
  lora-train:
    with: { r: 16, alpha: 32, lr: 3e-3, epochs: 20, batch_size: 4 }
  eval:
    with: { metrics: [perplexity, bleu, exact_match], split: test, max_new_tokens: 64 }
  gate:
    baseline: untuned                    # the same eval without the adapter
    checks:
      - perplexity better than baseline
      - warn: bleu >= 0.30
`
}

function sampleRows(): string {
  const answers: readonly (readonly [string, readonly string[]])[] = [
    [
      'We are open from nine to six on weekdays.',
      [
        'When are you open?',
        'What are your opening hours?',
        'Are you open on weekdays?',
        'From when to when can I come?',
      ],
    ],
    [
      'You can return an item within thirty days.',
      [
        'Can I return an item?',
        'How long may I return something?',
        'What is the return period?',
        'Until when can items be returned?',
      ],
    ],
    [
      'Delivery takes two working days.',
      [
        'How long does delivery take?',
        'When will my delivery arrive?',
        'Is delivery fast?',
        'How many days until delivery?',
      ],
    ],
    [
      'Invoices are sent by mail after the purchase.',
      [
        'Where is my invoice?',
        'How do I get an invoice?',
        'Do you send invoices?',
        'I need the invoice for my purchase',
      ],
    ],
  ]
  return answers
    .flatMap(([response, prompts]) => prompts.map((prompt) => `${JSON.stringify({ prompt, response })}\n`))
    .join('')
}

function sampleCorpus(): string {
  return `The shop opens at nine in the morning on weekdays and closes at six in the evening.

An item that does not please may be brought back within thirty days, and the price is returned.

Parcels leave the same evening; a delivery arrives after two working days.

After every purchase an invoice is written and sent by mail to the buyer.
`
}
