// E4: an edit that the first stage's output does not show. How many stages run again?
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstRun, projectFor } from './bench.mjs'
import { cleaned } from './pipelines.mjs'

export const title =
  'E4 Blanks added to the input of a chain of 10, which its first stage drops: stages that run again'

export async function measure(engines) {
  const row = []
  for (const engine of engines) {
    const project = projectFor(engine, cleaned(10))
    await firstRun(engine, project)
    project.ran()
    appendFileSync(join(project.dir, 'data/rows.txt'), '   ')
    await firstRun(engine, project)
    row.push(`${project.ran().length} of 10`)
    project.remove()
  }
  return { head: ['', ...engines.map(({ name }) => name)], rows: [['run again', ...row]] }
}
