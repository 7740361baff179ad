// Whole-process times of `sluice validate` on a file of 50 stages, interleaved with a bare Node.
//
//   node bench/validate.mjs                    (--rounds 15, --stages 50)
//
// Three cases: a file that nobody has compiled before (every round writes another comment into it), the same file
// again, which the memo of compiled files answers, and a new file with a matrix of 1000 points, which makes more than 2000
// stages. Everything happens in a temporary project.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { measureProcess } from './measured-process.mjs'
import { plainEnvironment } from './project-copy.mjs'
import { median, medianInterval } from './statistics.mjs'
import { digits, printTable } from './table.mjs'

/** Rounds that fill V8's caches and the file system's, not counted. */
const WARM_UPS = 2
/** Milliseconds over bare Node that are good enough. */
const LIMITS = { 'a new file': 150, 'the same file again': 60, 'a matrix of 1000': 1000 }

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, stages: { type: 'string', default: '50' } },
})
const rounds = Number(options.rounds)
const launcher = fileURLToPath(new URL('../cli/sluice.cjs', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'sluice-validate-'))
const path = join(root, 'pipelines', 'big.pipeline.yaml')
mkdirSync(join(root, 'pipelines'))
writeFileSync(join(root, 'sluice.config.yaml'), '')
writeFileSync(join(root, 'rows.jsonl'), '{"prompt": "a", "response": "b"}\n')

const sweepPath = join(root, 'sweeps', 'sweep.pipeline.yaml')
mkdirSync(join(root, 'sweeps'))

const validate = [process.execPath, launcher, 'validate']
const says = `${options.stages} stages`
const cases = [
  { name: 'node -e 0', command: [process.execPath, '-e', '0'], says: '' },
  { name: 'a new file', command: validate, says, before: (round) => writeFileSync(path, pipeline(round)) },
  { name: 'the same file again', command: validate, says },
  {
    name: 'a matrix of 1000',
    command: [...validate, sweepPath],
    says: '2006 stages',
    before: (round) => writeFileSync(sweepPath, sweep(round)),
  },
]
const times = new Map(cases.map(({ name }) => [name, []]))
try {
  for (let round = -WARM_UPS; round < rounds; round++) {
    for (const { name, command, says: wanted, before } of cases) {
      before?.(round)
      const done = await measureProcess(command, { cwd: root, env: plainEnvironment() })
      if (done.code !== 0 || !done.stdout.includes(wanted)) {
        console.error(
          `${name} did not do what is timed here (exit code ${done.code}):\n${done.stdout}${done.stderr}`,
        )
        process.exit(2)
      }
      if (round >= 0) times.get(name).push(done.ms)
    }
  }
} finally {
  rmSync(root, { recursive: true })
}

const bare = times.get('node -e 0')
let missed = 0
const rows = cases.map(({ name }) => {
  const all = times.get(name)
  const over = all.map((ms, i) => ms - bare[i])
  const limit = LIMITS[name]
  const interval = medianInterval(over)
  if (limit !== undefined && median(over) > limit) missed += 1
  const range = interval === null ? '-' : `${digits(interval.low, 0)} to ${digits(interval.high, 0)}`
  return [
    name,
    digits(median(all), 0),
    ...(limit === undefined ? ['', '', ''] : [digits(median(over), 0), range, limit]),
  ]
})
printTable([['milliseconds', 'median', 'over bare node', '95 %', 'at most'], ...rows])
console.log(`${options.stages} stages, ${rounds} rounds, Node ${process.version}`)
process.exitCode = missed > 0 ? 3 : 0

/** Trainings side by side, each measured and judged, with options, expressions and checks as people write them. */
function pipeline(round) {
  const branches = Math.floor((Number(options.stages) - 3) / 3)
  const spare = Number(options.stages) - 3 - 3 * branches
  const names = Array.from({ length: branches }, (_, i) => i + 1)
  return [
    `# round ${round}`,
    'version: 1',
    'name: big',
    'model: models/base',
    'data: rows.jsonl',
    'params: { lr: { default: 2e-4, range: 1e-6..1e-2 }, epochs: { default: 3, type: int } }',
    `flow: clean -> split -> tokenize`,
    'stages:',
    '  split: { with: { train: 80%, validation: 10%, test: 10%, seed: 42 } }',
    '  tokenize: { with: { template: "问：{prompt}\\n答：{response}", max_length: 256 } }',
    ...Array.from(
      { length: spare },
      (_, i) => `  clean-${i}: { uses: clean, inputs: { data: sources.data } }`,
    ),
    ...names.flatMap((i) => [
      `  train-${i}:`,
      '    uses: lora-train',
      '    inputs: { tokens: tokenize.tokens, model: sources.model }',
      '    with:',
      `      r: ${4 + i}`,
      `      alpha: =${4 + i} * 2`,
      '      lr: =params.lr * 2',
      '      epochs: =params.epochs',
      '    timeout: 2h',
      `  eval-${i}:`,
      '    uses: eval',
      `    inputs: { adapter: train-${i}.adapter, model: sources.model, tokens: tokenize.tokens }`,
      '    with: { metrics: [perplexity, bleu, rouge_l], bleu_tokenizer: zh, split: test }',
      `  gate-${i}:`,
      '    uses: gate',
      `    metrics: eval-${i}`,
      '    checks:',
      '      - perplexity <= 12',
      '      - bleu >= 0.30 and rouge_l >= 30%',
      '      - bleu no worse than main by 2%',
      '      - warn: bleu >= main.bleu ?? 0.3',
    ]),
    '',
  ].join('\n')
}

/** 1000 trials, each measured, and the best of them judged. */
function sweep(round) {
  const seeds = Array.from({ length: 1000 }, (_, i) => i + 1).join(', ')
  return [
    `# round ${round}`,
    'version: 1',
    'name: sweep',
    'model: models/base',
    'data: rows.jsonl',
    'flow: clean -> split -> tokenize -> lora-train -> score -> pick -> final -> gate',
    'stages:',
    '  split: { with: { train: 80%, validation: 10%, test: 10% } }',
    '  lora-train:',
    `    matrix: { seed: [${seeds}] }`,
    '    with: { seed: =matrix.seed, alpha: =matrix.seed * 2 + 1 }',
    '  score: { uses: eval, with: { metrics: [perplexity], split: validation } }',
    '  pick: { uses: select, with: { by: best perplexity } }',
    '  final: { uses: eval, inputs: { adapter: pick.adapter }, with: { metrics: [perplexity] } }',
    '  gate: { metrics: final, checks: [perplexity <= 12] }',
    '',
  ].join('\n')
}
