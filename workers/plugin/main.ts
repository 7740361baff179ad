/** Entry of the worker for a plugin's ops in JavaScript: the named exports of the module that it is started with. */
import { pathToFileURL } from 'node:url'
import { conformance } from './conformance.ts'
import { serve } from '../host.ts'
import type { Op } from '../op.ts'

const exports = (await import(pathToFileURL(process.argv[2] ?? '').href)) as Readonly<Record<string, unknown>>
const ops = new Map(
  Object.entries({ conformance, ...exports }).filter(
    (entry): entry is [string, Op] => typeof entry[1] === 'function',
  ),
)

serve({
  worker: 'plugin',
  ops: [...ops.keys()],
  versions: { node: process.version },
  load: async (name) => {
    const op = ops.get(name)
    if (op === undefined)
      throw new Error(`there is no op ${name}; the module exports ${[...ops.keys()].join(' ')}`)
    return op
  },
})
