// How long an editor waits for `sluice lsp` after a keystroke, in a file of many stages.
//
//   node bench/lsp.mjs                         (--stages 50, --keys 200)
//
// Drives the real launcher over pipes with the real protocol: every keystroke is a didChange followed at once by the
// request that is timed. `problems` is from the keystroke until they are published, the pause for the typist included.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { projectRoot } from './project-copy.mjs'
import { median } from './statistics.mjs'
import { digits, printTable } from './table.mjs'

/** A tick of Linux's process accounting. */
const TICK_MS = 10
/** What the design asks for, in milliseconds. */
const LIMIT = 50
/** Keystrokes that warm V8 up, not counted. */
const WARM_UPS = 20

const { values: options } = parseArgs({
  options: { stages: { type: 'string', default: '50' }, keys: { type: 'string', default: '200' } },
})
const folder = mkdtempSync(join(tmpdir(), 'sluice-lsp-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** Trials side by side, each trained and measured, and a gate for each pair of them. */
function pipelineOf(stages) {
  const trials = Math.floor((stages - 4) / 3)
  const names = Array.from({ length: trials }, (_, i) => String(i + 1))
  const flow = names.map((n) => `tokenize -> train-${n} -> eval-${n} -> gate-${n}`).join('; ')
  const settings = names.flatMap((n) => [
    `  train-${n}:`,
    '    uses: lora-train',
    `    with: { r: ${2 ** (Number(n) % 5)}, alpha: 32, lr: =params.lr * ${n}, epochs: 3, batch_size: 8, seed: 42 }`,
    '    retry: { max: 2, on: [worker-lost] }',
    `  eval-${n}:`,
    '    uses: eval',
    '    with:',
    '      metrics: [perplexity, bleu, rouge_l, exact_match]',
    '      bleu_tokenizer: zh',
    '      split: test',
    `  gate-${n}:`,
    '    uses: gate',
    '    baseline: eval-base',
    '    checks:',
    '      - perplexity better than baseline',
    '      - bleu > baseline.bleu with p < 0.05',
    '      - warn: rouge_l >= 40%',
  ])
  return `${[
    'version: 1',
    'name: many',
    'params: { lr: { default: 1e-5, range: 1e-7..1e-2 } }',
    'model: models/base/*',
    'data: data/*.jsonl',
    `flow: clean -> split -> tokenize -> eval-base; ${flow}`,
    'stages:',
    '  eval-base:',
    '    uses: eval',
    '    with: { metrics: [perplexity, bleu, rouge_l, exact_match], bleu_tokenizer: zh }',
    ...settings,
  ].join('\n')}\n`
}

const text = pipelineOf(Number(options.stages))
const uri = pathToFileURL(join(folder, 'many.pipeline.yaml')).href
const started = performance.now()
const child = spawn(process.execPath, [join(projectRoot, 'cli/sluice.cjs'), 'lsp'], {
  cwd: folder,
  stdio: ['pipe', 'pipe', 'inherit'],
})
const answers = new Map()
let published = () => {}
let buffered = Buffer.alloc(0)
child.stdout.on('data', (bytes) => {
  buffered = Buffer.concat([buffered, bytes])
  for (;;) {
    const end = buffered.indexOf('\r\n\r\n')
    if (end === -1) return
    const length = Number(/Content-Length: (\d+)/.exec(buffered.subarray(0, end).toString())[1])
    if (buffered.length < end + 4 + length) return
    const message = JSON.parse(buffered.subarray(end + 4, end + 4 + length).toString())
    buffered = buffered.subarray(end + 4 + length)
    if (message.method === 'textDocument/publishDiagnostics') published(message.params)
    else if (message.method === undefined) answers.get(message.id)?.(message)
    else throw new Error(`the server says ${JSON.stringify(message)}`)
  }
})

let id = 0
let version = 1
const write = (message) => {
  const body = JSON.stringify({ jsonrpc: '2.0', ...message })
  child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}
const notify = (method, params) => write({ method, params })
const request = (method, params) =>
  new Promise((resolve) => {
    answers.set(++id, resolve)
    write({ id, method, params })
  })
const problems = () =>
  new Promise((resolve) => {
    published = (params) => params.version === version && resolve(params.diagnostics)
  })

await request('initialize', { processId: process.pid, rootUri: null, capabilities: {} })
const ready = performance.now() - started
notify('initialized', {})
const opened = performance.now()
const first = problems()
notify('textDocument/didOpen', { textDocument: { uri, languageId: 'yaml', version, text } })
const found = await first
if (found.length > 0) throw new Error(`the file is not good: ${JSON.stringify(found[0])}`)
const firstProblems = performance.now() - opened

/** Types `words` behind the last check of the middle gate, one character at a time. */
const lines = text.split('\n')
const line = lines.findLastIndex(
  (each, i) => i < lines.length * 0.6 && each.includes('- warn: rouge_l >= 40%'),
)
const words = ' and bleu no worse than baseline by 2% or exact_match >= eval-base.exact_match '
const samples = { completion: [], hover: [], problems: [] }
/** Processor time of the server so far, all its threads together; null where there is no /proc. */
function cpuMs() {
  try {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return null
  }
}

let character = lines[line].length
let cpuBefore = null
for (let key = -WARM_UPS; key < Number(options.keys); key++) {
  if (key === 0) cpuBefore = cpuMs()
  const at = (key + WARM_UPS) % words.length
  const edit =
    at === 0 && character > lines[line].length
      ? {
          range: { start: { line, character: lines[line].length }, end: { line, character } },
          text: words[at],
        }
      : { range: { start: { line, character }, end: { line, character } }, text: words[at] }
  character = edit.range.start.character + 1
  version++
  const checked = problems()
  const begin = performance.now()
  notify('textDocument/didChange', { textDocument: { uri, version }, contentChanges: [edit] })
  const asked = key % 2 === 0 ? 'completion' : 'hover'
  const position = asked === 'completion' ? { line, character } : { line, character: 16 }
  const answer = await request(`textDocument/${asked}`, { textDocument: { uri }, position })
  const answered = performance.now() - begin
  if (answer.error !== undefined) throw new Error(JSON.stringify(answer.error))
  await checked
  if (key < 0) continue
  samples[asked].push(answered)
  samples.problems.push(performance.now() - begin)
}
const cpu = cpuBefore === null ? null : (cpuMs() - cpuBefore) / Number(options.keys)
await request('shutdown', null)
notify('exit', null)

const stages = (text.match(/^ {2}[a-z0-9-]+:$/gm) ?? []).length + 3
const rows = Object.entries(samples).map(([name, all]) => {
  const sorted = [...all].sort((a, b) => a - b)
  const p95 = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.95))]
  return [name, digits(median(all), 1), digits(p95, 1), digits(sorted.at(-1), 1), String(LIMIT)]
})
printTable([['milliseconds after a keystroke', 'median', 'p95', 'slowest', 'at most'], ...rows])
console.log(
  `${stages} stages, ${text.length} characters; answers to initialize ${digits(ready, 0)} ms after the start, ` +
    `first problems ${digits(firstProblems, 0)} ms after opening; processor time ${digits(cpu, 1)} ms a keystroke ` +
    `for the request and the check together; Node ${process.version}`,
)
process.exitCode = rows.some(([, , p95]) => Number(p95) > LIMIT) ? 3 : 0
