/** The files of a tokenizer, from one directory to another: what reads tokens must be what wrote them. */
import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { JobError } from './op.ts'

const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json',
]

/** Copies a tokenizer's files; `tokenizer.json` must be there. */
export function copyTokenizer(from: string, to: string): void {
  if (!existsSync(join(from, 'tokenizer.json'))) {
    throw new JobError('input', `${from} has no tokenizer.json.`, 'Save the tokenizer next to the model.')
  }
  for (const file of TOKENIZER_FILES) {
    if (existsSync(join(from, file))) copyFileSync(join(from, file), join(to, file))
  }
}
