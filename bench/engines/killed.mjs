// E5: the engine and its commands are killed at a random instant of a run, then started again.
//
// Refused: the next run ends with an error (then what the engine's documents say to do is tried). Wrong: a run that ends well
// leaves another result than one that was never killed.
import { spawn } from 'node:child_process'
import { environment, firstRun, projectFor } from './bench.mjs'
import { slowChain } from './pipelines.mjs'

export const title = 'E5 Killed at a random instant of a run, then run again'

const STAGES = 6
const LAST = `s${STAGES - 1}`

export async function measure(engines, { kills }) {
  const pipeline = slowChain(STAGES, 0.1)
  const rows = []
  for (const engine of engines) {
    const whole = projectFor(engine, pipeline)
    const { ms } = await firstRun(engine, whole)
    const expected = whole.made(LAST)
    whole.remove()
    if (expected === '') throw new Error(`${engine.name} made nothing`)
    const seen = { refused: 0, repaired: 0, wrong: 0 }
    for (let trial = 0; trial < kills; trial++) {
      const project = projectFor(engine, pipeline)
      // One instant in each of as many equal parts of the run, so that all of it is met.
      await killDuring(engine.run(), project.dir, (ms * (trial + Math.random())) / kills)
      let { code } = await project.run()
      if (code !== 0) {
        seen.refused++
        for (const command of engine.repair) ({ code } = await project.measure(command))
        if (code === 0) seen.repaired++
      }
      if (code === 0 && project.made(LAST) !== expected) seen.wrong++
      project.remove()
    }
    rows.push([engine.name, kills, seen.refused, seen.repaired, seen.wrong])
  }
  return { head: ['', 'kills', 'refused to go on', 'of these repaired as told', 'wrong result'], rows }
}

/** Kills the whole process group, as a closed terminal or a scheduler does. */
function killDuring([file, ...args], cwd, ms) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env: environment(), stdio: 'ignore', detached: true })
    child.on('error', reject)
    child.on('exit', () => {
      clearTimeout(timer)
      // Children that are still dying hold no file of the next run.
      setTimeout(resolve, 100)
    })
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), ms)
  })
}
