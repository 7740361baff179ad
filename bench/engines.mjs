// The same pipelines under Sluice, DVC, Snakemake and wireit; prints Markdown: the machine, the versions, a table for each case.
//
//   node bench/engines.mjs > engines.md        (--case e1,e4  --engine sluice,dvc  --rounds 5  --kills 15)
//
// The peers are installed into `.tools/engines` when they are missing, in the versions of `engines/install.mjs`. Pipelines
// are made up in temporary folders, commands do next to nothing: what is measured is the engine. The usual sizes tell the engines apart
// in less than 25 minutes; `--large` is a thousand stages, a thousand trials and 100 000 files, for an evening; `--quick` tries the
// script out. `--show` prints what E6, E7 and E10 judge. Why there is no E9: docs/decisions/014-engines.md.
import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import { parseArgs } from 'node:util'
import { printMarkdown } from './engines/bench.mjs'
import { projectRoot } from './project-copy.mjs'
import { dvc } from './engines/dvc.mjs'
import { VERSIONS, installPeers } from './engines/install.mjs'
import { sluice } from './engines/sluice.mjs'
import { snakemake } from './engines/snakemake.mjs'
import { wireit } from './engines/wireit.mjs'

const CASES = {
  e1: './engines/no-op.mjs',
  e2: './engines/one-file.mjs',
  e3: './engines/first-run.mjs',
  e4: './engines/cut-off.mjs',
  e5: './engines/killed.mjs',
  e6: './engines/explain.mjs',
  e7: './engines/reruns.mjs',
  e8: './engines/two-at-once.mjs',
  e10: './engines/mistakes.mjs',
}

const { values } = parseArgs({
  options: {
    case: { type: 'string', default: Object.keys(CASES).join(',') },
    engine: { type: 'string', default: 'sluice,dvc,snakemake,wireit' },
    rounds: { type: 'string' },
    kills: { type: 'string' },
    quick: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    show: { type: 'boolean', default: false },
  },
})
const options = {
  size: values.quick ? 'quick' : values.large ? 'large' : 'usual',
  show: values.show,
  rounds: Number(values.rounds ?? (values.quick ? 2 : 5)),
  kills: Number(values.kills ?? (values.quick ? 2 : 15)),
}
const engines = pick({ sluice, dvc, snakemake, wireit }, values.engine)
if (engines.some((engine) => engine !== sluice)) installPeers()

const began = performance.now()
console.log(`${machine()}\n\n${versions()}`)

for (const path of pick(CASES, values.case)) {
  const { title, measure } = await import(path)
  console.error(title)
  const { head, rows } = await measure(engines, options)
  printMarkdown(title, head, rows)
}
console.error(`${((performance.now() - began) / 60_000).toFixed(1)} minutes`)

function machine() {
  const [{ model }] = cpus()
  const day = new Date().toISOString().slice(0, 10)
  return `${day}, ${cpus().length} × ${model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()}.`
}

function versions() {
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], {
    cwd: projectRoot,
    encoding: 'utf8',
  })
  const peers = Object.entries(VERSIONS).map((pair) => pair.join(' '))
  return `Sluice ${commit.trim()}, Node ${process.version}, ${peers.join(', ')}. Times are medians of ${options.rounds} interleaved rounds; in brackets, how many times the first engine's.`
}
function pick(all, wish) {
  return wish.split(',').map((name) => {
    if (all[name] !== undefined) return all[name]
    console.error(`there is no '${name}'; there are ${Object.keys(all).join(', ')}`)
    process.exit(2)
  })
}
