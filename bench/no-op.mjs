// `sluice run` with nothing to do, over very many files, against the least that it can cost (floor.mjs).
//
//   node bench/no-op.mjs                       (10 000 files, 20 stages; limit 1.6 x the floor + 80 ms)
//   node bench/no-op.mjs --files 1000000       (1 million; limits 1.6 x the floor and 300 MB; prepares for two minutes)
//
// Over 100 000 files and more the first stage only counts the files, so that the first run is over soon; a no-op asks the same of both.
// --rounds 9, --folder DIR keeps and reuses the files. The pipeline is run once, so that everything is cached, then both
// are timed as whole processes in turn. Memory is the kernel's high-water mark of the largest process.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { measureProcess } from './measured-process.mjs'
import { projectRoot } from './project-copy.mjs'
import { median, medianInterval } from './statistics.mjs'
import { digits, printTable } from './table.mjs'

const FILES_PER_FOLDER = 1000
/** Files that were written this recently are read again on every run. */
const SETTLE_MS = 2500
const WARM_UPS = 2
const MEGABYTE = 2 ** 20

const { values: options } = parseArgs({
  options: {
    files: { type: 'string', default: '10000' },
    stages: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '9' },
    folder: { type: 'string' },
  },
})
const [files, stages, rounds] = [options.files, options.stages, options.rounds].map(Number)
const isLarge = files > 100_000
const limits = isLarge ? { ratio: 1.6, aboveMs: 0, megabytes: 300 } : { ratio: 1.6, aboveMs: 80 }

const dir = options.folder ?? mkdtempSync(join(tmpdir(), 'sluice-no-op-'))
if (options.folder === undefined) process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
makeProject()

const sluice = [process.execPath, join(projectRoot, 'cli', 'sluice.cjs'), 'run', '-C', dir]
const floor = [
  process.execPath,
  join(projectRoot, 'bench', 'floor.mjs'),
  join(dir, 'data'),
  join(dir, 'floor.bin'),
]
await sleep(SETTLE_MS)
console.error(`first run over ${files} files`)
const first = await measureProcess(sluice, { cwd: dir })
if (first.code !== 0) fail('the first run', first)
await measureProcess(floor, { cwd: dir })

const times = { floor: [], sluice: [] }
let peak = 0
for (let round = -WARM_UPS; round < rounds; round++) {
  const bare = await measureProcess(floor, { cwd: dir })
  if (!bare.stdout.includes(`${files} files, 0 changed`)) fail('the floor', bare)
  const noOp = await measureProcess(sluice, { cwd: dir, memory: true })
  if (noOp.code !== 0 || !/everything cached/.test(noOp.stdout + noOp.stderr)) fail('a no-op', noOp)
  if (round < 0) continue
  times.floor.push(bare.ms)
  times.sluice.push(noOp.ms)
  peak = Math.max(peak, noOp.peakOne ?? NaN)
}

const ratios = times.sluice.map((ms, i) => (ms - limits.aboveMs) / times.floor[i])
const interval = (values, places) => {
  const found = medianInterval(values)
  return found === null ? '-' : `${digits(found.low, places)} to ${digits(found.high, places)}`
}
printTable([
  [`${files} files, ${stages} stages`, 'median', '95 %', 'at most'],
  ['floor, ms', digits(median(times.floor), 0), interval(times.floor, 0), ''],
  ['sluice run, ms', digits(median(times.sluice), 0), interval(times.sluice, 0), ''],
  [
    limits.aboveMs === 0 ? 'ratio' : `ratio after ${limits.aboveMs} ms`,
    digits(median(ratios), 2),
    interval(ratios, 2),
    limits.ratio,
  ],
  ['memory, MB', digits(peak / MEGABYTE, 0), '', limits.megabytes ?? ''],
])
console.log(`${rounds} rounds, Node ${process.version}`)
const missed =
  median(ratios) > limits.ratio || (limits.megabytes !== undefined && !(peak / MEGABYTE <= limits.megabytes))
process.exitCode = missed ? 3 : 0

/** Folders of a thousand files with one row each, and a chain of stages that are cheap to run once. */
function makeProject() {
  mkdirSync(join(dir, 'pipelines'), { recursive: true })
  for (let first = 0; first < files; first += FILES_PER_FOLDER) {
    const folder = join(dir, 'data', String(first / FILES_PER_FOLDER).padStart(5, '0'))
    if (existsSync(folder)) continue
    mkdirSync(folder, { recursive: true })
    for (let i = first; i < Math.min(files, first + FILES_PER_FOLDER); i++)
      writeFileSync(join(folder, `row-${i}.jsonl`), `{"prompt":"question ${i}","response":"answer ${i}"}\n`)
  }
  const seeds = Array.from({ length: stages - 1 }, (_, i) => i + 1).join(', ')
  writeFileSync(join(dir, 'pipelines', 'no-op.pipeline.yaml'), isLarge ? counting(seeds) : splitting(seeds))
  writeFileSync(join(dir, 'sluice.config.yaml'), '')
}

/** Reads every row once. */
function splitting(seeds) {
  return `version: 1
name: no-op
data: data/**/*.jsonl
flow: clean -> split
stages:
  split:
    matrix: { seed: [${seeds}] }
    with: { train: 80%, validation: 10%, test: 10%, seed: =matrix.seed }
`
}

/** Reads no row: the engine alone looks at the files. */
function counting(seeds) {
  return `version: 1
name: no-op
sources:
  data: { type: files, from: data/**/*.jsonl }
stages:
  count:
    uses: shell
    inputs: { rows: sources.data }
    with: { run: 'find "$SLUICE_INPUT_ROWS" -type f | wc -l > "$SLUICE_OUTPUT_OUT/count"', outputs: { out: files } }
  draw:
    uses: shell
    matrix: { seed: [${seeds}] }
    inputs: { count: count.out }
    with:
      run: '(cat "$SLUICE_FILES_COUNT"; echo "$SEED") > "$SLUICE_OUTPUT_OUT/drawn"'
      env: { SEED: =matrix.seed }
      outputs: { out: files }
`
}

function fail(what, { code, stdout, stderr }) {
  console.error(`${what} did not do what is timed here (exit code ${code}):\n${stdout}${stderr}`)
  process.exit(2)
}
