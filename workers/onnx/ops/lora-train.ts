/** Trains a LoRA adapter for a model on the train split of encoded rows. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject } from '../../protocol/json.ts'
import { JobError } from '../../op.ts'
import type { OpContext } from '../../op.ts'
import { readTokens } from '../../tokens-file.ts'
import { writeAdapter } from '../adapter-dir.ts'
import { packBatches } from '../batches.ts'
import { createRunner } from '../llama-runner.ts'
import { initialLora, loraTensors } from '../lora-parameters.ts'
import { shouldRecompute } from '../memory-plan.ts'
import { readModel } from '../model-dir.ts'
import { numberOption, textOption } from '../op-options.ts'
import { LINEAR_GROUPS, loraLayout } from '../parameter-layout.ts'
import type { LoraShape } from '../parameter-layout.ts'
import { seededRandom } from '../random.ts'
import { SCHEDULES } from '../schedule.ts'
import { shuffledEpochs } from '../text-order.ts'
import { textsOf } from '../token-texts.ts'
import { readTokensInfo, splitFile } from '../tokenizer-check.ts'
import { finalLoss, train } from '../trainer.ts'

/** Positions in one graph run; larger steps are computed in parts, with the same result. */
const MAX_TOKENS = 4096
const ROUND_TO = 16

/** Options: see the lora-train stage. Outputs `adapter` (PEFT's layout) and `training` (metrics.jsonl). */
export async function run(context: OpContext): Promise<JsonObject> {
  const options = context.with
  const model = readModel(context.inputs['model']!.dir)
  const tokensDir = context.inputs['tokens']!.dir
  const info = readTokensInfo(tokensDir, model)
  const texts = textsOf(await readTokens(splitFile(tokensDir, info, 'train')), model.config)
  if (texts.length === 0) throw new JobError('input', 'The train split has no rows.')

  const seed = numberOption(options, 'seed')
  const lora = loraOptions(options)
  const layout = loraLayout(model.config, lora)
  const parameters = initialLora(model.config, lora, seededRandom(seed, 'lora'))
  const gradients = new Float32Array(layout.size)
  const rowsPerStep = numberOption(options, 'batch_size') * numberOption(options, 'grad_accum')
  const stepsPerEpoch = Math.ceil(texts.length / rowsPerStep)
  const order = shuffledEpochs(texts.length, seededRandom(seed, 'order'))

  const longest = texts.reduce((most, text) => Math.max(most, text.ids.length), 0)
  const rows = Math.max(1, Math.min(rowsPerStep, Math.floor(MAX_TOKENS / longest)))
  const runner = createRunner({
    config: model.config,
    model,
    layout,
    lora,
    parameters,
    gradients,
    recompute: shouldRecompute(model.config, rows, longest),
    threads: context.threads,
  })
  let taken = 0
  const records = await train(context, {
    runner,
    layout,
    parameters,
    gradients,
    schedule: {
      name: textOption(options, 'schedule', SCHEDULES, 'cosine'),
      lr: numberOption(options, 'lr'),
      warmup: numberOption(options, 'warmup'),
      steps: Math.min(
        Math.ceil(stepsPerEpoch * numberOption(options, 'epochs')),
        numberOption(options, 'max_steps', Infinity),
      ),
    },
    beta2: 0.999,
    weightDecay: numberOption(options, 'weight_decay'),
    clip: numberOption(options, 'clip'),
    nextBatches() {
      // An epoch's last step takes what is left, so that no step mixes two epochs.
      const left = texts.length - (taken % texts.length)
      const chosen = Array.from({ length: Math.min(rowsPerStep, left) }, () => texts[order.next()]!)
      taken += chosen.length
      return packBatches(chosen, { roundTo: ROUND_TO, maxTokens: MAX_TOKENS })
    },
    dropout: { random: seededRandom(seed, 'dropout'), keep: 1 - lora.dropout },
  })
  await runner.close()

  const alpha = numberOption(options, 'alpha')
  const adapter = {
    r: lora.r,
    alpha,
    dropout: lora.dropout,
    targets: [...lora.targets].sort(),
    tensors: loraTensors(model.config, lora, parameters),
  }
  writeAdapter(context.outputs['adapter']!, adapter, model, model.dir)
  const report = records.map((record) => `${JSON.stringify(record)}\n`).join('')
  writeFileSync(join(context.outputs['training']!, 'metrics.jsonl'), report)
  return {
    rows: texts.length,
    steps: records.length,
    tokens: records.at(-1)?.tokens ?? 0,
    trainable: layout.size,
    first_loss: records[0]?.loss ?? null,
    loss: records.length === 0 ? null : finalLoss(records),
  }
}

function loraOptions(options: JsonObject): LoraShape {
  const r = numberOption(options, 'r')
  return {
    r,
    scale: numberOption(options, 'alpha') / r,
    dropout: numberOption(options, 'dropout'),
    targets: targetModules(options['target'] ?? 'all-linear'),
  }
}

function targetModules(target: unknown): Set<string> {
  const known: readonly string[] = LINEAR_GROUPS.flat()
  if (target === 'all-linear') return new Set(known)
  const names = (Array.isArray(target) ? target : [target]) as unknown[]
  const unknown = names.find((name) => !known.includes(name as string))
  if (unknown !== undefined || names.length === 0) {
    throw new JobError(
      'input',
      names.length === 0
        ? 'target is empty.'
        : `target ${JSON.stringify(unknown)} is not a linear layer of a Llama.`,
      `Write all-linear or a list of: ${known.join(', ')}.`,
    )
  }
  // The model's order, so that two spellings of one choice train the same bits.
  return new Set(known.filter((name) => names.includes(name)))
}
