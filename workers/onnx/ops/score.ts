/** Sums the loss of every row's response under a model, with an adapter or without. */
import { createWriteStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import type { JsonObject } from '../../protocol/json.ts'
import { JobError } from '../../op.ts'
import type { OpContext } from '../../op.ts'
import { readTokens } from '../../tokens-file.ts'
import { readAdapter } from '../adapter-dir.ts'
import { packBatches } from '../batches.ts'
import { createRunner } from '../llama-runner.ts'
import { loraFromAdapter, loraShape } from '../lora-parameters.ts'
import { readModel } from '../model-dir.ts'
import { loraLayout } from '../parameter-layout.ts'
import { textsOf } from '../token-texts.ts'
import { readTokensInfo, splitFile } from '../tokenizer-check.ts'

const MAX_TOKENS = 2048
const ROUND_TO = 16
/** Rows in one graph run. */
const ROWS_AT_ONCE = 16

/** Option `split` (default test). Output `scores`: rows.jsonl {id, nll, tokens, bytes}, in the split's order. */
export async function run(context: OpContext): Promise<JsonObject> {
  const model = readModel(context.inputs['model']!.dir)
  const adapterInput = context.inputs['adapter']
  const adapter = adapterInput === undefined ? null : readAdapter(adapterInput.dir, model)
  const lora = adapter === null ? null : loraShape(adapter)
  const tokensDir = context.inputs['tokens']!.dir
  const info = readTokensInfo(tokensDir, model)
  const split = typeof context.with['split'] === 'string' ? context.with['split'] : 'test'
  const path = splitFile(tokensDir, info, split)
  const rows = await readTokens(path)
  const texts = textsOf(rows, model.config)
  const bytes = responseBytes(path.replace(/\.tokens$/, '.jsonl'), rows.rowIds)

  const runner = createRunner({
    config: model.config,
    model,
    layout: lora === null ? null : loraLayout(model.config, lora),
    lora,
    parameters:
      adapter === null || lora === null ? new Float32Array(0) : loraFromAdapter(model.config, lora, adapter),
    gradients: null,
    recompute: false,
    threads: context.threads,
  })
  // Rows of like length share a run; sums are per row, so the order of computing changes nothing else.
  const order = [...texts.keys()].sort((a, b) => texts[b]!.ids.length - texts[a]!.ids.length || a - b)
  const nll = new Float64Array(texts.length)
  for (let start = 0; start < order.length; start += ROWS_AT_ONCE) {
    await context.throwIfCancelled()
    const chosen = order.slice(start, start + ROWS_AT_ONCE)
    const batches = packBatches(
      chosen.map((row) => texts[row]!),
      { roundTo: ROUND_TO, maxTokens: MAX_TOKENS },
    )
    for (const batch of batches) {
      const losses = await runner.run(batch, null)
      batch.owners.forEach((owner, slot) => {
        if (owner >= 0) nll[chosen[owner]!]! += losses[slot]!
      })
    }
    context.progress(Math.min(order.length, start + ROWS_AT_ONCE), order.length, 'row')
  }
  await runner.close()

  const out = createWriteStream(join(context.outputs['scores']!, 'rows.jsonl'))
  let [total, targets] = [0, 0]
  rows.rowIds.forEach((id, row) => {
    const tokens = texts[row]!.loss.subarray(1).reduce((sum, bit) => sum + bit, 0)
    if (!Number.isFinite(nll[row]!))
      throw new JobError('input', `The model's loss on row ${id} is ${nll[row]}.`)
    out.write(`${JSON.stringify({ id, nll: nll[row]!, tokens, bytes: bytes[row]! })}\n`)
    total += nll[row]!
    targets += tokens
  })
  out.end()
  await finished(out)
  return { rows: texts.length, tokens: targets, loss: targets === 0 ? null : total / targets }
}

/** UTF-8 lengths of the responses, which stand next to the tokens in the same order. */
function responseBytes(path: string, ids: readonly string[]): number[] {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
  if (lines.length !== ids.length) {
    throw new JobError('input', `${path} has ${lines.length} rows, its tokens have ${ids.length}.`)
  }
  return lines.map((line, row) => {
    const { id, response } = JSON.parse(line) as { id: unknown; response: string }
    if (String(id) !== ids[row])
      throw new JobError('input', `${path}:${row + 1} is row ${String(id)}, not ${ids[row]}.`)
    return Buffer.byteLength(response)
  })
}
