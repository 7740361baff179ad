/** Settings of Axolotl or LLaMA-Factory -> a pipeline that does the same as far as we do, and what was left, with reasons. */
import { ABSENT_OPTIONS, OPTION_ALIASES } from '../../dsl/aliases.ts'
import { fits } from '../../dsl/fits.ts'
import { own } from '../../dsl/own.ts'
import type { Json, JsonObject } from '../../dsl/stage-signature.ts'
import { words } from '../../dsl/problems/problem.ts'
import type { Words } from '../../dsl/words.ts'
import type { StageKind } from '../../engine/stage-kind.ts'
import { dataIn } from './data-set.ts'
import type { DataSet } from './data-set.ts'

export interface Left {
  readonly key: string
  /** Null is a setting that is not in the file. */
  readonly value: Json
  readonly why: Words
  /** What to do instead. */
  readonly instead: Words | null
}

export interface Converted {
  readonly tool: Tool
  readonly model: string
  readonly data: DataSet
  /** Stage -> options that the file sets. */
  readonly options: Readonly<Record<string, JsonObject>>
  readonly left: readonly Left[]
}

/** Notes what is left; the value is that of the key unless another is named. */
export type Leave = (key: string, why: Words, instead?: Words | null, value?: Json) => void

export type Tool = 'Axolotl' | 'LLaMA-Factory'

/** What the files around the settings say. */
export interface Surroundings {
  readonly kinds: Readonly<Record<string, StageKind>>
  readonly isThere: (path: string) => boolean
  /** The file of a data set by its name in LLaMA-Factory's dataset_info.json; null if that does not say. */
  readonly fileOf: (dataset: string) => string | null
}

/** Whose settings these are; null if they are of neither. */
export function toolOf(settings: JsonObject): Tool | null {
  if (['model_name_or_path', 'finetuning_type', 'cutoff_len'].some((key) => key in settings))
    return 'LLaMA-Factory'
  return ['base_model', 'datasets', 'micro_batch_size', 'sequence_len'].some((key) => key in settings)
    ? 'Axolotl'
    : null
}

/** Why a file cannot become a pipeline with `lora-train` at all, and which file could; null if it can. */
export function otherMethod(settings: JsonObject): { readonly has: string; readonly wanted: string } | null {
  const { stage, rl } = settings
  if (typeof stage === 'string' && stage !== 'sft') return { has: `stage: ${stage}`, wanted: 'stage: sft' }
  return typeof rl === 'string' && rl !== '' ? { has: `rl: ${rl}`, wanted: 'no rl' } : null
}

/** Stages whose options such files set; the first that knows an option gets it. */
const STAGES = ['lora-train', 'tokenize', 'split', 'eval']

export function convert(settings: JsonObject, tool: Tool, around: Surroundings): Converted {
  const left: Left[] = []
  const options: Record<string, Record<string, Json>> = {}
  const leave: Leave = (key, why, instead = null, value = settings[key] ?? null) =>
    left.push({ key, value, why, instead })
  if (tool === 'Axolotl' && (settings['adapter'] ?? '') === '') leave('adapter', ALL_WEIGHTS, FEWER)
  const model = modelIn(settings, around, leave)
  const data = dataIn(settings, around, leave)
  for (const [key, written] of Object.entries(settings)) {
    if (SOURCES.has(key) || saysNothing(key, written)) continue
    const [name, value] = meaning(key, written)
    const absent = own(ABSENT_OPTIONS, key) ?? own(ABSENT_OPTIONS, name)
    const stage = STAGES.find((each) => schemaOf(around.kinds[each], name) !== null)
    if (CHAT_FORMATS.has(key) && value !== 'chat') leave(key, CHAT_FORMAT, TEMPLATE)
    else if (stage !== undefined) {
      const schema = schemaOf(around.kinds[stage], name) ?? {}
      if (fits(schema, value) === true) options[stage] = { ...options[stage], [name]: value }
      else leave(key, notFitting(name, stage), words(`sluice explain ${stage}`, `sluice explain ${stage}`))
    } else if (absent !== undefined) leave(key, absent.why, absent.instead)
    else leave(key, UNKNOWN)
  }
  return { tool, model, data, options: withTest(withAlpha(options, tool)), left }
}

const SOURCES = new Set(['base_model', 'model_name_or_path', 'datasets', 'dataset', 'dataset_dir'])
/** Names of chat formats; our `template` is the text of a row, or `chat`. */
const CHAT_FORMATS = new Set(['template', 'chat_template', 'prompt_template'])

const CHAT_FORMAT = words(
  "it names a chat format; here a template is the text of a row, or the model's own",
  '那里是对话格式的名字，这里 template 是一行的文本，或者模型自带的模板',
)
const TEMPLATE = words(
  "template of tokenize: chat, which is the model's own chat template, or a text with {prompt} and {response}",
  'tokenize 的 template：写 chat（模型自带的对话模板），或写带 {prompt} 和 {response} 的文本',
)
const ALL_WEIGHTS = words(
  'without it Axolotl trains all weights; here lora-train learns an adapter beside them',
  '不写它，Axolotl 训练全部权重；这里 lora-train 只在权重旁边学一个 adapter',
)
const FEWER = words(
  'full fine-tuning has no stage; a higher r comes nearer, and lr has to be higher than there',
  '没有全参数微调的阶段；r 大一些更接近，lr 要比那边大',
)
const UNKNOWN = words('no counterpart is known here', '这里没有已知的对应项')
const notFitting = (option: string, stage: string) =>
  words(`its value is none that ${option} of ${stage} takes`, `这个值不是 ${stage} 的 ${option} 能取的`)

/** What is switched off there, or is how things are here anyway, needs no word. */
function saysNothing(key: string, value: Json): boolean {
  if (key === 'train_on_inputs' || key === 'train_on_prompt') return value === null
  const isEmpty =
    value === null || value === false || value === '' || (Array.isArray(value) && value.length === 0)
  const isOurs = own(OURS, key)?.test(JSON.stringify(value)) === true
  return isEmpty || isOurs
}

const OURS: Readonly<Record<string, RegExp>> = {
  adapter: /^"lora"$/,
  finetuning_type: /^"lora"$/,
  stage: /^"sft"$/,
  do_train: /^true$/,
  optimizer: /^"adamw(_torch)?(_fused)?"$/,
  optim: /^"adamw(_torch)?(_fused)?"$/,
  max_steps: /^-1$/,
  val_set_size: /^0$/,
  val_size: /^0$/,
  bias: /^"none"$/,
}

/** The name and value that a setting has here. */
function meaning(key: string, value: Json): readonly [string, Json] {
  if (key === 'train_on_inputs' || key === 'train_on_prompt')
    return ['loss_on', value === true ? 'all' : 'response']
  if (key === 'lora_target_linear') return ['target', 'all-linear']
  if (key === 'chat_template' && value === 'tokenizer_default') return ['template', 'chat']
  const name = own(OPTION_ALIASES, key)?.ours ?? key
  if (name === 'target') return [name, targets(value)]
  // YAML 1.1 readers take 1e-4 for text, so people quote numbers.
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
  return [name, Number.isFinite(number) ? number : value]
}

function targets(value: Json): Json {
  if (value === 'all' || value === 'all-linear') return 'all-linear'
  return typeof value === 'string' ? value.split(',').map((each) => each.trim()) : value
}

function schemaOf(kind: StageKind | undefined, option: string): JsonObject | null {
  const properties = kind?.options['properties']
  const schema =
    typeof properties === 'object' && properties !== null ? own(properties as JsonObject, option) : null
  return typeof schema === 'object' && schema !== null ? (schema as JsonObject) : null
}

/** Where its file says nothing, LLaMA-Factory takes twice the rank. */
function withAlpha(
  options: Readonly<Record<string, JsonObject>>,
  tool: Tool,
): Readonly<Record<string, JsonObject>> {
  const { r, alpha } = options['lora-train'] ?? {}
  if (tool !== 'LLaMA-Factory' || alpha !== undefined || typeof r !== 'number') return options
  return { ...options, 'lora-train': { ...options['lora-train'], alpha: 2 * r } }
}

const TEST_PERCENT = 15

/** Neither tool keeps rows to judge with; a gate needs some. */
function withTest(options: Readonly<Record<string, JsonObject>>): Readonly<Record<string, JsonObject>> {
  const given = options['split']?.['validation']
  const validation = typeof given === 'number' ? Math.round(given * 100) : 0
  const test = Math.min(TEST_PERCENT, 99 - validation)
  const { seed } = options['lora-train'] ?? {}
  const shares = {
    train: `${String(100 - validation - test)}%`,
    ...(validation === 0 ? {} : { validation: `${String(validation)}%` }),
    test: `${String(test)}%`,
  }
  return { ...options, split: { ...shares, ...(typeof seed === 'number' ? { seed } : {}) } }
}

function modelIn(settings: JsonObject, around: Surroundings, leave: Leave): string {
  const key = 'base_model' in settings ? 'base_model' : 'model_name_or_path'
  const written = settings[key]
  if (typeof written !== 'string' || written === '') {
    leave(
      key,
      words('it names no model', '没有写模型'),
      words('model: at the top of the file', '文件顶层的 model:'),
    )
    return 'models/base/*'
  }
  const isPath = around.isThere(written) || /^[./~]/.test(written) || !/^[\w.-]+\/[\w.-]+$/.test(written)
  return isPath ? `${written.replace(/\/+$/, '')}/*` : `hf:${written}`
}
