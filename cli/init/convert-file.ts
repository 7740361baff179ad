/** A file of Axolotl or LLaMA-Factory on disk -> the text of a pipeline, and what could not be carried over, in words. */
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { decode } from '../../dsl/decode.ts'
import type { Diagnostic } from '../../dsl/diagnostic.ts'
import { own } from '../../dsl/own.ts'
import { readYaml } from '../../dsl/read-yaml.ts'
import type { Json, JsonObject } from '../../dsl/stage-signature.ts'
import { plainValue } from '../../dsl/tree.ts'
import { inLanguage } from '../../dsl/words.ts'
import type { Language } from '../../dsl/words.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { Usage } from '../options.ts'
import { FileProblem } from '../project.ts'
import { convert, otherMethod, toolOf } from './convert.ts'
import type { Converted } from './convert.ts'

/** Throws `Usage` or `FileProblem` for what is no such file. */
export function convertFile(path: string, root: string): Converted {
  const settings = settingsIn(path, root)
  const tool = toolOf(settings)
  if (tool === null)
    throw new Usage(
      `${path} is neither a file of Axolotl (it has no base_model) nor of LLaMA-Factory (no model_name_or_path)\n  help: sluice init --template support`,
      true,
    )
  const other = otherMethod(settings)
  if (other !== null)
    throw new Usage(
      `${path} has ${other.has}: only supervised fine-tuning with LoRA can be carried over\n  help: a file for that has ${other.wanted}`,
      true,
    )
  return convert(settings, tool, {
    kinds: stageKinds,
    isThere: (file) => existsSync(join(root, file)),
    fileOf: (dataset) => fileOf(dataset, settings, root),
  })
}

function settingsIn(path: string, root: string): JsonObject {
  if (!existsSync(join(root, path))) throw new Usage(`there is no file ${path}`, true)
  const { source, problem } = decode(path, readFileSync(join(root, path)))
  const diagnostics: Diagnostic[] = problem === null ? [] : [problem]
  const tree = problem === null ? readYaml(source, diagnostics) : null
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw new FileProblem(errors, root)
  const settings = tree === null ? null : plainValue(tree)
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings))
    throw new Usage(`${path} is no map of settings`, true)
  return settings as JsonObject
}

/** LLaMA-Factory names data sets in a file of their own beside the data. */
function fileOf(dataset: string, settings: JsonObject, root: string): string | null {
  const { dataset_dir: named } = settings
  const folder = typeof named === 'string' ? named : 'data'
  const info = join(root, folder, 'dataset_info.json')
  if (!existsSync(info)) return null
  try {
    const entry = own(JSON.parse(readFileSync(info, 'utf8')) as JsonObject, dataset) as JsonObject | undefined
    const file = entry?.['file_name']
    return typeof file === 'string' ? join(folder, file) : null
  } catch {
    // Not JSON: then it says nothing of the data set.
    return null
  }
}

export function convertedText(name: string, from: string, schema: string, converted: Converted): string {
  const { tool, model, data, options } = converted
  const stage = (kind: string, more: string, why = '') => {
    const written = Object.entries(options[kind] ?? {}).map(([key, value]) => `${key}: ${valueText(value)}`)
    const all = [...written, ...(more === '' ? [] : [more])].join(', ')
    return all === '' ? '' : `  ${kind}:${why}\n    with: { ${all} }\n`
  }
  const measured = options['eval']?.['max_new_tokens'] === undefined ? ', max_new_tokens: 128' : ''
  return `# yaml-language-server: $schema=../${schema}
# Made from ${basename(from)} of ${tool} by sluice init.
version: 1
name: ${name}

model: ${valueText(model)}
${dataText(data)}
flow: clean -> split -> tokenize -> lora-train -> eval -> gate

stages:
${stage('split', '', '                                 # a gate wants rows that nothing was learnt from')}${stage('tokenize', '')}${stage('lora-train', '')}${stage('eval', `metrics: [perplexity, bleu], split: test${measured}`)}  gate:
    baseline: untuned                    # the same eval without the adapter
    checks:
      - perplexity better than baseline
      - warn: bleu >= 0.30
`
}

function dataText({ from, schema }: Converted['data']): string {
  if (schema === null) return `data: ${valueText(from)}\n`
  const fields = `{ input: ${valueText(schema.input)}, output: ${valueText(schema.output)} }`
  return `sources:\n  data: { type: dataset, from: ${valueText(from)}, schema: ${fields} }\n`
}

/** As flow YAML has it; JSON is YAML. */
function valueText(value: Json): string {
  return typeof value === 'string' && /^\d+%$/.test(value) ? value : JSON.stringify(value)
}

const MOST_SHOWN = 80

/** A value that is one text, such as names of data sets, is never cut. */
function shownValue(value: Json): string {
  const text = value === null ? 'not set' : JSON.stringify(value)
  return text.length > MOST_SHOWN && typeof value !== 'string' ? `${text.slice(0, MOST_SHOWN - 1)}…` : text
}

/** One line for each setting that was left. */
export function leftText({ left, tool }: Converted, language: Language): string {
  const rest = `what the file leaves to the defaults of ${tool} is left to ours: sluice explain lora-train\n`
  const lines = left.map(({ key, value, why, instead }) => {
    const help = instead === null ? '' : `; ${inLanguage(instead, language)}`
    const shown = shownValue(value)
    return `  ${key}: ${shown}\n      ${inLanguage(why, language)}${help}`
  })
  const head = left.length === 0 ? `all settings are carried over` : `not carried over from ${tool}:`
  return `${[head, ...lines].join('\n')}\n${rest}`
}
