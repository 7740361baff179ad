/** The template that turns a prompt and a response into one text. */
import { JobError } from '../op.ts'

/** Instead of a text: the chat template of the model's own tokenizer. */
export const CHAT = 'chat'

export interface Template {
  /** Everything before the response. */
  readonly prompt: (prompt: string) => string
  /** The response and everything after it but the end token. */
  readonly response: (response: string) => string
}

/** Takes a template apart. Throws `JobError('input')` unless it has {prompt} and then {response}, once each. */
export function parseTemplate(template: string): Template {
  const prompts = template.split('{prompt}').length - 1
  const responses = template.split('{response}').length - 1
  const promptAt = template.indexOf('{prompt}')
  const responseAt = template.indexOf('{response}')
  const problem =
    prompts !== 1
      ? `{prompt} occurs ${prompts} times`
      : responses !== 1
        ? `{response} occurs ${responses} times`
        : promptAt > responseAt
          ? '{response} comes before {prompt}'
          : null
  if (problem !== null) {
    throw new JobError(
      'input',
      `template ${JSON.stringify(template)}: ${problem}`,
      'Write {prompt} and then {response}, once each, e.g. "问：{prompt}\\n答：{response}".',
    )
  }
  const head = template.slice(0, promptAt)
  const between = template.slice(promptAt + '{prompt}'.length, responseAt)
  const tail = template.slice(responseAt + '{response}'.length)
  return { prompt: (prompt) => head + prompt + between, response: (response) => response + tail }
}
