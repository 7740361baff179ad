// E10: a slip in the pipeline file. Is it refused before a command has run, and does the message say where?
//
// Each engine gets the same slip in its own words, in the file that it reads. `named`: refused with nothing run, and the message holds
// the word that is wrong; `refused`: the same without it; `2 ran`: so many commands ran first, or in spite of it. Slips
// in conditions are not compared, as none of the peers has any.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectFor } from './bench.mjs'

export const title = 'E10 A slip in the pipeline file: refused before anything runs, and named?'

const original = {
  files: [
    ['data/rows.txt', 'a row\n'],
    ['data/more.txt', 'more\n'],
  ],
  stages: [
    { name: 'first', reads: { rows: { file: 'data/rows.txt' } }, run: 'cat {rows} > {out}' },
    {
      name: 'second',
      reads: { left: { stage: 'first' }, right: { file: 'data/more.txt' } },
      run: 'cat {left} {right} > {out}',
    },
    { name: 'third', reads: { joined: { stage: 'second' } }, run: 'cat {joined} > {out}' },
  ],
}
const [first, ...others] = original.stages

/** By engine: the text that is replaced where it stands last, and by what; or how the file changes. */
const SLIPS = [
  {
    name: 'a misspelt key',
    Sluice: ['inputs: {', 'inptus: {'],
    DVC: ['"deps"', '"dpes"'],
    Snakemake: ['    input:', '    inptu:'],
    wireit: ['"files"', '"fiels"'],
    names: /inptus|dpes|inptu|fiels/,
  },
  {
    name: 'a stage is read that is not there',
    Sluice: ['first.out', 'frist.out'],
    DVC: ['"made/first.txt",', '"made/frist.txt",'],
    Snakemake: ['"made/first.txt", ', '"made/frist.txt", '],
    wireit: ['"script": "first"', '"script": "frist"'],
    names: /frist/,
  },
  {
    name: 'a file is read that is not there',
    Sluice: ['from: data/more.txt', 'from: data/mroe.txt'],
    DVC: ['"data/more.txt"', '"data/mroe.txt"'],
    Snakemake: ['"data/more.txt"', '"data/mroe.txt"'],
    wireit: ['"data/more.txt"', '"data/mroe.txt"'],
    names: /mroe/,
  },
  {
    name: 'two stages that need each other',
    stages: [{ ...first, reads: { rows: { stage: 'second' } } }, ...others],
    names: /first[^]*second|second[^]*first/,
  },
  {
    name: 'two stages of one name',
    Sluice: ['  third:', '  first:'],
    DVC: ['"third":', '"first":'],
    Snakemake: ['rule third:', 'rule first:'],
    wireit: (text) => text.replaceAll('"third"', '"first"'),
    names: /first/,
  },
  {
    name: 'a command that is a number',
    Sluice: [/run: '[^\n]*', env/, 'run: 7, env'],
    DVC: [/"cmd": "[^\n]*"/, '"cmd": 7'],
    wireit: [/"command": "[^\n]*"/, '"command": 7'],
    Snakemake: [/shell: "[^\n]*"/, 'shell: 7'],
    names: /\b(?:run|cmd|command|shell)\b/,
  },
]

export async function measure(engines, { show }) {
  const rows = []
  for (const slip of SLIPS) {
    const row = []
    for (const engine of engines) row.push(await outcomeOf(engine, slip, show))
    rows.push([slip.name, ...row])
  }
  const count = (at) => rows.filter((row) => row[at] === 'named').length
  const totals = engines.map((_, i) => `**${count(i + 1)} of ${SLIPS.length}**`)
  return { head: ['', ...engines.map(({ name }) => name)], rows: [...rows, ['**named**', ...totals]] }
}

async function outcomeOf(engine, slip, show) {
  const project = projectFor(engine, { ...original, stages: slip.stages ?? original.stages })
  if (slip.stages === undefined) {
    const path = join(project.dir, engine.file)
    const text = readFileSync(path, 'utf8')
    const edit = slip[engine.name]
    const changed = typeof edit === 'function' ? edit(text) : replaceLast(text, ...edit)
    if (changed === text) throw new Error(`${engine.name}: ${slip.name} cannot be made\n${text}`)
    writeFileSync(path, changed)
  }
  const { code, stdout, stderr } = await project.run()
  const ran = project.ran()
  project.remove()
  const said = `${stdout}\n${stderr}`
  if (show) console.error(`--- ${engine.name}: ${slip.name} (exit code ${code}, ran ${ran})\n${said}`)
  if (code === 0 || ran.length > 0) return `${ran.length} ran`
  return slip.names.test(said) ? 'named' : 'refused'
}

function replaceLast(text, what, by) {
  const at = typeof what === 'string' ? text.lastIndexOf(what) : lastMatch(text, what)
  if (at < 0) return text
  return text.slice(0, at) + text.slice(at).replace(what, by)
}

function lastMatch(text, pattern) {
  return [...text.matchAll(new RegExp(pattern, 'g'))].at(-1)?.index ?? -1
}
