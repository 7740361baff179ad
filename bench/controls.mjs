// Negative controls: models that are known to be useless must be stopped by the demo's own gate.
//
//   node bench/controls.mjs                    (--pipeline support-zh, --quick to try it out)
//
//   learning rate 0     the adapter stays as it was drawn, so the model is the base
//   answers shuffled    every training question gets the answer to another one; the test rows keep theirs
//   B = 0               the trained adapter with its B matrices zeroed
//   wrong scale         the trained adapter with lora_alpha eight times as large, as a wrong loader would apply it
//
// All of them, and the recipe itself, run through the real command line in a copy of the project, with the gate of the
// pipeline file untouched. The recipe must end with exit code 0 and every control with 3; otherwise this ends with 3.
// Training on the prompts too (`loss_on: all`) is no control: it is reported for comparison and may pass or fail. The copy
// starts from the project's cached results.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DEMO, copyProject, derivePipeline, runPipeline, shrinkPipeline } from './project-copy.mjs'
import { shuffledAnswers } from './shuffled-answers.mjs'
import { digits, printTable } from './table.mjs'

const SCALE_ERROR = 8

const { values: options } = parseArgs({
  options: { pipeline: { type: 'string', default: DEMO }, quick: { type: 'boolean', default: false } },
})
const { pipeline } = options
const dir = copyProject({ state: true })
if (options.quick) shrinkPipeline(dir, options.pipeline)
const output = (stage, port) => join(dir, '.sluice', 'out', pipeline, stage, port)

const rows = [await measured('the recipe', pipeline, 0)]
rows.push(await noLearning(), await shuffled(), await zeroB(), await wrongScale(), await lossOnAll())

const show = (row, stage, metric) => digits(row.scores(stage, metric))
printTable([
  ['', 'exit', 'wanted', 'bleu', 'exact', 'perplexity', 'ppl base', 'checks that failed'],
  ...rows.map((row) => [
    row.title,
    row.code,
    row.wanted ?? 'any',
    show(row, 'eval', 'bleu'),
    show(row, 'eval', 'exact_match'),
    show(row, 'eval', 'perplexity'),
    show(row, 'eval-base', 'perplexity'),
    failedChecks(row),
  ]),
])
const wrong = rows.filter((row) => row.wanted !== null && row.code !== row.wanted)
for (const row of wrong)
  console.log(`NOT as it must be: ${row.title} ended with ${row.code}, not ${row.wanted}`)
if (wrong.length === 0) console.log('the gate lets the recipe pass and stops every control')
process.exitCode = wrong.length === 0 ? 0 : 3

async function measured(title, name, wanted) {
  console.error(title)
  return { title, wanted, ...(await runPipeline(dir, name)) }
}

async function noLearning() {
  const name = `${pipeline}-no-learning`
  derivePipeline(dir, pipeline, name, (document) => document.setIn(['stages', 'lora-train', 'with', 'lr'], 0))
  return measured('learning rate 0', name, 3)
}

async function shuffled() {
  const made = join('controls', 'shuffled')
  mkdirSync(join(dir, made), { recursive: true })
  const read = (split) =>
    readFileSync(join(output('split', 'data'), `${split}.jsonl`), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  const write = (split, lines) =>
    writeFileSync(join(dir, made, `${split}.jsonl`), lines.map((row) => `${JSON.stringify(row)}\n`).join(''))
  write('train', shuffledAnswers(read('train'), 42))
  write('test', read('test'))
  const name = `${pipeline}-shuffled`
  derivePipeline(dir, pipeline, name, (document) => {
    document.set('data', document.createNode({ train: `${made}/train.jsonl`, test: `${made}/test.jsonl` }))
    // The rows are clean and divided already.
    document.set('flow', withoutStages(String(document.get('flow')), ['clean', 'split']))
    for (const stage of ['clean', 'split']) document.deleteIn(['stages', stage])
  })
  return measured('answers shuffled', name, 3)
}

/** Takes stages out of the arrows: `clean -> split -> tokenize` becomes `tokenize`. */
function withoutStages(flow, names) {
  return flow
    .split(';')
    .map((chain) => chain.split('->').map((stage) => stage.trim()))
    .map((chain) => chain.filter((stage) => !names.includes(stage)).join(' -> '))
    .filter((chain) => chain !== '')
    .join('; ')
}

function zeroB() {
  return withAdapter('B = 0', 'zero-b', (adapter) => {
    const path = join(adapter, 'adapter_model.safetensors')
    writeFileSync(path, withZeroTensors(readFileSync(path), /\.lora_B\.weight$/))
  })
}

function wrongScale() {
  return withAdapter(`lora_alpha x ${SCALE_ERROR}`, 'wrong-scale', (adapter) => {
    const path = join(adapter, 'adapter_config.json')
    const config = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...config, lora_alpha: config.lora_alpha * SCALE_ERROR }))
  })
}

/** Judges the recipe's adapter, changed by `change`: it is read from files in place of the training's output. */
async function withAdapter(title, suffix, change) {
  const made = join('controls', suffix)
  rmSync(join(dir, made), { recursive: true, force: true })
  cpSync(output('lora-train', 'adapter'), join(dir, made), { recursive: true, dereference: true })
  change(join(dir, made))
  const name = `${pipeline}-${suffix}`
  derivePipeline(dir, pipeline, name, (document) => {
    document.setIn(['sources', 'changed'], document.createNode({ type: 'adapter', from: made }))
    document.setIn(['stages', 'eval', 'inputs'], document.createNode({ adapter: 'sources.changed' }))
    // Not trained again; `eval` follows `tokenize` then.
    document.set('flow', withoutStages(String(document.get('flow')), ['lora-train']))
    document.deleteIn(['stages', 'lora-train'])
  })
  return measured(title, name, 3)
}

async function lossOnAll() {
  const name = `${pipeline}-loss-on-all`
  // Only training sees these tokens: perplexity counts the targets, so both models are judged on the pipeline's own.
  derivePipeline(dir, pipeline, name, (document) => {
    const flow = String(document.get('flow'))
    const options = document.getIn(['stages', 'tokenize', 'with']).clone()
    document.setIn(['stages', 'tokenize-all'], document.createNode({ uses: 'tokenize' }))
    document.setIn(['stages', 'tokenize-all', 'with'], options)
    document.setIn(['stages', 'tokenize-all', 'with', 'loss_on'], 'all')
    document.setIn(
      ['stages', 'tokenize-all', 'inputs'],
      document.createNode({ data: 'split', model: 'pretrain' }),
    )
    document.setIn(['stages', 'lora-train', 'inputs'], document.createNode({ tokens: 'tokenize-all' }))
    for (const stage of ['eval', 'eval-base'])
      document.setIn(['stages', stage, 'inputs', 'tokens'], 'tokenize')
    document.set('flow', `${flow}; split -> tokenize-all -> lora-train`)
  })
  return measured('loss on prompts too', name, null)
}

function failedChecks(row) {
  const failed = row.checks.filter((check) => check.level === 'require' && check.outcome !== 'pass')
  return failed.length === 0 ? 'none' : failed.map((check) => check.text).join('; ')
}

/** A safetensors file with the tensors zeroed whose name matches: 8 bytes of header length, JSON header, data. */
function withZeroTensors(bytes, pattern) {
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, start))
  const changed = Buffer.from(bytes)
  const names = Object.keys(header).filter((name) => pattern.test(name))
  if (names.length === 0) throw new Error(`no tensor's name matches ${pattern}`)
  for (const name of names) {
    const [from, to] = header[name].data_offsets
    changed.fill(0, start + from, start + to)
  }
  return changed
}
