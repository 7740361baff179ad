/**
 * Corpus BLEU: ours in Node against sacreBLEU in Python, interleaved, on the same generated text.
 *
 * Bundle with esbuild and run with node; `PYTHON` names an interpreter that has sacrebleu (default `python3`).
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bleuStats, corpusBleu } from '../metrics/bleu.ts'

const ROWS = 2000
const ROUNDS = 7
const WARM_UPS = 2

// sacreBLEU keeps tokenised lines in a cache; a fresh process for each round is what a user pays, without imports.
const PYTHON_SCRIPT = `
import json, sys, time
from sacrebleu.metrics import BLEU
rows = json.load(open(sys.argv[1]))
outputs, references = [r[0] for r in rows], [r[1] for r in rows]
started = time.perf_counter()
score = BLEU(tokenize='zh').corpus_score(outputs, [references]).score
print(json.dumps([score / 100, (time.perf_counter() - started) * 1000]))
`

function rowsOfText(): [string, string][] {
  const alphabet = [...'的一是在不了有和人这中大为上个国我以要他，。？', 'App ', '3.5', '% ', 'order-42 ']
  let state = 7
  const pick = () => alphabet[(state = (state * 48271) % 0x7fffffff) % alphabet.length]!
  return Array.from({ length: ROWS }, () => {
    const reference = Array.from({ length: 60 }, pick)
    return [reference.map((part, index) => (index % 7 === 3 ? pick() : part)).join(''), reference.join('')]
  })
}

function ours(rows: readonly [string, string][]): [number, number] {
  const started = performance.now()
  const value = corpusBleu(rows.map(([output, reference]) => bleuStats(output, reference, 'zh')))
  return [value, performance.now() - started]
}

function theirs(file: string): [number, number] {
  const result = spawnSync(process.env['PYTHON'] ?? 'python3', ['-c', PYTHON_SCRIPT, file], {
    encoding: 'utf8',
  })
  if (result.status !== 0) throw new Error(`sacreBLEU did not run: ${result.stderr}`)
  return JSON.parse(result.stdout) as [number, number]
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!

const folder = mkdtempSync(join(tmpdir(), 'bench-bleu-'))
try {
  const rows = rowsOfText()
  const file = join(folder, 'rows.json')
  writeFileSync(file, JSON.stringify(rows))
  const [[cold, coldTime]] = [ours(rows)]
  for (let round = 1; round < WARM_UPS; round++) ours(rows)
  const pairs = Array.from({ length: ROUNDS }, () => ({ js: ours(rows), py: theirs(file) }))
  const difference = Math.max(...pairs.map(({ js, py }) => Math.abs(js[0] - py[0])))
  console.log(
    `${ROWS} rows, tokenizer zh, BLEU ${cold.toFixed(6)}, largest difference ${difference.toExponential(1)}`,
  )
  console.log(`ours, first call  ${coldTime.toFixed(0)} ms`)
  console.log(`ours, median      ${median(pairs.map(({ js }) => js[1])).toFixed(0)} ms`)
  console.log(
    `sacreBLEU, median ${median(pairs.map(({ py }) => py[1])).toFixed(0)} ms (without start and import)`,
  )
  console.log(
    `median ratio      ${median(pairs.map(({ js, py }) => py[1] / js[1])).toFixed(2)} times as fast`,
  )
} finally {
  rmSync(folder, { recursive: true })
}
