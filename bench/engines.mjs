// The same pipelines under Sluice, DVC, Snakemake and wireit; prints Markdown tables.
//
//   node bench/engines.mjs                     (--case e1,e4  --engine sluice,dvc  --rounds 7  --kills 30  --quick)
//
// The peers are installed into `.tools/engines` when they are missing, in the versions of `engines/install.mjs`. Pipelines
// are made up in temporary folders, commands do next to nothing: what is measured is the engine. `--quick` uses tiny ones, to try
// the script out.
import { parseArgs } from 'node:util'
import { printMarkdown } from './engines/bench.mjs'
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
  e8: './engines/two-at-once.mjs',
}

const { values } = parseArgs({
  options: {
    case: { type: 'string', default: Object.keys(CASES).join(',') },
    engine: { type: 'string', default: 'sluice,dvc,snakemake,wireit' },
    rounds: { type: 'string', default: '7' },
    kills: { type: 'string', default: '30' },
    quick: { type: 'boolean', default: false },
  },
})
const options = {
  quick: values.quick,
  rounds: values.quick ? 2 : Number(values.rounds),
  kills: Number(values.kills),
}
const engines = pick({ sluice, dvc, snakemake, wireit }, values.engine)
if (engines.some((engine) => engine !== sluice)) installPeers()

for (const path of pick(CASES, values.case)) {
  const { title, measure } = await import(path)
  console.error(title)
  const { head, rows } = await measure(engines, options)
  printMarkdown(title, head, rows)
}
const peers = Object.entries(VERSIONS).map((pair) => pair.join(' '))
console.log(
  `\nNode ${process.version}, ${peers.join(', ')}; times are medians of ${options.rounds} interleaved rounds.`,
)

function pick(all, wish) {
  return wish.split(',').map((name) => {
    if (all[name] !== undefined) return all[name]
    console.error(`there is no '${name}'; there are ${Object.keys(all).join(', ')}`)
    process.exit(2)
  })
}
