/** The chat template of a model's tokenizer: messages -> the text that the model was trained to read. */
import { join } from 'node:path'
import { JobError } from '../op.ts'
import { compileJinja } from './jinja.ts'
import { readModelJson, readOptional, tokenText } from './model-json.ts'

export interface Message {
  readonly role: 'user' | 'assistant'
  readonly content: string
}

export interface ChatTemplate {
  /** Where it stands, for messages. */
  readonly file: string
  /** Whether it may write the date, which is then always the same day. */
  readonly asksForDate: boolean
  /** `open` adds the beginning of an answer. Throws the template's own complaint. */
  readonly render: (messages: readonly Message[], open: boolean) => string
}

/** Throws `JobError('input')` where there is no template or it cannot be read. */
export async function loadChatTemplate(dir: string): Promise<ChatTemplate> {
  const found = await findTemplate(dir)
  if (found === null) {
    throw new JobError(
      'input',
      `template: chat, but the model in ${dir} has no chat template, neither in a file of its own nor in its configuration`,
      'Take a model that was trained to chat, or write a template of your own, e.g. template: "问：{prompt}\\n答：{response}".',
    )
  }
  const { file, source } = found
  const specials = await specialTokens(dir)
  let render: ReturnType<typeof compileJinja>
  try {
    render = compileJinja(source)
  } catch (error) {
    throw new JobError(
      'input',
      `${file} cannot be read as a Jinja template: ${(error as Error).message}`,
      'Correct the file, or write a template of your own with {prompt} and {response}.',
    )
  }
  return {
    file,
    asksForDate: source.includes('strftime_now'),
    render: (messages, open) => render({ ...specials, messages, add_generation_prompt: open }),
  }
}

/** In the order in which transformers prefers them. */
async function findTemplate(dir: string): Promise<{ file: string; source: string } | null> {
  const jinja = join(dir, 'chat_template.jinja')
  const bytes = await readOptional(jinja)
  if (bytes) return { file: jinja, source: bytes.toString('utf8') }
  for (const name of ['tokenizer_config.json', 'chat_template.json']) {
    const file = join(dir, name)
    const source = defaultOf((await readModelJson(file))['chat_template'])
    if (source !== null) return { file, source }
  }
  return null
}

/** One template, or a list of named ones of which one is called `default`. */
function defaultOf(value: unknown): string | null {
  if (!Array.isArray(value)) return typeof value === 'string' ? value : null
  const named = value as readonly { readonly name?: unknown; readonly template?: unknown }[]
  const source = named.find((each) => each.name === 'default')?.template
  return typeof source === 'string' ? source : null
}

/** `bos_token` and the like, by which templates call them. */
async function specialTokens(dir: string): Promise<Readonly<Record<string, string>>> {
  const config = await readModelJson(join(dir, 'tokenizer_config.json'))
  const extra = config['extra_special_tokens']
  const all = {
    ...(await readModelJson(join(dir, 'special_tokens_map.json'))),
    ...(typeof extra === 'object' ? extra : {}),
    ...config,
  }
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => {
      const text = name.endsWith('_token') ? tokenText(value) : null
      return text === null ? [] : [[name, text]]
    }),
  )
}
