/** Two hosts on one shared folder, as two host names and process namespaces: each sees of the other only files. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Pipeline } from '../../dsl/pipeline.ts'
import { PATIENCE_MS } from '../../engine/run/others.ts'
import type { Logged } from '../../engine/run/events.ts'
import { readLog, runIds } from '../../engine/run/log.ts'
import { lines, newRoot, pipelineOf, until } from '../support/rig.ts'
import { inspect, leftovers, torturedChild } from '../support/torture.ts'

const NAMESPACES = ['-r', '--uts', '--pid', '--fork', '--mount-proc', '--kill-child']
const asHost = (name: string, ...command: readonly string[]) => [
  ...NAMESPACES,
  // Not as process 1 of its namespace, which no signal of its own can end.
  ...['sh', '-c', `echo ${name} > /proc/sys/kernel/hostname && "$@"; exit $?`, 'sh', ...command],
]
const probe = spawnSync('unshare', asHost('host-a', 'uname', '-n'), { encoding: 'utf8' })
const possible = probe.status === 0 && probe.stdout === 'host-a\n'
if (!possible) console.warn(`SKIPPED: two hosts on one folder; unshare does not work here: ${probe.stderr}`)

const child = join(newRoot(), 'child.mjs')
beforeAll(() => torturedChild(child))

function runOn(host: string, root: string, pipeline: Pipeline, failpoint: string | null = null) {
  const order = JSON.stringify({ root, pipeline, failpoint })
  const run = spawn('unshare', asHost(host, process.execPath, child, order), {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return once(run, 'exit') as Promise<[number | null]>
}

/** Events of a type in the logs of all runs. */
function heard<T extends Logged['type']>(root: string, type: T): readonly Extract<Logged, { type: T }>[] {
  const state = join(root, '.sluice')
  const all = runIds(state).flatMap((run) => readLog(join(state, 'runs', run, 'run.jsonl')))
  return all.filter((event): event is Extract<Logged, { type: T }> => event.type === type)
}

describe.skipIf(!possible).concurrent('two hosts on one folder', () => {
  test('what a dead host held is taken over after missed beats, and swept', async () => {
    const root = newRoot()
    const pipeline = pipelineOf({ a: {} })
    await runOn('host-a', root, pipeline, 'job-done')
    expect(leftovers(root)).toHaveLength(2)
    const began = performance.now()
    expect(await runOn('host-b', root, pipeline)).toEqual([0, null])
    expect(performance.now() - began).toBeGreaterThan(PATIENCE_MS)
    expect(heard(root, 'stage.waiting')).toMatchObject([
      {
        stage: 'a',
        holder: expect.stringMatching(/^process \d+ on host-a since .* \(sluice run\)$/) as string,
      },
    ])
    expect(heard(root, 'stage.done')).toHaveLength(1)
    expect(readdirSync(join(root, '.sluice/locks'))).toEqual([])
    expect(inspect(root).corrupt).toEqual([])
  })

  test('a living one is waited for, far longer than that, and its result is used', async () => {
    const root = newRoot()
    const mark = join(root, 'mark')
    const pipeline = pipelineOf({
      a: { with: { files: { 'x.txt': 'x' }, slow: PATIENCE_MS * 1.6, mark, name: 'made' } },
    })
    const first = runOn('host-a', root, pipeline)
    await until(() => existsSync(mark), 'the job runs', 60_000)
    const second = runOn('host-b', root, pipeline)
    expect(await first).toEqual([0, null])
    expect(await second).toEqual([0, null])
    expect(lines(mark)).toEqual(['made'])
    expect(heard(root, 'stage.cached')).toMatchObject([
      { from: expect.stringMatching(/^made by process \d+ on host-a since /) as string },
    ])
    expect(leftovers(root)).toEqual([])
  })
})
