// What a run writes and what it costs to read it again, for 100, 1000 and 4000 stages: linear, or more?
//
//   node bench/growth.mjs                      (--stages 100,1000,4000  --rounds 3; five minutes)
//
// A matrix of commands that write one line each is run for the first time, found cached, planned, and its lock and log are
// read again. Everything is per stage, after the time that `sluice plan` needs for one: growth is the largest
// size over the one before. Times of runs are whole processes; `write`, `read` and `fold` are functions of the engine.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { measureProcess } from './measured-process.mjs'
import { plainEnvironment, projectRoot } from './project-copy.mjs'
import { median } from './statistics.mjs'
import { digits, printTable } from './table.mjs'

/** Per stage, the largest pipeline may cost so much more than the one before; bytes only as their names get longer. */
const MOST_GROWTH = { bytes: 1.05, time: 1.5 }

/** A reading takes milliseconds; of so many the shortest counts, as nothing disturbed that one. */
const LOOKS = 25

const { values: options } = parseArgs({
  options: {
    stages: { type: 'string', default: '100,1000,4000' },
    rounds: { type: 'string', default: '3' },
  },
})
const sizes = options.stages.split(',').map(Number)
const rounds = Number(options.rounds)
const work = mkdtempSync(join(tmpdir(), 'sluice-growth-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
const reading = await bundled()

const start = await overheadOf(projectOf(1))
const measured = []
for (const size of sizes) {
  console.error(`${size} stages`)
  measured.push(await measure(size, start))
}

const last = measured.at(-1)
const before = measured.at(-2)
let missed = false
const rows = Object.keys(last).map((what) => {
  const unit = what.endsWith('bytes') ? 'bytes' : 'time'
  const growth = before === undefined ? 1 : last[what] / before[what]
  if (growth > MOST_GROWTH[unit]) missed = true
  const places = unit === 'bytes' ? 0 : 3
  return [
    what,
    ...measured.map((each) => digits(each[what], places)),
    digits(growth, 2),
    MOST_GROWTH[unit],
    growth > MOST_GROWTH[unit] ? 'grows faster' : 'linear',
  ]
})
printTable([['per stage', ...sizes.map((size) => `${size} stages`), 'growth', 'at most', ''], ...rows])
console.log(`Node ${process.version}; times are medians of ${rounds}, those of the first run of 1`)
process.exitCode = missed ? 3 : 0

/** Bytes and milliseconds per stage. */
async function measure(size, startMs) {
  const dir = projectOf(size)
  const per = (value) => value / size
  const first = await sluice(dir, 'run', `${size} ran, 0 cached`)
  const log = onlyLog(dir)
  const lock = join(dir, 'pipelines', 'p.pipeline.lock')
  const again = []
  const plans = []
  for (let round = 0; round < rounds; round++) {
    again.push((await sluice(dir, 'run', 'everything cached')).ms)
    plans.push((await sluice(dir, 'plan', `${size} cached`)).ms)
  }
  const parts = JSON.parse(
    execFileSync(process.execPath, [reading, lock, log, String(LOOKS)], { encoding: 'utf8' }),
  )
  rmSync(dir, { recursive: true })
  return {
    'lock, bytes': per(parts.lockBytes),
    'log of the first run, bytes': per(parts.logBytes),
    'first run, ms': per(first.ms - startMs),
    'run with nothing to do, ms': per(median(again) - startMs),
    'plan, ms': per(median(plans) - startMs),
    'lock: write, ms': per(parts.writeMs),
    'lock: read, ms': per(parts.readMs),
    'log: read, ms': per(parts.logMs),
    'log: fold, ms': per(parts.foldMs),
  }
}

/** What any command costs, whatever the number of stages. */
async function overheadOf(dir) {
  await sluice(dir, 'run', '1 ran')
  const times = []
  for (let round = 0; round < rounds; round++) times.push((await sluice(dir, 'plan', 'cached')).ms)
  return median(times)
}

function projectOf(size) {
  const dir = mkdtempSync(join(work, 'project-'))
  mkdirSync(join(dir, 'pipelines'))
  const trials = Array.from({ length: size }, (_, i) => i).join(', ')
  writeFileSync(
    join(dir, 'pipelines', 'p.pipeline.yaml'),
    `version: 1
name: p
sources:
  rows: { type: files, from: rows.txt }
stages:
  trial:
    uses: shell
    matrix: { i: [${trials}] }
    inputs: { rows: sources.rows }
    with: { run: 'echo "$I" > "$SLUICE_OUTPUT_OUT/x"', env: { I: =matrix.i }, outputs: { out: files } }
`,
  )
  writeFileSync(join(dir, 'rows.txt'), 'a row\n')
  writeFileSync(join(dir, 'sluice.config.yaml'), '')
  return dir
}

async function sluice(dir, verb, expected) {
  const command = [process.execPath, join(projectRoot, 'cli', 'sluice.cjs'), verb, '-C', dir]
  const done = await measureProcess(command, { cwd: dir, env: plainEnvironment() })
  const said = done.stdout + done.stderr
  if (done.code === 0 && said.includes(expected)) return done
  console.error(`${verb} did not say '${expected}' (exit code ${done.code}):\n${said.slice(-2000)}`)
  process.exit(2)
}

function onlyLog(dir) {
  const runs = join(dir, '.sluice', 'runs')
  const [id] = readdirSync(runs).filter((name) => statSync(join(runs, name)).isDirectory())
  return join(runs, id, 'run.jsonl')
}

/** The parts of the engine that write and read, as a program of their own. */
async function bundled() {
  const outfile = join(work, 'reading.mjs')
  const contents = `
    import { statSync } from 'node:fs'
    import { lockText, readLock } from './engine/lock-file.ts'
    import { readLog } from './engine/run/log.ts'
    import { fold, newRun } from './engine/run/state.ts'
    const [lock, log, looks] = process.argv.slice(2)
    const best = (work) => {
      let least = Infinity
      for (let look = 0; look < Number(looks); look++) {
        const began = performance.now()
        work()
        least = Math.min(least, performance.now() - began)
      }
      return least
    }
    const facts = readLock(lock)
    const events = readLog(log)
    process.stdout.write(JSON.stringify({
      lockBytes: statSync(lock).size,
      logBytes: statSync(log).size,
      writeMs: best(() => lockText(facts)),
      readMs: best(() => readLock(lock)),
      logMs: best(() => readLog(log)),
      foldMs: best(() => events.reduce(fold, newRun)),
    }))`
  await build({
    stdin: { contents, resolveDir: projectRoot, loader: 'ts' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['yaml', 'chevrotain'],
    outfile,
    logLevel: 'error',
  })
  return outfile
}
