/** Says whether this worker computes a model before anybody fetches its weights. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { JobError } from '../../op.ts'
import type { OpContext } from '../../op.ts'
import type { JsonObject } from '../../protocol/json.ts'
import { readLlamaConfig } from '../llama-config.ts'

/** Input `model`: a folder with at least configuration and tokenizer. No stage has this op, so it is in no key. */
export function run({ inputs }: OpContext): Promise<JsonObject> {
  const { dir } = inputs['model']!
  const { layers, hiddenSize, vocabSize } = readLlamaConfig(join(dir, 'config.json'))
  if (!existsSync(join(dir, 'tokenizer.json')))
    throw new JobError(
      'input',
      'there is no tokenizer.json',
      'Other forms of a tokenizer are not read; transformers writes this one (AutoTokenizer, save_pretrained).',
    )
  return Promise.resolve({ layers, hidden: hiddenSize, vocab: vocabSize })
}
