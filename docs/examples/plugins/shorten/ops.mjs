// Every named export is an op.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** @type {import('../../../../workers/op.ts').Op} */
export async function shorten({ with: options, inputs, outputs, progress, throwIfCancelled }) {
  const { dir, files } = inputs.data
  let [kept, dropped] = [0, 0]
  for (const [i, file] of files.entries()) {
    await throwIfCancelled()
    const lines = readFileSync(join(dir, file), 'utf8').split('\n').filter(Boolean)
    const short = lines.filter((line) => JSON.parse(line).prompt.length <= options.longest)
    writeFileSync(join(outputs.data, file), short.map((line) => `${line}\n`).join(''))
    kept += short.length
    dropped += lines.length - short.length
    progress(i + 1, files.length, 'files')
  }
  // A failure that a person can act on has a kind and a help; anything else counts as a bug.
  if (kept === 0) throw Object.assign(new Error('no row is left'), { kind: 'input', help: 'raise `longest`' })
  return { rows: kept, dropped }
}
