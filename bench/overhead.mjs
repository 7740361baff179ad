// What the engine costs per stage: 1000 trivial stages executed by warm workers, then all of them found in the cache.
//
//   node bench/overhead.mjs                    (--rounds 5, --stages 1000)
//
// A stage writes one file of a few bytes; the worker does nothing else, so its time is overhead, too. Everything that a
// run makes durable is made durable here: the table depends on the disk as much as on the program.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { projectRoot } from './project-copy.mjs'
import { median, medianInterval } from './statistics.mjs'
import { digits, printTable } from './table.mjs'

/** Milliseconds per stage that are good enough. */
const LIMITS = { executed: 5, cached: 1 }

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, stages: { type: 'string', default: '1000' } },
})
mkdirSync(join(projectRoot, 'build'), { recursive: true })
const folder = mkdtempSync(join(projectRoot, 'build', 'overhead-'))
/** Everything goes at the end: ext4 passes over inodes that were freed within minutes, so a cleared round slows the next. */
const used = [folder]
process.on('exit', () => used.forEach((each) => rmSync(each, { recursive: true, force: true })))
const program = join(folder, 'overhead-engine.mjs')
await build({
  entryPoints: [join(projectRoot, 'bench', 'overhead-engine.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  outfile: program,
  logLevel: 'warning',
})

const worker = join(projectRoot, 'tests', 'support', 'puppet-worker.mjs')
const results = []
for (let round = 0; round < Number(options.rounds); round++) {
  const said = execFileSync(process.execPath, [program, worker, options.stages], { encoding: 'utf8' })
  results.push(JSON.parse(said))
  used.push(results.at(-1).root)
}

const rows = ['executed', 'cached'].map((name) => {
  const perStage = (field) => results.map((result) => result[name][field] / Number(options.stages))
  const wall = perStage('ms')
  const interval = medianInterval(wall)
  const range = interval === null ? '' : `${digits(interval.low)} to ${digits(interval.high)}`
  const ratio = median(wall) / LIMITS[name]
  return [
    `${options.stages} ${name}`,
    digits(median(wall)),
    range,
    digits(LIMITS[name], 1),
    digits(ratio, 2),
    ratio <= 1 ? 'good' : 'too slow',
    digits(median(perStage('cpuMs'))),
    digits(median(results.map((result) => result[name].megabytes)), 0),
  ]
})
printTable([
  ['stages', 'ms a stage', '95 % interval', 'limit', 'ratio', '', 'CPU of the engine', 'MB'],
  ...rows,
])
process.exitCode = rows.every((row) => row[5] === 'good') ? 0 : 3
