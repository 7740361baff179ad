// E8: two people (or jobs) ask at once for different stages that share one which is up to date.
import { firstRun, projectFor } from './bench.mjs'
import { median } from '../statistics.mjs'
import { fork } from './pipelines.mjs'

export const title = 'E8 Two at once on a shared stage that is done'

const SECONDS = 1

export async function measure(engines, { rounds: count }) {
  const rows = []
  for (const engine of engines) {
    const times = []
    let failed = 0
    for (let round = 0; round < count; round++) {
      const project = projectFor(engine, fork(SECONDS))
      await must(engine, project, 'shared')
      const started = performance.now()
      const both = await Promise.all([project.run('left'), project.run('right')])
      times.push(performance.now() - started)
      failed += both.filter(({ code }) => code !== 0).length
      project.remove()
    }
    rows.push([engine.name, `${failed} of ${2 * times.length}`, `${(median(times) / 1000).toFixed(1)} s`])
  }
  return { head: ['', 'failed', `until both are over, of ${SECONDS} s each`], rows }
}

async function must(engine, project, target) {
  await firstRun(engine, { run: () => project.run(target) })
}
