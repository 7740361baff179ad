/** `template: chat`: rows are what transformers makes of them, and templates that cannot be learnt from are refused. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../../workers/protocol/json.ts'
import { loadChatTemplate } from '../../workers/text/chat-template.ts'
import { run } from '../../workers/text/ops/tokenize.ts'
import { readTokens } from '../../workers/tokens-file.ts'
import { failureOf, inputOf, jsonl, runOp } from './run-op.ts'
import type { Ran } from './run-op.ts'

interface Style {
  readonly template_file: string
  readonly end: { readonly id: number; readonly text: string }
  readonly rows: readonly {
    readonly prompt: string
    readonly response: string
    readonly text: string
    readonly ids: readonly number[]
    readonly prompt_tokens: number
    readonly joined: boolean
  }[]
}

/** Made by tests/fixtures/make_chat_templates.py with transformers. */
const fixtures = join(import.meta.dirname, '../fixtures')
const { styles } = JSON.parse(readFileSync(join(fixtures, 'chat-templates.json'), 'utf8')) as {
  styles: Readonly<Record<string, Style>>
}
const STYLES = Object.entries(styles)
const DEFAULTS = { template: 'chat', loss_on: 'response', max_length: 512 }

function filesOf(style: string): Record<string, string> {
  const folder = join(fixtures, 'chat-templates', style)
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  )
}

/** The ChatML model, with another template. */
function withTemplate(template: string | null): Record<string, string> {
  const files = filesOf('chatml')
  const config = JSON.parse(files['tokenizer_config.json']!) as JsonObject
  const { chat_template: _, ...rest } = config
  files['tokenizer_config.json'] = JSON.stringify(rest)
  return template === null ? files : { ...files, 'chat_template.jinja': template }
}

async function tokenize(
  files: Readonly<Record<string, string>>,
  rows: readonly Json[],
  options: JsonObject = {},
): Promise<Ran> {
  const inputs = { data: await inputOf({ 'd.jsonl': jsonl(rows) }), model: await inputOf(files) }
  return runOp(run, { ...DEFAULTS, ...options }, inputs, 'tokens')
}

const read = (ran: Ran): ReturnType<typeof readTokens> => readTokens(join(ran.dir, 'all.tokens'))
const row = (prompt: string, response: string, id = prompt): Json => ({ id, prompt, response })
const rowsOf = (style: Style): readonly Json[] =>
  style.rows.map(({ prompt, response }, i) => row(prompt, response, `r${i}`))

test('the fixture has three styles, each with rows that are encoded in one and, in two of them, apart', () => {
  expect(STYLES.map(([name]) => name)).toEqual(['chatml', 'llama3', 'zephyr'])
  expect(STYLES.map(([, { rows }]) => rows.filter(({ joined }) => joined).length)).toEqual([1, 0, 1])
})

describe.each(STYLES)('in the style of %s', (name, style) => {
  test('the text is what transformers renders', async () => {
    const template = await loadChatTemplate(join(fixtures, 'chat-templates', name))
    expect(template.file).toMatch(new RegExp(`${style.template_file}$`))
    for (const { prompt, response, text } of style.rows) {
      const messages = [
        { role: 'user', content: prompt },
        { role: 'assistant', content: response },
      ] as const
      expect(template.render(messages, false)).toBe(text)
    }
  })

  test('tokens and loss marks are those of transformers, up to the end of the turn', async () => {
    const ran = await tokenize(filesOf(name), rowsOf(style))
    const tokens = await read(ran)
    for (const [i, expected] of style.rows.entries()) {
      const [from, to] = [tokens.offsets[i], tokens.offsets[i + 1]]
      expect([...tokens.ids.subarray(from, to)]).toEqual(expected.ids)
      const marks = expected.ids.map((_, t) => (t < expected.prompt_tokens ? 0 : 1))
      expect([...tokens.loss.subarray(from, to)]).toEqual(marks)
      expect(expected.ids.at(-1)).toBe(style.end.id)
    }
    expect(await ran.json('tokens.json')).toMatchObject({
      template: 'chat',
      eos: style.end,
      around: { before: '', after: '' },
    })
    expect(await ran.json('all.prompts.json')).toEqual(style.rows.map((each) => each.prompt_tokens))
    expect(ran.notes.filter((note) => note.startsWith('warning'))).toEqual([])
  })

  test('loss_on all learns the prompt, too, and the same tokens', async () => {
    const tokens = await read(await tokenize(filesOf(name), rowsOf(style), { loss_on: 'all' }))
    expect([...tokens.ids]).toEqual(style.rows.flatMap(({ ids }) => ids))
    expect([...tokens.loss]).toEqual(style.rows.flatMap(({ ids }) => ids.map((_, t) => (t === 0 ? 0 : 1))))
  })
})

test('the token that begins a text stands there once, from the template alone', async () => {
  const model = filesOf('llama3')
  const { added_tokens: added } = JSON.parse(model['tokenizer.json']!) as {
    added_tokens: readonly { id: number; content: string }[]
  }
  const begin = added.find(({ content }) => content === '<|begin_of_text|>')!.id
  const tokens = await read(await tokenize(model, [row('a', 'b')]))
  expect([...tokens.ids].filter((id) => id === begin)).toEqual([begin])
  expect(tokens.ids[0]).toBe(begin)
})

test('a template that asks for the date always gets the same one, and says so', async () => {
  const { notes } = await tokenize(filesOf('llama3'), [row('a', 'b')])
  expect(notes).toEqual([
    expect.stringMatching(/^info: chat_template\.jinja asks for the date .* 26 July 2024$/),
  ])
})

test('a long row loses the start of its question and nothing of the template', async () => {
  const whole = await read(await tokenize(filesOf('chatml'), [row('ZYXVUTSRQP', 'yes')]))
  const length = whole.ids.length
  const ran = await tokenize(filesOf('chatml'), [row('ZYXVUTSRQP', 'yes')], { max_length: length - 4 })
  const short = await read(await tokenize(filesOf('chatml'), [row('UTSRQP', 'yes')]))
  expect([...(await read(ran)).ids]).toEqual([...short.ids])
  expect(await ran.json('all.prompts.json')).toEqual(
    await (await tokenize(filesOf('chatml'), [row('UTSRQP', 'yes')])).json('all.prompts.json'),
  )
  expect(ran.notes).toEqual([expect.stringMatching(/^warning: 1 of 1 rows lost the start/)])
  const failure = await failureOf(
    tokenize(filesOf('chatml'), [row('ZYXVUTSRQP', 'yes')], { max_length: length - 11 }),
  )
  expect(failure.message).toMatch(/do not fit in max_length/)
  await tokenize(filesOf('chatml'), [row('ZYXVUTSRQP', 'yes')], { max_length: length - 10 })
})

test('what a template writes around answers is told to those who generate', async () => {
  const template =
    "{% for m in messages %}{% if m.role == 'user' %}{{ '[Q]' + m.content + '[A]' }}{% else %}{{ ' ' + m.content + ' .' + eos_token }}{% endif %}{% endfor %}"
  const ran = await tokenize(withTemplate(template), [row('a', 'b')])
  expect(await ran.json('tokens.json')).toMatchObject({ around: { before: ' ', after: ' .' } })
})

test('a warning says when other programs would not stop where the template ends a turn', async () => {
  const model = filesOf('chatml')
  const plain = `{"eos_token_id":330}`
  const ran = await tokenize({ ...model, 'config.json': plain, 'generation_config.json': '{}' }, [
    row('a', 'b'),
  ])
  expect(ran.notes).toEqual([
    expect.stringMatching(
      /^warning: tokenizer_config\.json ends an answer with <\|im_end\|>.*generation_config\.json names token 332/,
    ),
  ])
})

const FRAME =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + BODY + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

test.each([
  ['none', null, /the model in .* has no chat template/, /trained to chat, or write a template of your own/],
  [
    'a syntax error',
    '{% for %}',
    /chat_template\.jinja cannot be read as a Jinja template/,
    /Correct the file/,
  ],
  [
    'a complaint',
    "{{ raise_exception('system first') }}",
    /chat_template\.jinja cannot write a question and its answer: system first/,
    /your own/,
  ],
  [
    'an unknown part of the date',
    "{{ strftime_now('%Z') }}",
    /strftime_now: %Z is not supported/,
    /your own/,
  ],
  [
    'another beginning for whole chats',
    `{% if not add_generation_prompt %}x{% endif %}${FRAME.replace('BODY', 'm.content')}`,
    /chat_template\.jinja does not write a question with its answer as it writes the question alone/,
    /e\.g\. template: "x<\|im_start\|>user\\n\{prompt\}<\|im_end\|><\|im_start\|>assistant\\n\{response\}"$/,
  ],
  [
    'text before answers',
    FRAME.replace('BODY', "('<think>' if m.role == 'assistant' else '') + m.content"),
    /chat_template\.jinja writes "<think>" before an answer/,
    /assistant\\n<think>\{response\}"$/,
  ],
  [
    'no answers',
    FRAME.replace('BODY', "(m.content if m.role == 'user' else '')"),
    /leaves answers out/,
    /your own/,
  ],
  [
    'no end of a turn',
    "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
    /writes no special token of tokenizer\.json after an answer/,
    /template: "user: \{prompt\}\\nassistant: \{response\}"$/,
  ],
])('a template with %s is refused', async (_, template, message, help) => {
  const failure = await failureOf(tokenize(withTemplate(template), [row('a', 'b')]))
  expect(failure.kind).toBe('input')
  expect(failure.message).toMatch(message)
  expect(failure.help).toMatch(help)
})

test('a template that leaves thoughts out is refused with the row that has some', async () => {
  const model = withTemplate(FRAME.replace('BODY', "m.content.split('</think>')[-1]"))
  await tokenize(model, [row('a', 'b')])
  const failure = await failureOf(tokenize(model, [row('a', 'b', 'r1'), row('a', 'hm</think>c', 'r2')]))
  expect(failure.message).toMatch(/chat_template\.jinja does not write the answer of row r2 as it is: /)
})

test('a special token as text in a row is refused', async () => {
  const rows = [row('a', 'b'), row('<|im_start|>system', 'c', 'r2')]
  const failure = await failureOf(tokenize(filesOf('chatml'), rows))
  expect(failure.message).toBe('1 row with <|im_start|>, a special token of the model, as text: r2')
})
