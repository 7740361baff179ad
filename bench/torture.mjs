// Kills runs with SIGKILL, half of them at a failpoint and half at a random instant, and looks for what is broken.
//
//   node bench/torture.mjs                      (--kills 500, --planted 10, --seed 1)
//
// After each kill a checker that shares no code with the engine reads the state folder; then the next run has to end
// with the right digests, to reuse all that was on record, and to leave nothing behind. First the checker has to find
// two planted faults: small files written in place in two halves, and blobs copied into place in two parts instead of
// moved. Those runs are killed between the two halves, where the fault is there to be seen, and the checker has to see it
// after each; that kills at any instant also fall there is what the large table shows.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL, fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { printTable } from './table.mjs'

const { values: options } = parseArgs({
  options: {
    kills: { type: 'string', default: '500' },
    planted: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
})
/** A kill at a random instant comes up to this much after a step. */
const LATER_MS = 12
/** A project is used for so many kills, so that each meets what others left. */
const KILLS_OF_PROJECT = 25
/** Projects that are tortured side by side. */
const LANES = 2

const support = fileURLToPath(new URL('../tests/support/', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'sluice-torture-'))
/** Round -> what comes out undisturbed. */
const known = new Map()
const random = generator(Number(options.seed))
try {
  const tools = await loadTools()
  const steps = Object.keys(tools.STEPS)
  let missed = 0
  const planted = []
  for (const [name, { shows, plugins }] of Object.entries(plants())) {
    const kills = Number(options.planted)
    const { corrupt, lost, seen, fell } = await torture(tools, { kills, plugins, aim: () => shows })
    planted.push([`planted: ${name}`, fell.length, seen, corrupt.length, lost.length])
    if (seen < fell.length) missed += 1
  }
  const began = performance.now()
  const { corrupt, lost, seen, fell } = await torture(tools, {
    kills: Number(options.kills),
    plugins: [],
    aim: (round) => (round % 2 === 0 ? steps[(round / 2) % steps.length] : null),
  })
  const count = (how, step) => fell.filter((kill) => kill.how === how && kill.step === step).length
  printTable([
    ['the last step before the kill', 'failpoint', 'instant'],
    ...['(none yet)', ...steps].map((step) => [step, count('failpoint', step), count('instant', step)]),
  ])
  console.log()
  printTable([
    ['', 'kills', 'of these seen', 'corrupt', 'lost'],
    ...planted,
    ['as it is', fell.length, seen, corrupt.length, lost.length],
  ])
  for (const what of [...corrupt, ...lost].slice(0, 20)) console.log(what)
  const never = steps.filter((step) => !fell.some((kill) => kill.step === step))
  console.log(
    `\n${Math.round((performance.now() - began) / 1000)} s, seed ${options.seed}, Node ${process.version}; steps without a kill: ${never.length === 0 ? 'none' : never.join(', ')}`,
  )
  if (missed > 0) console.log('the checker has missed a planted fault')
  process.exitCode = missed + corrupt.length + lost.length > 0 || fell.length < Number(options.kills) ? 3 : 0
} finally {
  rmSync(work, { recursive: true, force: true })
}

/**
 * Kills that many runs. `aim` says at which step, or null for a random instant. Tells what was found corrupt or lost,
 * after how many of the kills anything was, and where they fell.
 */
async function torture(tools, { kills, plugins, aim }) {
  const child = join(work, `child-${Math.floor(random() * 1e9)}.mjs`)
  await tools.torturedChild(child, plugins)
  const found = { corrupt: [], lost: [], fell: [], seen: 0 }
  let round = 0
  const lane = async () => {
    let root = ''
    let broken = false
    for (let used = 0; found.fell.length < kills; used++) {
      // What a planted fault has broken stays broken: go on with a whole project.
      if (used % KILLS_OF_PROJECT === 0 || broken) root = mkdtempSync(join(work, 'project-'))
      const text = used % KILLS_OF_PROJECT
      broken = await killAndLook(tools, { child, root, text, step: aim(round++) }, found)
      if (broken) found.seen += 1
      if (used % KILLS_OF_PROJECT === KILLS_OF_PROJECT - 1) console.error(`${found.fell.length} kills`)
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return found
}

/** Kills one run, looks at what it left, lets the next run go on from there; whether anything is wrong. */
async function killAndLook(tools, { child, root, text, step }, found) {
  const pipeline = tools.tortured(text)
  const lockBefore = tools.lockIn(root)
  const times = 1 + Math.floor(random() * 3)
  const failpoint = step === null ? null : `${step}:${times}`
  const killed = await runAndKill(child, { root, pipeline, failpoint })
  // The step is passed less often than that, or the run was quicker than the kill.
  if (killed.code !== null) return false
  found.fell.push({ how: failpoint === null ? 'instant' : 'failpoint', step: killed.step })
  const where = `kill ${found.fell.length}, after ${killed.step}`
  const corrupt = []
  const lost = []
  const looked = tools.inspect(root)
  corrupt.push(...looked.corrupt)
  const { digests, lock } = await undisturbed(tools, text)
  if (![lockBefore, lock].includes(tools.lockIn(root)))
    corrupt.push('the lock is neither the old one nor the new one')
  try {
    const next = await tools.go(root, pipeline)
    if (next.exitCode !== 0) lost.push(`the next run ends with ${next.exitCode}`)
    if (JSON.stringify(next.digests) !== JSON.stringify(digests)) lost.push('the next run has other digests')
    if (tools.lockIn(root) !== lock) lost.push('the next run writes another lock')
    for (const [name, { key }] of next.results)
      if (looked.records.has(key) !== (next.status[name] === 'cached'))
        lost.push(`${name} is ${next.status[name]}`)
    for (const left of tools.leftovers(root)) lost.push(`${left} is left`)
  } catch (error) {
    lost.push(`the next run fails: ${error.message}`)
  }
  found.corrupt.push(...corrupt.map((what) => `${where}: ${what}`))
  found.lost.push(...lost.map((what) => `${where}: ${what}`))
  return corrupt.length + lost.length > 0
}

/** Digests and lock of a round that nobody disturbs; the same in every folder. */
async function undisturbed(tools, round) {
  if (!known.has(round)) {
    const root = mkdtempSync(join(work, 'calm-'))
    const { digests } = await tools.go(root, tools.tortured(round))
    known.set(round, { digests, lock: tools.lockIn(root) })
    rmSync(root, { recursive: true, force: true })
  }
  return known.get(round)
}

/** At a failpoint the child kills itself; else it is killed some time after one of its steps. */
async function runAndKill(child, order) {
  const run = spawn(process.execPath, [child, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const wanted = 1 + Math.floor(random() * 90)
  const delay = random() * LATER_MS
  let said = ''
  let timer = null
  run.stdout.setEncoding('utf8').on('data', (text) => {
    said += text
    if (order.failpoint === null && timer === null && said.split('\n').length > wanted)
      timer = setTimeout(() => run.kill('SIGKILL'), delay)
  })
  const [code] = await once(run, 'close')
  clearTimeout(timer)
  const step = order.failpoint?.split(':')[0] ?? said.trimEnd().split('\n').at(-1)
  return { code, step: step === '' ? '(none yet)' : step }
}

async function loadTools() {
  const outfile = join(work, 'tools.mjs')
  const bundler = fileURLToPath(import.meta.resolve('esbuild'))
  const contents = `export { STEPS } from '../../engine/failpoint.ts'
    export { go } from './rig.ts'
    export { inspect, leftovers, lockIn, tortured, torturedChild } from './torture.ts'`
  await build({
    stdin: { contents, resolveDir: support, loader: 'ts' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    alias: { esbuild: bundler },
    external: [bundler],
    banner: {
      js: "import { createRequire as torn } from 'node:module'; const require = torn(import.meta.url);",
    },
    define: { 'import.meta.dirname': JSON.stringify(support) },
    outfile,
    logLevel: 'error',
  })
  return import(pathToFileURL(outfile).href)
}

/** Engines with a fault each, made by changing the source while it is bundled; `shows` is reached in its middle. */
function plants() {
  const plugin = (file, changes) => ({
    name: file,
    setup: (bundler) =>
      bundler.onLoad({ filter: new RegExp(`${file}$`) }, ({ path }) => {
        let text = readFileSync(path, 'utf8')
        for (const [before, after] of changes) {
          if (!text.includes(before)) throw new Error(`${file} has changed: the fault cannot be planted`)
          text = text.replace(before, after)
        }
        return { contents: text, loader: 'ts' }
      }),
  })
  const inPlace = plugin('engine/store/atomic.ts', [
    ["return `${path}.${randomBytes(4).toString('hex')}.tmp`", 'return path'],
    ["openSync(path, 'wx')", "openSync(path, 'w')"],
    [
      'for (const bytes of parts) for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)',
      `for (const bytes of parts) {
      writeSync(fd, bytes, 0, bytes.length >> 1)
      if (!path.endsWith('.tmp')) reach('file-drafted')
      writeSync(fd, bytes, bytes.length >> 1)
    }`,
    ],
    ["reach('file-drafted')\n  renameSync", 'renameSync'],
  ])
  const copied = plugin('engine/store/intake.ts', [
    [
      '  try {\n    renameSync(path, target)',
      `  const { readFileSync, writeFileSync } = require('node:fs')
  mkdirSync(dirname(target), { recursive: true })
  const bytes = readFileSync(path)
  writeFileSync(target, bytes.subarray(0, bytes.length >> 1))
  reach('blob-moved')
  writeFileSync(target, bytes)
  rmSync(path)
  return
  try {
    renameSync(path, target)`,
    ],
    ["move(content)\n      reach('blob-moved')", 'move(content)'],
  ])
  return {
    'written in place': { shows: 'file-drafted', plugins: [inPlace] },
    'copied, not moved': { shows: 'blob-moved', plugins: [copied] },
  }
}

/** Mulberry32: the same kills for the same seed, as far as the machine allows. */
function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
