/** The job that `sluice worker check` gives to a worker: copy, print, report, and stop when asked to. */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Op } from '../op.ts'

const PAUSE_MS = 20

export const conformance: Op = async (context) => {
  console.log(context.with['print'] ?? '')
  const { text } = context.inputs
  const { copy } = context.outputs
  if (text !== undefined && copy !== undefined)
    for (const file of text.files) copyFileSync(join(text.dir, file), join(copy, file))
  const steps = Number(context.with['steps'] ?? 0)
  for (let step = 1; step <= steps; step++) {
    await sleep(PAUSE_MS)
    await context.throwIfCancelled()
    context.progress(step, steps, 'steps')
  }
  return { files: text?.files.length ?? 0 }
}
