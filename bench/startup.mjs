// Whole-process times of the commands that people type most, interleaved with a bare Node.
//
//   node bench/startup.mjs                     (--rounds 15, --pipeline support-zh, --quick to try it out)
//
// Works in a copy of the project with its cached results; what is missing is computed first, which takes as long as the
// pipeline. Every round runs each command once, so a slow moment of the machine meets all of them. Every `plan` sees an
// edit that nobody has compiled before.
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parseDocument } from 'yaml'
import { measureProcess } from './measured-process.mjs'
import {
  DEMO,
  copyProject,
  pipelinePath,
  plainEnvironment,
  runPipeline,
  shrinkPipeline,
} from './project-copy.mjs'
import { median, medianInterval } from './statistics.mjs'
import { digits, printTable } from './table.mjs'

/** Rounds that fill V8's caches and the file system's, not counted. */
const WARM_UPS = 2

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    pipeline: { type: 'string', default: DEMO },
    quick: { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)
const file = `pipelines/${options.pipeline}.pipeline.yaml`
const dir = copyProject({ state: true })
if (options.quick) shrinkPipeline(dir, options.pipeline)
const path = pipelinePath(dir, options.pipeline)
const original = readFileSync(path, 'utf8')

console.error(`first run of ${options.pipeline}, from the cached results that there are`)
const first = await runPipeline(dir, options.pipeline)

const node = process.execPath
const launcher = 'cli/sluice.cjs'
const commands = [
  { name: 'node -e 0', command: [node, '-e', '0'], codes: [0] },
  { name: 'sluice --help', command: [node, launcher, '--help'], codes: [0], limit: 60, above: 'node -e 0' },
  {
    name: 'sluice run, nothing to do',
    command: [node, launcher, 'run', '-f', file],
    codes: [first.code],
    says: /everything cached/,
    limit: 400,
  },
  {
    name: 'sluice plan after one edit',
    command: [node, launcher, 'plan', '-f', file],
    codes: [0],
    says: /lora-train/,
    limit: 400,
    before: (round) => writeFileSync(path, edited(round)),
    after: () => writeFileSync(path, original),
  },
]
const times = new Map(commands.map(({ name }) => [name, []]))
for (let round = -WARM_UPS; round < rounds; round++) {
  for (const { name, command, codes, says, before, after } of commands) {
    before?.(round)
    const done = await measureProcess(command, { cwd: dir, env: plainEnvironment() })
    after?.()
    if (!codes.includes(done.code) || (says !== undefined && !says.test(done.stdout + done.stderr))) {
      console.error(
        `${name} did not do what is timed here (exit code ${done.code}):\n${done.stdout}${done.stderr}`,
      )
      process.exit(2)
    }
    if (round >= 0) times.get(name).push(done.ms)
  }
}

let missed = 0
const rows = commands.map(({ name, limit, above }) => {
  const all = times.get(name)
  const counted = above === undefined ? all : all.map((ms, i) => ms - times.get(above)[i])
  const interval = medianInterval(counted)
  if (limit !== undefined && median(counted) > limit) missed += 1
  return [
    name,
    digits(median(all), 0),
    above === undefined ? '' : digits(median(counted), 0),
    interval === null ? '-' : `${digits(interval.low, 0)} to ${digits(interval.high, 0)}`,
    digits(Math.max(...all), 0),
    limit === undefined ? '' : `${limit}${above === undefined ? '' : ' over bare'}`,
  ]
})
printTable([['milliseconds', 'median', 'over bare node', '95 %', 'slowest', 'at most'], ...rows])
console.log(`${rounds} rounds, Node ${process.version}`)
process.exitCode = missed > 0 ? 3 : 0

/** Another learning rate in every round, so that no compiled form of the file is there yet. */
function edited(round) {
  const document = parseDocument(original)
  document.setIn(
    ['stages', 'lora-train', 'with', 'lr'],
    Number((1e-3 + (round + WARM_UPS + 1) * 1e-6).toFixed(9)),
  )
  return document.toString({ lineWidth: 0 })
}
