// E7: what must run again does, and what need not does not.
//
// After a first run something is changed and the engine runs again. Where the change decides the result, that has to be the new one,
// else it is stale without a word; where it does not, no command may run. Only the final file and the commands that ran are looked at,
// not what the engine says. A variable is declared in the way that the engine's documents have for it; DVC has none.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstRun, measureIn, projectFor, ranIn } from './bench.mjs'

export const title = 'E7 A change, and the next run: is the result right, and is nothing done in vain?'

const ROWS = 'data/rows.txt'
const files = [
  [ROWS, 'a row\n'],
  ['data/more.txt', 'more\n'],
]
const first = { name: 'first', reads: { rows: { file: ROWS } }, run: 'cat {rows} > {out}' }
const second = {
  name: 'second',
  reads: { left: { stage: 'first' }, right: { file: 'data/more.txt' } },
  run: 'cat {left} {right} > {out}',
}
const original = { files, stages: [first, second] }
const asked = { ...second, variables: ['MODE'], run: '(cat {left} {right}; echo "$MODE") > {out}' }

/** `expected`: what the result must be; without it nothing may run. */
const CHANGES = [
  {
    name: 'a file is written in place, of the same size, with its old time',
    change: ({ dir }) => {
      const path = join(dir, ROWS)
      execFileSync('touch', ['-r', path, join(dir, 'time')])
      writeFileSync(path, 'b row\n')
      execFileSync('touch', ['-r', join(dir, 'time'), path])
    },
    expected: 'b row\nmore\n',
  },
  {
    name: 'another file of its size and time is moved in its place',
    change: ({ dir }) => {
      writeFileSync(join(dir, 'other'), 'b row\n')
      execFileSync('touch', ['-r', join(dir, ROWS), join(dir, 'other')])
      renameSync(join(dir, 'other'), join(dir, ROWS))
    },
    expected: 'b row\nmore\n',
  },
  {
    name: 'what a command reads first and second is swapped',
    pipeline: {
      ...original,
      stages: [first, { ...second, reads: { left: { file: 'data/more.txt' }, right: { stage: 'first' } } }],
    },
    expected: 'more\na row\n',
  },
  {
    name: 'a variable that the command reads has another value',
    before: { ...original, stages: [first, asked] },
    variables: [{ MODE: 'one' }, { MODE: 'two' }],
    expected: 'a row\nmore\ntwo\n',
  },
  {
    name: 'the result is removed',
    change: ({ madeAt }) => rmSync(madeAt, { force: true }),
    expected: 'a row\nmore\n',
  },
  {
    name: 'the result is replaced by hand',
    change: ({ dir, madeAt }) => {
      writeFileSync(join(dir, 'other'), 'by hand\n')
      renameSync(join(dir, 'other'), madeAt)
    },
    expected: 'a row\nmore\n',
  },
  {
    name: 'a file has a new time',
    change: ({ dir }) => utimesSync(join(dir, ROWS), new Date(), new Date()),
  },
  {
    name: 'a file is written anew with the same bytes',
    change: ({ dir }) => {
      const text = readFileSync(join(dir, ROWS))
      rmSync(join(dir, ROWS))
      writeFileSync(join(dir, ROWS), text)
    },
  },
  { name: 'the stages are written in another order', pipeline: { ...original, stages: [second, first] } },
  {
    name: 'the last stage has another name',
    pipeline: { ...original, stages: [first, { ...second, name: 'final', made: 'second' }] },
  },
  {
    name: 'a file is edited, then as it was',
    change: async ({ dir, run }) => {
      writeFileSync(join(dir, ROWS), 'another row\n')
      await run()
      writeFileSync(join(dir, ROWS), 'a row\n')
    },
  },
  { name: 'the project is copied to another folder, times and all', copy: true },
]

export async function measure(engines, { show }) {
  const rows = []
  const right = new Map(engines.map(({ name }) => [name, 0]))
  for (const each of CHANGES) {
    const row = []
    for (const engine of engines) {
      const outcome = await outcomeOf(engine, each, show)
      if (outcome === 'right') right.set(engine.name, right.get(engine.name) + 1)
      row.push(outcome)
    }
    rows.push([each.name, each.expected === undefined ? 'need not' : 'must', ...row])
  }
  rows.push(['**right**', '', ...[...right.values()].map((count) => `**${count} of ${CHANGES.length}**`)])
  return { head: ['', 'run again', ...engines.map(({ name }) => name)], rows }
}

/** `right`; `stale` for an old result; `2 ran` for commands that ran in vain; or that it went wrong. */
async function outcomeOf(engine, each, show) {
  const { before = original, pipeline, change, copy, expected, variables = [{}, {}] } = each
  const project = projectFor(engine, before)
  await firstRun(engine, { run: () => project.runWith(variables[0]) })
  project.ran()
  let { dir } = project
  await change?.({ dir, madeAt: engine.made(dir, 'second'), run: () => firstRun(engine, project) })
  if (pipeline !== undefined) engine.set(dir, pipeline)
  if (copy) {
    dir = mkdtempSync(join(tmpdir(), 'engines-copy-'))
    cpSync(project.dir, dir, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  }
  project.ran()
  const done = await measureIn(engine.run(), dir, variables[1])
  const ran = ranIn(dir)
  const made = project.made('second')
  if (show) console.error(`--- ${engine.name}: ${each.name}\n${done.stdout}${done.stderr}`)
  project.remove()
  if (copy) rmSync(dir, { recursive: true })
  if (done.code !== 0) return `ended with ${done.code}`
  if (expected !== undefined) return made === expected ? 'right' : 'stale'
  return ran.length === 0 ? 'right' : `${ran.length} ran`
}
