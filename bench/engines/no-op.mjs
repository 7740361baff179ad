// E1: nothing to do. How long does it take to see that?
import { cells, firstRun, projectFor, rounds } from './bench.mjs'
import { chains, folders } from './pipelines.mjs'

export const title = 'E1 Nothing to do'

export async function measure(engines, { size, rounds: count }) {
  const sizes = { quick: [10], usual: [10, 100, 300], large: [10, 100, 1000] }[size]
  const pipelines = [
    ...sizes.map((size) => [`${size} stages`, chains(size)]),
    size === 'quick'
      ? ['20 stages over 200 files', folders(20, 10)]
      : ['20 stages over 10 000 files', folders(20, 500)],
  ]
  const rows = []
  for (const [name, pipeline] of pipelines) {
    const projects = new Map(engines.map((engine) => [engine, projectFor(engine, pipeline)]))
    for (const [engine, project] of projects) {
      await firstRun(engine, project)
      project.ran()
    }
    const noOp = async (engine) => {
      const project = projects.get(engine)
      const { ms, code } = await project.run()
      const ran = project.ran()
      if (code !== 0 || ran.length > 0) throw new Error(`${engine.name}: code ${code}, ran ${ran.join(' ')}`)
      return ms
    }
    // In the first round after it was written, a file may have to be read again to know that it is the same.
    await rounds(1, engines, noOp)
    rows.push([name, ...cells(await rounds(count, engines, noOp))])
    for (const project of projects.values()) project.remove()
  }
  return { head: ['', ...engines.map(({ name }) => name)], rows }
}
