// Training speed of our trainer against PyTorch + transformers + PEFT, on this machine, both in float32.
//
//   node bench/throughput.mjs --shape a --pairs 20      (a: LoRA, b: all weights, c: LoRA on a larger model)
//
// Needs a Python with torch, transformers and peft: SLUICE_PYTHON=/path/to/python (default python3).
// Both sides get the same random weights and tokens, and stay loaded. Each is tried with every number of threads up to the
// number of cores, and its best one is used. Then pairs of turns are timed, of a few steps each; which side begins
// alternates, so that a machine that grows slower over time favours neither. Printed are the medians, and the median of
// the pairs' ratios with a 95 % interval from order statistics. The losses of the first steps must agree: otherwise the
// two sides would not be doing the same work.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { projectRoot } from './project-copy.mjs'
import { median, medianInterval } from './statistics.mjs'
import { printTable } from './table.mjs'

const WANTED = { a: 1.2, b: 0.95, c: null }
/** Threads of the side that just stopped may still spin for a moment. */
const SETTLE_MS = 300
const LOSS_TOLERANCE = 1e-3

const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: 'a' },
    pairs: { type: 'string', default: '20' },
    steps: { type: 'string', default: '4' },
    warmup: { type: 'string', default: '3' },
    threads: { type: 'string' },
  },
})
const shape = options.shape
const [pairs, steps, warmup] = [options.pairs, options.steps, options.warmup].map((text, i) => {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1)
    fail(`--${['pairs', 'steps', 'warmup'][i]} wants a whole number above 0`)
  return number
})
if (!(shape in WANTED)) fail(`--shape wants one of ${Object.keys(WANTED).join(', ')}`)
const python = process.env.SLUICE_PYTHON ?? 'python3'
const cores = availableParallelism()
const threadChoices =
  options.threads === undefined
    ? [...new Set([1, 2, cores])].filter((count) => count <= cores)
    : options.threads.split(',').map(Number)

// In node_modules, so that the bundle finds the native packages.
const built = join(projectRoot, 'node_modules', '.cache', 'sluice-bench')
mkdirSync(built, { recursive: true })
const ours = join(built, `throughput-${process.pid}.mjs`)
const dir = mkdtempSync(join(tmpdir(), 'sluice-throughput-'))
const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill()
  rmSync(dir, { recursive: true, force: true })
  rmSync(ours, { force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
await build({
  entryPoints: [join(projectRoot, 'bench', 'throughput-sluice.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['onnxruntime-node', 'tokenizers'],
  outfile: ours,
  logLevel: 'warning',
})
const sides = {
  sluice: (threads) => [process.execPath, ours, 'train', dir, String(threads)],
  torch: (threads) => [python, join(projectRoot, 'bench', 'throughput-torch.py'), dir, String(threads)],
}
await finished([process.execPath, ours, 'prepare', dir, shape])

console.log(`shape ${shape}, ${cores} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.version}`)
const best = {}
for (const [name, command] of Object.entries(sides)) best[name] = await bestThreads(name, command)
const trainers = {}
for (const [name, command] of Object.entries(sides)) {
  trainers[name] = await startTrainer(name, command(best[name]))
  trainers[name].first = await trainers[name].take(warmup)
}
if (trainers.torch.version !== undefined) console.log(`PyTorch ${trainers.torch.version}`)
const [here, there] = [trainers.sluice.first.losses, trainers.torch.first.losses]
console.log(
  `losses of the first steps: sluice ${here.map(short).join(' ')}, torch ${there.map(short).join(' ')}`,
)
if (here.some((loss, i) => !(Math.abs(loss - there[i]) <= LOSS_TOLERANCE))) {
  fail('the losses differ, so the two sides do not train the same model; no speeds are compared')
}

const speeds = { sluice: [], torch: [] }
for (let pair = 0; pair < pairs; pair++) {
  const order = pair % 2 === 0 ? ['sluice', 'torch'] : ['torch', 'sluice']
  for (const name of order) {
    await sleep(SETTLE_MS)
    const turn = await trainers[name].take(steps)
    trainers[name].peak = turn.peak
    speeds[name].push(turn.tokens / turn.seconds)
  }
}
for (const trainer of Object.values(trainers)) trainer.end()

const ratios = speeds.sluice.map((speed, i) => speed / speeds.torch[i])
const interval = medianInterval(ratios)
printTable([
  ['', 'threads', 'tokens/s (median)', 'slowest', 'fastest', 'peak MB'],
  ...Object.keys(sides).map((name) => [
    name,
    best[name],
    median(speeds[name]).toFixed(0),
    Math.min(...speeds[name]).toFixed(0),
    Math.max(...speeds[name]).toFixed(0),
    (trainers[name].peak / 1e6).toFixed(0),
  ]),
])
const range =
  interval === null
    ? 'too few pairs for an interval'
    : `95 % ${short(interval.low)} to ${short(interval.high)}`
console.log(
  `ratio sluice / torch: median ${short(median(ratios))} (${range}), ${pairs} pairs of ${steps} steps`,
)
const wanted = WANTED[shape]
if (wanted !== null) {
  const met = interval !== null && interval.low >= wanted
  console.log(
    `wanted: lower bound at least ${wanted}: ${interval === null ? 'undecided' : met ? 'met' : 'NOT met'}`,
  )
  process.exitCode = interval === null ? 4 : met ? 0 : 3
}

/** The number of threads with the highest median speed over a few turns. */
async function bestThreads(name, command) {
  if (threadChoices.length === 1) return threadChoices[0]
  const found = []
  for (const threads of threadChoices) {
    const trainer = await startTrainer(name, command(threads))
    await trainer.take(warmup)
    const turns = []
    for (let i = 0; i < 3; i++) {
      const turn = await trainer.take(Math.max(2, Math.ceil(steps / 2)))
      turns.push(turn.tokens / turn.seconds)
    }
    trainer.end()
    await trainer.ended
    found.push({ threads, speed: median(turns) })
  }
  const list = found.map(({ threads, speed }) => `${threads}: ${speed.toFixed(0)} tokens/s`).join(', ')
  console.log(`threads of ${name}: ${list}`)
  return found.reduce((a, b) => (b.speed > a.speed ? b : a)).threads
}

/** A trainer that is loaded and waits; `take` makes it do some steps. */
async function startTrainer(name, [file, ...args]) {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  running.add(child)
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (complaint = (complaint + text).slice(-4000)))
  child.stdin.on('error', () => undefined)
  const waiting = []
  let stopping = false
  createInterface({ input: child.stdout }).on('line', (line) => {
    // Libraries may print lines of their own.
    if (line.startsWith('{')) waiting.shift()?.(JSON.parse(line))
  })
  const ended = new Promise((resolve) => {
    child.on('error', (error) =>
      fail(`cannot start ${file} (${error.message}); SLUICE_PYTHON names the Python to use`),
    )
    child.on('close', (code) => {
      running.delete(child)
      if (!stopping) fail(`${name} ended with exit code ${code}\n${complaint}`)
      resolve()
    })
  })
  const answer = () => new Promise((resolve) => waiting.push(resolve))
  const ready = await answer()
  return {
    version: ready.torch,
    ended,
    peak: 0,
    take(count) {
      const taken = answer()
      child.stdin.write(`${count}\n`)
      return taken
    },
    end() {
      stopping = true
      child.stdin.end()
    },
  }
}

function finished([file, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('close', (code) =>
      code === 0 ? resolve() : fail(`${args.join(' ')} ended with exit code ${code}`),
    )
  })
}

function short(number) {
  return number.toPrecision(4)
}

function fail(message) {
  console.error(message)
  process.exit(2)
}
