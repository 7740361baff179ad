/** `sluice init`: a pipeline that validates, from a template with a little data to replace or from another tool's file. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import type { PipelineSource } from '../../dsl/pipeline.ts'
import { slugOf } from '../../dsl/slug.ts'
import { schemaText } from '../../editor/schema.ts'
import { filesOfSource } from '../../engine/plan/sources.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { defaultBranch } from '../git.ts'
import { askAll, defaults, mayAsk, onTerminal } from '../init/ask.ts'
import type { World } from '../init/ask.ts'
import { convertedText, convertFile, leftText } from '../init/convert-file.ts'
import { templateText, TEMPLATES } from '../init/templates.ts'
import type { Template } from '../init/templates.ts'
import { workflowText } from '../init/workflow.ts'
import { languageOf } from '../language.ts'
import { LOCAL_FILE } from '../local-file.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { stringFlag } from '../project.ts'

/** For editors that know JSON Schema and not `sluice lsp`. */
const SCHEMA = 'schema/pipeline.schema.json'
const INTERRUPTED = 130
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/

export async function initCommand(command: Command): Promise<number> {
  const root = process.cwd()
  const [name = null, ...rest] = command.args
  if (rest.length > 0) throw new Usage('init wants one name\n  help: sluice init my-model', true)
  const wrong = name === null ? null : wrongName(name)
  if (wrong !== null) throw new Usage(`${wrong}\n  help: sluice init my-model`, true)
  const from = stringFlag(command, 'from')
  const template = templateCalled(stringFlag(command, 'template'))
  if (from !== null && template !== null)
    throw new Usage('--from and --template contradict each other\n  help: leave one out', true)
  if (from !== null) {
    const path = relative(root, resolve(from))
    const converted = convertFile(path, root)
    const called = name ?? slugOf(basename(path).replace(/\.ya?ml$/, ''))
    writeProject(root, called, { [pipelinePath(called)]: convertedText(called, path, SCHEMA, converted) })
    process.stdout.write(`${leftText(converted, languageOf(process.env))}${nextText(called)}`)
    return 0
  }
  const said = { template, name }
  const answers = mayAsk(command, process)
    ? await onTerminal((ask) => askAll(said, ask, worldAt(root)))
    : defaults(said)
  if (answers === null) {
    process.stderr.write('\nnothing is written\n')
    return INTERRUPTED
  }
  const { data, model } = answers
  writeProject(root, answers.name, {
    [pipelinePath(answers.name)]: templateText(answers.template, answers.name, SCHEMA, answers),
    ...(data === null ? { [`data/${answers.name}.jsonl`]: answers.template.rows() } : {}),
    ...(model === null ? { [`data/${answers.name}-handbook.txt`]: answers.template.corpus() } : {}),
  })
  process.stdout.write(nextText(answers.name))
  return 0
}

function wrongName(name: string): string | null {
  return NAME.test(name) ? null : `a pipeline's name is lower-case words joined by '-', not '${name}'`
}

function templateCalled(name: string | null): Template | null {
  if (name === null) return null
  const found = TEMPLATES.find((each) => each.name === name)
  if (found === undefined)
    throw new Usage(
      `there is no template '${name}'\n  help: ${TEMPLATES.map((each) => each.name).join(', ')}`,
      true,
    )
  return found
}

function worldAt(root: string): World {
  const anywhere = { source: { path: '', text: '' }, start: 0, end: 0 }
  return {
    wrongName,
    countFiles: async (from) => {
      const source: PipelineSource = { name: 'data', type: 'dataset', from, optional: true, span: anywhere }
      return (await filesOfSource(source, root, Infinity)).length
    },
  }
}

function pipelinePath(name: string): string {
  return `pipelines/${name}.pipeline.yaml`
}

/** Writes the pipeline with its data, and what every project has, unless it is there. */
function writeProject(root: string, name: string, own: Readonly<Record<string, string>>): void {
  const files: Readonly<Record<string, string>> = {
    ...own,
    [SCHEMA]: schemaText(stageKinds, 'en'),
    'sluice.config.yaml':
      '# This folder is the root of a sluice project; paths in pipeline files start here.\nversion: 1\n',
    [`.github/workflows/${name}.yml`]: workflowText(name, branchOf(root)),
  }
  // What a project has one of is left as it is; a pipeline or its data must not be taken for the new one's.
  const taken = Object.keys(own).filter((path) => existsSync(join(root, path)))
  if (taken.length > 0)
    throw new Usage(
      `these files exist already and are left as they are: ${taken.join(', ')}\n  help: sluice init another-name`,
      true,
    )
  for (const [path, text] of Object.entries(files)) {
    const target = join(root, path)
    if (existsSync(target)) {
      process.stdout.write(`left   ${path} as it is\n`)
      continue
    }
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, text)
    process.stdout.write(`wrote ${path}\n`)
  }
  ignoreOwn(root)
  mergeLocks(root)
}

function nextText(name: string): string {
  return `so that git merges lock files by stage, once per clone:\n  git config merge.sluice-lock.driver '${MERGE_DRIVER}'\nnext: sluice run -f ${pipelinePath(name)}\n`
}

/** What is this machine's own. */
function ignoreOwn(root: string): void {
  addLine(root, '.gitignore', '.sluice/', /^\/?\.sluice\/?$/m)
  addLine(root, '.gitignore', LOCAL_FILE, /^\/?sluice\.local\.yaml$/m)
}

/** What `git config` has to hold for the line in `.gitattributes` to mean something. */
const MERGE_DRIVER = 'npx sluice lock --merge %O %A %B'

function mergeLocks(root: string): void {
  addLine(
    root,
    '.gitattributes',
    'pipelines/*.pipeline.lock merge=sluice-lock text eol=lf',
    /\bmerge=sluice-lock\b/,
  )
}

/** Adds a line to a file of the user's, unless one like it is there. */
function addLine(root: string, name: string, line: string, like: RegExp): void {
  const path = join(root, name)
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  if (like.test(text)) return
  appendFileSync(path, `${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`)
  process.stdout.write(`added  ${line.split(' ')[0] ?? ''} to ${name}\n`)
}

function branchOf(root: string): string {
  const branch = defaultBranch(root, null)
  return branch.type === 'found' ? branch.name : 'main'
}
