// What one checkpoint costs, and what a kill costs with it.
//
//   node bench/checkpoint.mjs                  (--rounds 15, --dir a folder on the disk in question)
//
// Each shape saves the product's own checkpoint (weights, moments, records; hashed, flushed, renamed) in a process of its own.
// The next one is due after a minute, or after 200 times what the last one took if that is longer: `lost at most` is that time.
// The demo's have to fit into half a percent of a minute, so that they are not put off; else this ends with 3.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { median, medianInterval } from './statistics.mjs'
import { digits, printTable } from './table.mjs'

const SHAPES = ['a', 'b', 'demo pretrain', 'demo lora-train']
const EVERY_MS = 60_000
const SPACING = 200
const LIMIT = { 'demo pretrain': EVERY_MS / SPACING, 'demo lora-train': EVERY_MS / SPACING }

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, dir: { type: 'string', default: tmpdir() } },
})
const dir = mkdtempSync(join(options.dir, 'sluice-checkpoint-'))
const rows = [
  ['shape', 'parameters', 'MB', 'save ms', '95 % of it', 'load ms', 'lost at most s', 'limit ms', 'verdict'],
]
let failed = false
try {
  const bundle = join(dir, 'cost.mjs')
  await build({
    entryPoints: [join(import.meta.dirname, 'checkpoint-cost.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile: bundle,
    logLevel: 'error',
  })
  for (const shape of SHAPES) {
    const place = mkdtempSync(join(dir, 'shape-'))
    const answer = execFileSync(process.execPath, [bundle, shape, options.rounds, place], {
      encoding: 'utf8',
    })
    const { milliseconds, bytes, parameters, loading } = JSON.parse(answer)
    const ms = median(milliseconds)
    const interval = medianInterval(milliseconds)
    const between = Math.max(EVERY_MS, ms * SPACING)
    const limit = LIMIT[shape]
    failed ||= ms > limit
    rows.push([
      shape,
      parameters,
      digits(bytes / 1e6, 1),
      digits(ms, 1),
      interval === null ? '-' : `${digits(interval.low, 1)} to ${digits(interval.high, 1)}`,
      digits(loading, 1),
      digits((between + ms) / 1000, 1),
      digits(limit, 0),
      limit === undefined ? '' : ms > limit ? 'ABOVE' : 'ok',
    ])
  }
  printTable(rows)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
process.exit(failed ? 3 : 0)
