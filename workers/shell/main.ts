/** Entry of the shell worker: runs commands, one at a time, and takes them along when it has to go. */
import { serve } from '../host.ts'
import type { Op } from '../op.ts'

// Without this a TERM would end the worker at once and leave its command behind.
process.once('SIGTERM', () => process.exit(143))

serve({
  worker: 'shell',
  ops: ['run'],
  versions: {},
  load: async (op) => {
    if (op !== 'run') throw new Error(`there is no op ${op}`)
    const entry = (await import(new URL('./ops/run.mjs', import.meta.url).href)) as { run: Op }
    return entry.run
  },
})
