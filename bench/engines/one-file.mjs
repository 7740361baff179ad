// E2: one file among many is edited.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cells, firstRun, projectFor, rounds } from './bench.mjs'
import { folders } from './pipelines.mjs'

export const title = 'E2 One changed file among many'

export async function measure(engines, { size, rounds: count }) {
  const [stages, each] = { quick: [4, 100], usual: [20, 500], large: [20, 5000] }[size]
  const pipeline = folders(stages, each)
  const projects = new Map(engines.map((engine) => [engine, projectFor(engine, pipeline)]))
  for (const [engine, project] of projects) {
    await firstRun(engine, project)
    project.ran()
  }
  const times = await rounds(count, engines, async (engine, round) => {
    const project = projects.get(engine)
    writeFileSync(join(project.dir, 'data/f1/7.txt'), `edited in round ${round}\n`)
    const { ms, code } = await project.run()
    const ran = project.ran()
    if (code !== 0 || ran.join() !== 's1')
      throw new Error(`${engine.name}: code ${code}, ran ${ran.join(' ')}`)
    return ms
  })
  for (const project of projects.values()) project.remove()
  return {
    head: ['', ...engines.map(({ name }) => name)],
    rows: [[`1 of ${stages * each} files`, ...cells(times)]],
  }
}
