/** Answers the prompts of a split greedily: tokens, model, adapter? -> samples. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Tokenizer } from 'tokenizers'
import { JobError } from '../../op.ts'
import type { Op } from '../../op.ts'
import { parseTemplate } from '../../text/template.ts'
import { openTokenizer } from '../../text/tokenizer-files.ts'
import { readAdapter } from '../adapter-dir.ts'
import { generateGreedy } from '../decoder.ts'
import { readModel } from '../model-dir.ts'
import { readTokensSplit } from '../tokens-dir.ts'
import type { TokensSplit } from '../tokens-dir.ts'

/** Options: `split`, and `max_new_tokens`, the longest answer. Writes samples.jsonl in the order of the rows. */
export const run: Op = async (context) => {
  const { split, max_new_tokens: maxNewTokens } = context.with
  const { tokens, model: modelFiles, adapter: adapterFiles } = context.inputs
  const out = context.outputs['samples']
  if (tokens === undefined || modelFiles === undefined || out === undefined) {
    throw new Error('generate needs tokens, model and an output named samples')
  }
  if (typeof split !== 'string' || typeof maxNewTokens !== 'number') {
    throw new Error('generate needs split and max_new_tokens')
  }
  const model = readModel(modelFiles.dir)
  const adapter = adapterFiles === undefined ? null : readAdapter(adapterFiles.dir, model)
  const tokenizer = openTokenizer(modelFiles.dir)
  const encoded = await readTokensSplit(tokens.dir, model, split)
  const { manifest, texts } = encoded
  const prompts = await findPrompts(encoded, tokenizer)

  const longest = prompts.reduce((most, prompt) => Math.max(most, prompt.length), 0) + maxNewTokens
  if (longest > model.config.maxPositions) {
    context.note(
      'warning',
      `Prompt and answer may reach ${longest} tokens; the model was made for ${model.config.maxPositions}.`,
    )
  }
  context.progress(0, prompts.length, 'rows')
  const results = await generateGreedy(model, adapter, prompts, {
    threads: context.threads,
    maxNewTokens,
    eosIds: [...new Set([manifest.eos.id, ...model.config.eosIds])],
    onRow: (done) => context.progress(done, prompts.length, 'rows'),
    throwIfCancelled: () => context.throwIfCancelled(),
  })

  const { before, after } = manifest.around ?? {
    before: '',
    after: parseTemplate(manifest.template).response(''),
  }
  const answers = await tokenizer.decodeBatch(
    results.map((result) => [...result.ids]),
    true,
  )
  const lines = texts.map((text, i) => {
    const answer = answers[i]!
    return JSON.stringify({
      id: text.id,
      prompt: text.prompt,
      reference: text.response,
      // What the template puts around a response is not part of the answer.
      output: answer.slice(
        answer.startsWith(before) ? before.length : 0,
        answer.endsWith(after) ? answer.length - after.length : answer.length,
      ),
      stop: results[i]!.stop,
    })
  })
  writeFileSync(join(out, 'samples.jsonl'), lines.map((line) => `${line}\n`).join(''))
  const ended = results.filter((result) => result.stop === 'eos').length
  const made = results.reduce((total, result) => total + result.ids.length, 0)
  if (prompts.length > 0 && ended === 0) {
    context.note('warning', `No answer ended by itself within ${maxNewTokens} tokens.`)
  }
  return { rows: prompts.length, tokens: made, ended, cut: prompts.length - ended }
}

/** The part of every row before its response. */
async function findPrompts(
  { rows, texts, manifest, promptLengths }: TokensSplit,
  tokenizer: Tokenizer,
): Promise<readonly (readonly number[])[]> {
  // Where every token is a target, loss bits do not show where the response starts; its own encoding does.
  const responses =
    manifest.loss_on === 'all' && promptLengths === null
      ? await tokenizer.encodeBatch(
          texts.map((text) => parseTemplate(manifest.template).response(text.response)),
          { addSpecialTokens: false },
        )
      : null
  return rows.rowIds.map((id, row) => {
    const ids = rows.ids.subarray(rows.offsets[row], rows.offsets[row + 1])
    const first = rows.loss.subarray(rows.offsets[row], rows.offsets[row + 1]).indexOf(1)
    const response = responses?.[row]
    const length =
      promptLengths?.[row] ??
      (response === undefined ? (first < 0 ? ids.length : first) : ids.length - response.getLength() - 1)
    if (length < 1) {
      throw new JobError(
        'input',
        `Row ${id} has no prompt to answer.`,
        'Give the row a prompt, or put fixed text before {prompt} in the template.',
      )
    }
    return [...ids.subarray(0, length)]
  })
}
