/** One measurement for bench/overhead.mjs: a pipeline of many trivial stages is run in this process, then run again. */
import { environmentAt, go, newRoot, pipelineOf } from '../tests/support/rig.ts'
import type { Toy } from '../tests/support/rig.ts'

const [worker = '', count = '1000'] = process.argv.slice(2)
const root = newRoot()
const stages: Record<string, Toy> = { start: {} }
for (let i = 1; i < Number(count); i++)
  stages[`t[i=${String(i)}]`] = {
    with: { files: { 'x.txt': String(i) } },
    inputs: { a: 'start' },
    more: { base: 't', point: { i }, sweep: { stage: 't', maxParallel: null, keepGoing: true } },
  }
const pipeline = pipelineOf(stages)
const command = { command: process.execPath, args: [worker] }
const environment = { ...environmentAt(root), workers: { text: command, kernel: command } }

async function timed(): Promise<{ ms: number; cpuMs: number; cached: number }> {
  const began = performance.now()
  const before = process.cpuUsage()
  const { exitCode, events } = await go(root, pipeline, { environment })
  if (exitCode !== 0) throw new Error(`exit ${String(exitCode)}`)
  const { user, system } = process.cpuUsage(before)
  return {
    ms: performance.now() - began,
    cpuMs: (user + system) / 1000,
    cached: events.filter(({ type }) => type === 'stage.cached').length,
  }
}

const executed = await timed()
const executedMegabytes = process.memoryUsage().rss / 2 ** 20
const cached = await timed()
if (executed.cached !== 0 || cached.cached !== Number(count)) throw new Error('the wrong stages ran')
const megabytes = process.memoryUsage().rss / 2 ** 20
process.stdout.write(
  JSON.stringify({
    root,
    executed: { ...executed, megabytes: executedMegabytes },
    cached: { ...cached, megabytes },
  }),
)
