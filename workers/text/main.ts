/** Entry of the text worker: cleaning, splitting, tokenizing, metrics; no ONNX Runtime. */
import { readdirSync } from 'node:fs'
import { serve } from '../host.ts'
import type { Op } from '../op.ts'

const opsDir = new URL('./ops/', import.meta.url)

serve({
  worker: 'text',
  ops: readdirSync(opsDir).map((file) => file.replace(/\.mjs$/, '')),
  versions: { node: process.version },
  load: async (op) => {
    const entry = (await import(new URL(`${op}.mjs`, opsDir).href)) as { run: Op }
    return entry.run
  },
})
