/**
 * Rows -> tokens by the model's own chat template. The prompt is what the template writes of the question when it opens
 * an answer (`add_generation_prompt`), which is what eval generates from; the response is what follows of both messages,
 * up to the token that ends the turn. All special tokens are the template's: none is added.
 */
import { JobError } from '../op.ts'
import { loadChatTemplate } from './chat-template.ts'
import type { ChatTemplate } from './chat-template.ts'
import type { Row } from './dataset-files.ts'
import type { ModelTokenizer, SpecialToken } from './model-tokenizer.ts'
import type { EncodedRow, RowEncoder } from './row-encoder.ts'

interface Rendered {
  readonly prompt: string
  readonly whole: string
}

/** What a template writes around every answer. */
interface Frame {
  readonly before: string
  readonly after: string
  readonly end: SpecialToken
}

/** Two questions that share no character, to see what all prompts share, and an answer that is easy to find again. */
const QUESTIONS = ['{prompt}', '问题'] as const
const ANSWER = '{response}'

/** Throws `JobError('input')` for a model without a chat template and for a template whose answers cannot be learnt. */
export async function chatRows(dir: string, tokenizer: ModelTokenizer): Promise<RowEncoder & ChatNotes> {
  const template = await loadChatTemplate(dir)
  const frame = frameOf(template, tokenizer)
  const [one, other] = await tokenizer.encode(
    QUESTIONS.map((question) => render(template, question, ANSWER, null).prompt),
  )
  const head = sharedStart(one ?? [], other ?? [])
  const tail = sharedStart([...(one ?? [])].reverse(), [...(other ?? [])].reverse())
  return {
    end: frame.end,
    around: { before: frame.before, after: frame.after },
    reserved: [...tokenizer.specials, tokenizer.eos],
    head,
    frame: Math.max(1, head + tail),
    encode: async (rows) => encodeRows(rows, template, frame, tokenizer),
    file: template.file,
    asksForDate: template.asksForDate,
    stopsElsewhere: tokenizer.stopIds.length === 0 || tokenizer.stopIds.includes(frame.end.id),
  }
}

/** What is worth telling about the template. */
export interface ChatNotes {
  readonly file: string
  readonly asksForDate: boolean
  /** Whether other programs stop where the template ends a turn. */
  readonly stopsElsewhere: boolean
}

function frameOf(template: ChatTemplate, tokenizer: ModelTokenizer): Frame {
  const { prompt, whole } = render(template, QUESTIONS[0], ANSWER, null)
  const own = ownTemplate(whole, tokenizer.eos)
  const refuse = (what: string): never => {
    throw new JobError('input', `template: chat: ${template.file} ${what}`, own)
  }
  if (!whole.startsWith(prompt))
    refuse(
      'does not write a question with its answer as it writes the question alone ' +
        `(add_generation_prompt): ${JSON.stringify(whole)} does not begin with ${JSON.stringify(prompt)}`,
    )
  const rest = whole.slice(prompt.length)
  const at = rest.indexOf(ANSWER)
  if (at < 0) refuse(`leaves answers out: it writes ${JSON.stringify(whole)}`)
  const before = rest.slice(0, at)
  if (before.trim() !== '')
    refuse(`writes ${JSON.stringify(before)} before an answer, which is not asked for when one is generated`)
  const tail = rest.slice(at + ANSWER.length)
  const end = firstOf([...tokenizer.specials, tokenizer.eos], tail)
  if (end === null) {
    return refuse(
      `writes no special token of tokenizer.json after an answer, so that a tuned model would never stop: ${JSON.stringify(whole)}`,
    )
  }
  return { before, after: tail.slice(0, tail.indexOf(end.text)), end }
}

async function encodeRows(
  rows: readonly Row[],
  template: ChatTemplate,
  frame: Frame,
  tokenizer: ModelTokenizer,
): Promise<readonly EncodedRow[]> {
  const rendered = rows.map((row) => render(template, row.prompt, row.response, row.id))
  const changed = rows.filter((row, i) => !keepsAnswer(rendered[i]!, row.response, frame))
  if (changed[0] !== undefined) {
    const { whole } = render(template, changed[0].prompt, changed[0].response, null)
    throw new JobError(
      'input',
      `template: chat: ${template.file} does not write the answer of row ${changed[0].id} as it is` +
        `${changed.length > 1 ? ` (nor of ${changed.length - 1} more)` : ''}: ${JSON.stringify(whole.slice(-200))}`,
      'Templates for reasoning leave thoughts out. Remove them from the data, or write a template of your own with {prompt} and {response}.',
    )
  }
  const prompts = await tokenizer.encode(rendered.map(({ prompt }) => prompt))
  const wholes = await tokenizer.encode(rendered.map(({ whole }) => whole))
  // A line break that begins an answer may join the one that ends the prompt; then both are encoded apart.
  const joined = rows.map((_, i) => i).filter((i) => !startsWith(wholes[i]!, prompts[i]!))
  const apart = await tokenizer.encode(
    joined.map((i) => rendered[i]!.whole.slice(rendered[i]!.prompt.length)),
  )
  return rows.map(({ id }, i) => {
    const prompt = prompts[i]!
    const after = apart[joined.indexOf(i)] ?? wholes[i]!.slice(prompt.length)
    // What stands behind the end of the turn belongs to a next one; nothing is ever generated from it.
    const end = after.indexOf(frame.end.id)
    if (end < 0) throw new Error(`${frame.end.text} in a text was not encoded as token ${frame.end.id}`)
    return { id, prompt, response: after.slice(0, end + 1) }
  })
}

/** `row` is null for texts of ours. */
function render(template: ChatTemplate, question: string, answer: string, row: string | null): Rendered {
  const user = { role: 'user', content: question } as const
  try {
    const prompt = template.render([user], true)
    return { prompt, whole: template.render([user, { role: 'assistant', content: answer }], false) }
  } catch (error) {
    throw new JobError(
      'input',
      `template: chat: ${template.file} cannot write ${row === null ? 'a question and its answer' : `row ${row}`}: ` +
        (error as Error).message,
      'Write a template of your own with {prompt} and {response}.',
    )
  }
}

/** Many templates trim what they write. */
function keepsAnswer({ prompt, whole }: Rendered, answer: string, { before, after, end }: Frame): boolean {
  return [answer, answer.trim(), answer.trimStart(), answer.trimEnd()].some((text) =>
    whole.startsWith(prompt + before + text + after + end.text),
  )
}

/** The help that gives a text template which writes the same as the chat template. */
function ownTemplate(whole: string, eos: SpecialToken): string {
  const at = whole.indexOf(ANSWER)
  const once = whole.split(QUESTIONS[0]).length === 2 && whole.split(ANSWER).length === 2
  if (!once || whole.indexOf(QUESTIONS[0]) > at)
    return 'Write a template of your own with {prompt} and {response}.'
  // A text template gets the end token by itself.
  const end = whole.indexOf(eos.text, at)
  const text = end < 0 ? whole.trimEnd() : whole.slice(0, end)
  return `Write a template of your own, e.g. template: ${JSON.stringify(text)}`
}

function firstOf(tokens: readonly SpecialToken[], text: string): SpecialToken | null {
  const found = tokens
    .map((token) => ({ token, at: text.indexOf(token.text) }))
    .filter(({ at }) => at >= 0)
    // Of two at one place the longer one is what the tokenizer reads.
    .sort((a, b) => a.at - b.at || b.token.text.length - a.token.text.length)
  return found[0]?.token ?? null
}

function sharedStart(a: readonly number[], b: readonly number[]): number {
  const end = a.findIndex((id, i) => id !== b[i])
  return end < 0 ? a.length : end
}

function startsWith(whole: readonly number[], start: readonly number[]): boolean {
  return sharedStart(start, whole) === start.length
}
