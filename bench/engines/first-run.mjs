// E3: many trials are run for the first time. An engine that writes its whole state after each stage grows quadratically.
import { firstRun, projectFor } from './bench.mjs'
import { trials } from './pipelines.mjs'

export const title = 'E3 Trials of one command, first run: seconds, and milliseconds a trial'

export async function measure(engines, { size: wanted }) {
  const rows = []
  for (const size of { quick: [5, 10], usual: [50, 100, 200], large: [125, 250, 500, 1000] }[wanted]) {
    const row = []
    for (const engine of engines) {
      const project = projectFor(engine, trials(size))
      const { ms } = await firstRun(engine, project)
      const ran = project.ran()
      if (ran.length !== size) throw new Error(`${engine.name} ran ${ran.length} of ${size} trials`)
      row.push(`${(ms / 1000).toFixed(1)} s (${(ms / size).toFixed(0)})`)
      project.remove()
    }
    rows.push([`${size} trials`, ...row])
  }
  return { head: ['', ...engines.map(({ name }) => name)], rows }
}
