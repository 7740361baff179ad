// The demo from nothing: time and memory of the first `npm start`, then its scores with three ways to split the data.
//
//   node bench/demo.mjs                        (--seeds 42,43,44, --pipeline support-zh, --quick to try it out)
//
// Works in a copy without build and results, so the first run bundles the program and computes every stage. The other
// seeds change `split` alone; pretraining is then found in the cache. The gate's own numbers are the criterion for one
// run; the averages are what is promised of the demo.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parseDocument } from 'yaml'
import {
  DEMO,
  copyProject,
  derivePipeline,
  pipelinePath,
  plainEnvironment,
  runPipeline,
  shrinkPipeline,
} from './project-copy.mjs'
import { measureProcess } from './measured-process.mjs'
import { digits, printTable } from './table.mjs'

const LIMITS = { seconds: 180, bytes: 2e9, bleu: 0.45, gate: 0.3, baseBleu: 0.08, perplexityShare: 0.5 }

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '42,43,44' },
    pipeline: { type: 'string', default: DEMO },
    quick: { type: 'boolean', default: false },
  },
})
const { pipeline } = options
const dir = copyProject()
if (options.quick) shrinkPipeline(dir, options.pipeline)
const written = parseDocument(readFileSync(pipelinePath(dir, pipeline), 'utf8')).getIn([
  'stages',
  'split',
  'with',
  'seed',
])
const seeds = [...new Set(options.seeds.split(',').map(Number))]

// `npm start` runs the demo; another pipeline is started by the same program without npm.
const command =
  pipeline === DEMO
    ? ['npm', 'start', '--silent']
    : [process.execPath, 'cli/sluice.cjs', 'run', '-f', `pipelines/${pipeline}.pipeline.yaml`]
console.error(`first run: ${command.join(' ')}`)
const first = await measureProcess(command, { cwd: dir, env: plainEnvironment(), memory: true })
if (![0, 3].includes(first.code)) {
  console.error(`it ended with exit code ${first.code}\n${first.stderr.slice(-4000)}`)
  process.exit(2)
}
const megabytes = (bytes) =>
  bytes === null ? 'not measured (needs /proc)' : `${(bytes / 1e6).toFixed(0)} MB`
console.log(
  `first run: ${(first.ms / 1000).toFixed(1)} s, exit code ${first.code} (at most ${LIMITS.seconds} s)`,
)
console.log(
  `memory: ${megabytes(first.peakSum)} all processes together, ${megabytes(first.peakOne)} the largest one (at most ${LIMITS.bytes / 1e6} MB)`,
)

const runs = []
for (const seed of seeds) {
  // A name of its own would change nothing in the keys, but the file's must match it.
  const name = seed === written ? pipeline : `${pipeline}-seed-${seed}`
  if (seed !== written) {
    derivePipeline(dir, pipeline, name, (document) =>
      document.setIn(['stages', 'split', 'with', 'seed'], seed),
    )
  }
  console.error(`split seed ${seed}`)
  runs.push({ seed, ...(await runPipeline(dir, name)) })
}
const columns = [
  ['bleu', (run) => run.scores('eval', 'bleu')],
  ['bleu base', (run) => run.scores('eval-base', 'bleu')],
  ['perplexity', (run) => run.scores('eval', 'perplexity')],
  ['ppl base', (run) => run.scores('eval-base', 'perplexity')],
  ['exact', (run) => run.scores('eval', 'exact_match')],
  ['neighbour bleu', (run) => run.scores('eval', 'neighbour_bleu')],
  ['neighbour exact', (run) => run.scores('eval', 'neighbour_exact')],
]
const mean = (read) => runs.reduce((sum, run) => sum + (read(run) ?? NaN), 0) / runs.length
printTable([
  ['split seed', ...columns.map(([title]) => title), 'exit'],
  ...runs.map((run) => [run.seed, ...columns.map(([, read]) => digits(read(run))), run.code]),
  ['mean', ...columns.map(([, read]) => digits(mean(read))), ''],
])

const share = (run) => run.scores('eval', 'perplexity') / run.scores('eval-base', 'perplexity')
const promises = [
  [`first run within ${LIMITS.seconds} s`, first.ms / 1000 <= LIMITS.seconds],
  ...(first.peakSum === null
    ? []
    : [[`memory within ${LIMITS.bytes / 1e9} GB`, first.peakSum <= LIMITS.bytes]]),
  [`mean bleu at least ${LIMITS.bleu}`, mean((run) => run.scores('eval', 'bleu')) >= LIMITS.bleu],
  ['every run passes its gate', runs.every((run) => run.code === 0)],
  [`every bleu at least ${LIMITS.gate}`, runs.every((run) => run.scores('eval', 'bleu') >= LIMITS.gate)],
  [
    `every base bleu at most ${LIMITS.baseBleu}`,
    runs.every((run) => run.scores('eval-base', 'bleu') <= LIMITS.baseBleu),
  ],
  [
    `every perplexity at most ${LIMITS.perplexityShare} of base`,
    runs.every((run) => share(run) <= LIMITS.perplexityShare),
  ],
]
for (const [text, kept] of promises) console.log(`${kept ? 'met    ' : 'NOT met'}  ${text}`)
process.exitCode = promises.every(([, kept]) => kept) ? 0 : 3
