// What the cases share: a project for each engine, interleaved rounds, a Markdown table.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureProcess } from '../measured-process.mjs'
import { plainEnvironment } from '../project-copy.mjs'
import { median } from '../statistics.mjs'
import { writeFiles } from './pipelines.mjs'

/** A folder with the files of a pipeline, written down for one engine. */
export function projectFor(engine, pipeline) {
  const dir = mkdtempSync(join(tmpdir(), `engines-${engine.name.toLowerCase()}-`))
  writeFiles(dir, pipeline.files)
  engine.set(dir, pipeline)
  return {
    dir,
    run: (...targets) => measureIn(engine.run(targets), dir),
    runWith: (variables) => measureIn(engine.run(), dir, variables),
    measure: (command) => measureIn(command, dir),
    ran: () => ranIn(dir),
    made: (name) => readIfThere(engine.made(dir, name)),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}

/** Which stages ran since the last look. */
export function ranIn(dir) {
  const path = join(dir, 'ran.log')
  const names = readIfThere(path).split('\n').filter(Boolean)
  rmSync(path, { force: true })
  return names
}

export function environment() {
  return { ...plainEnvironment(), DVC_NO_ANALYTICS: '1' }
}

export function measureIn(command, cwd, variables = {}) {
  return measureProcess(command, { cwd, env: { ...environment(), ...variables } })
}

/** The first run of all, which has to work; without it there is nothing to compare. */
export async function firstRun(engine, project) {
  const done = await project.run()
  if (done.code !== 0) throw new Error(`${engine.name} ended with ${done.code}:\n${tail(done)}`)
  return done
}

/** Every round asks each engine once. @returns {Promise<Map<string, number[]>>} milliseconds by name */
export async function rounds(count, engines, once) {
  const times = new Map(engines.map(({ name }) => [name, []]))
  for (let round = 0; round < count; round++)
    for (const engine of engines) times.get(engine.name).push(await once(engine, round))
  return times
}

/** `420 (2.1x)`: the median, and how many times the first engine's it is. */
export function cells(times) {
  const [first] = times.values()
  return [...times.values()].map((each) => {
    const ms = median(each)
    return `${ms.toFixed(0)} ms (${(ms / median(first)).toFixed(1)}x)`
  })
}

export function tail({ stdout, stderr }) {
  return `${stdout}\n${stderr}`.trim().split('\n').slice(-12).join('\n')
}

export function printMarkdown(title, head, rows) {
  console.log(`\n### ${title}\n`)
  for (const row of [head, head.map(() => '---'), ...rows]) console.log(`| ${row.join(' | ')} |`)
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
