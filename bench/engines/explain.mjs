// E6: something is changed, and the engine is asked what it would run. Does its answer name the cause?
//
// How it is judged. Each engine is asked by all of its commands that could know (`asks` of its file), and has its data in the form of which
// it can tell most (`track`: DVC's own for DVC). All that they print counts as one answer. It names the cause if it holds what `names` of
// the change looks for, which is the path, or the name under which the stage reads it, or the words that the engine has for such a change. What it says
// before the change must not hold that, so a listing of everything is no answer. What would run is not judged here.
// wireit prints the commands that it runs, and the paths in them count. `--show`
// prints every answer.
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstRun, measureIn, projectFor } from './bench.mjs'

export const title = 'E6 A change: is its cause named?'

const files = [
  ['data/rows.txt', 'a row\n'],
  ['data/extra.txt', 'spare\n'],
  ...['one', 'two', 'three'].map((name) => [`data/more/${name}.txt`, `${name}\n`]),
]
const original = {
  files,
  stages: [
    { name: 'first', reads: { rows: { file: 'data/rows.txt' } }, run: 'cat {rows} > {out}' },
    {
      name: 'second',
      reads: { clean: { stage: 'first' }, more: { folder: 'data/more' } },
      run: '(cat {clean}; ls {more}) > {out}',
    },
    { name: 'third', reads: { joined: { stage: 'second' } }, run: 'cat {joined} > {out}' },
  ],
}

/** The pipeline with one stage replaced. */
function withStage(name, change) {
  return {
    ...original,
    stages: original.stages.map((stage) => (stage.name === name ? { ...stage, ...change } : stage)),
  }
}

// In the engines' own words: files by path, or the name under which a stage reads them. The answer before the change must not
// hold them.
const ROWS = /data\/rows|content of rows/i
const MORE = /data\/more|content of more/i
const COMMAND =
  /changed command|code has changed|command changed|with\.run|\brun (?:changed|was)|the command/i

const write = (path, text) => (dir) => writeFileSync(join(dir, path), text)
const CHANGES = [
  { name: 'a file is edited', files: write('data/rows.txt', 'another\n'), names: ROWS },
  {
    name: 'a file in a folder is edited',
    files: write('data/more/two.txt', 'another\n'),
    names: MORE,
  },
  { name: 'which file in the folder', files: write('data/more/two.txt', 'another\n'), names: /two\.txt/ },
  {
    name: 'a file is added to a folder',
    files: write('data/more/four.txt', 'four\n'),
    names: MORE,
  },
  { name: 'which file was added', files: write('data/more/four.txt', 'four\n'), names: /four\.txt/ },
  {
    name: 'which file was removed',
    files: (dir) => rmSync(join(dir, 'data/more/two.txt')),
    names: /two\.txt/,
  },
  {
    name: 'a file is renamed: its old or new name',
    files: (dir) => renameSync(join(dir, 'data/more/two.txt'), join(dir, 'data/more/zwei.txt')),
    names: /zwei\.txt|two\.txt/,
  },
  {
    name: 'the first command is edited',
    pipeline: withStage('first', { run: 'cat {rows} {rows} > {out}' }),
    names: COMMAND,
  },
  {
    name: 'the last command is edited',
    pipeline: withStage('third', { run: 'cat {joined} {joined} > {out}' }),
    names: COMMAND,
  },
  {
    name: 'a stage reads one file more',
    pipeline: withStage('third', {
      reads: { joined: { stage: 'second' }, extra: { file: 'data/extra.txt' } },
    }),
    names: /data\/extra|content of extra|set of input files/i,
  },
  {
    name: 'a stage reads one file less',
    pipeline: withStage('second', {
      reads: { a: { stage: 'first' } },
      run: '(cat {a}; ls data/more) > {out}',
    }),
    names: /set of input files|content of more|data\/more/i,
  },
  {
    name: 'two causes at once',
    files: write('data/rows.txt', 'another\n'),
    pipeline: withStage('third', { run: 'cat {joined} {joined} > {out}' }),
    names: new RegExp(`(?=[^]*(?:${ROWS.source}))(?=[^]*(?:${COMMAND.source}))`, 'i'),
  },
]

export async function measure(engines, { show }) {
  const named = new Map()
  for (const engine of engines) {
    const project = projectFor(engine, original)
    engine.track?.(project.dir, ['data/rows.txt', 'data/extra.txt', 'data/more'])
    await firstRun(engine, project)
    const before = await answer(engine, project.dir)
    if (show) console.error(`--- ${engine.name}: nothing has changed\n${before}`)
    for (const change of CHANGES) {
      if (change.names.test(before))
        throw new Error(`${engine.name} says this always: ${change.names}\n${before}`)
      const dir = mkdtempSync(join(tmpdir(), 'engines-change-'))
      cpSync(project.dir, dir, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
      change.files?.(dir)
      if (change.pipeline !== undefined) engine.set(dir, change.pipeline)
      const text = await answer(engine, dir)
      if (show) console.error(`--- ${engine.name}: ${change.name}\n${text}`)
      named.set(`${engine.name} ${change.name}`, change.names.test(text))
      rmSync(dir, { recursive: true })
    }
    project.remove()
  }
  const cell = ({ name }, change) => (named.get(`${name} ${change.name}`) ? 'yes' : 'no')
  const rows = CHANGES.map((change) => [change.name, ...engines.map((engine) => cell(engine, change))])
  const score = (engine) => CHANGES.filter((change) => cell(engine, change) === 'yes').length
  rows.push(['**named**', ...engines.map((engine) => `**${score(engine)} of ${CHANGES.length}**`)])
  return { head: ['', ...engines.map(({ name }) => name)], rows }
}

async function answer(engine, dir) {
  let text = ''
  for (const command of engine.asks) {
    const { stdout, stderr } = await measureIn(command, dir)
    text += `${stdout}\n${stderr}\n`
  }
  return text
}
