/** Folds an adapter into its model: W + alpha/r * B A for every adapted weight, all other weights as they are. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyTokenizer } from '../../tokenizer-copy.ts'
import { JobError } from '../../op.ts'
import type { OpContext } from '../../op.ts'
import type { JsonObject } from '../../protocol/json.ts'
import { mergeInto, readAdapter } from '../adapter-dir.ts'
import { expectedShapes, readModel, readWeight } from '../model-dir.ts'
import { SafetensorsWriter } from '../safetensors.ts'

/**
 * Inputs `adapter` and `model`, output `model`. Weights are written in float32 whatever the model's own type is:
 * rounding the sum to 16 bits would lose most of a small adapter. One weight at a time is in memory.
 */
export async function run(context: OpContext): Promise<JsonObject> {
  const model = readModel(context.inputs['model']!.dir)
  const adapter = readAdapter(context.inputs['adapter']!.dir, model)
  const out = context.outputs['model']!
  const shapes = expectedShapes(model.config)
  const file = new SafetensorsWriter(join(out, 'model.safetensors'), shapes, { format: 'pt' })
  let done = 0
  let merged = 0
  try {
    for (const name of file.order) {
      await context.throwIfCancelled()
      const data = readWeight(model, name)
      if (mergeInto(adapter, name, shapes.get(name)!, data)) {
        merged++
        if (!data.every(Number.isFinite))
          throw new JobError(
            'input',
            `With the adapter folded in, ${name} holds numbers that are not finite.`,
          )
      }
      file.write(data)
      context.progress(++done, shapes.size, 'weights')
    }
  } finally {
    file.close()
  }
  writeConfig(model.dir, out)
  copyTokenizer(model.dir, out)
  return { weights: done, merged }
}

/** The model's own words on itself, but for the type of its weights. */
function writeConfig(from: string, to: string): void {
  const config = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8')) as JsonObject
  // transformers 4 reads the first, transformers 5 the second.
  const typed = { ...config, torch_dtype: 'float32', dtype: 'float32' }
  writeFileSync(join(to, 'config.json'), `${JSON.stringify(typed, null, 2)}\n`)
  const generation = 'generation_config.json'
  if (existsSync(join(from, generation))) copyFileSync(join(from, generation), join(to, generation))
}
