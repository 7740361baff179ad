/** A run in which something goes wrong: what it says, with which exit code, and what it leaves behind. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { Json } from '../../dsl/stage-signature.ts'
import type { Ran } from '../support/rig.ts'
import { environmentAt, go, lines, newRoot, pipelineOf, runs, staged, until, write } from '../support/rig.ts'

let root = ''
beforeEach(() => {
  root = newRoot()
})

const bad = (told: Record<string, Json>) =>
  pipelineOf({ bad: { with: { files: { 'x.txt': 'x' }, ...told } } })
const failure = (ran: Ran, stage = 'bad') => ran.state.stages.get(stage)?.failure
/** Nothing of the attempt may be found by a later run. */
const unpublished = () => {
  expect(existsSync(join(root, '.sluice/results'))).toBe(false)
  expect(existsSync(join(root, '.sluice/out'))).toBe(false)
  expect(existsSync(join(root, 'toy.pipeline.lock'))).toBe(false)
  expect(staged(root)).toEqual([])
}
const logOf = (ran: Ran) => readFileSync(join(root, failure(ran)?.log ?? '', 'log'), 'utf8')
const puppet = environmentAt('').workers['text'] ?? { command: '', args: [] }

describe('a job that fails', () => {
  test.each([
    ['input', 1],
    ['bug', 1],
    ['memory', 6],
    ['resources', 6],
    ['cancelled', 130],
  ])('as %s is exit %i', async (kind, exitCode) => {
    const ran = await go(
      root,
      bad({ fail: { kind, message: 'no rows', help: 'add rows', detail: 'at line 3' } }),
    )
    expect(ran.exitCode).toBe(exitCode)
    expect(failure(ran)).toEqual({
      cause: kind,
      message: 'no rows',
      help: 'add rows',
      log: expect.stringContaining('.sluice/runs/') as string,
    })
    expect(logOf(ran)).toContain('at line 3')
    expect(ran.events.at(-1)).toMatchObject({ type: 'run.done', exitCode })
    unpublished()
  })

  test('stops what follows, the rest finishes and is kept', async () => {
    const pipeline = (fail: Json) =>
      pipelineOf({
        bad: { with: { files: { 'x.txt': 'x' }, fail } },
        next: { inputs: { a: 'bad.out' } },
        last: { inputs: { a: 'next.out' } },
        other: {},
        beside: { inputs: { a: 'other.out' } },
      })
    const ran = await go(root, pipeline({ kind: 'input', message: 'no' }))
    expect(ran.exitCode).toBe(1)
    expect(ran.status).toEqual({
      bad: 'failed',
      next: 'skipped',
      last: 'skipped',
      other: 'done',
      beside: 'done',
    })
    expect(ran.state.stages.get('next')?.skippedBecause).toBe('bad failed')
    expect(ran.state.stages.get('last')?.skippedBecause).toBe('next was not run')
    expect(existsSync(join(root, 'toy.pipeline.lock'))).toBe(false)
    const mended = await go(root, pipeline(null))
    expect(mended.status).toEqual({
      bad: 'done',
      next: 'done',
      last: 'done',
      other: 'cached',
      beside: 'cached',
    })
  })

  test('a missing output and a link in an output are failures', async () => {
    const missing = await go(root, bad({ files: {} }))
    expect(missing.exitCode).toBe(1)
    expect(failure(missing)?.message).toBe('nothing was written for the output out')
    unpublished()
    const linked = await go(root, bad({ symlink: true }))
    expect(linked.exitCode).toBe(1)
    expect(failure(linked)?.message).toContain('link is not a plain file')
    unpublished()
  })
})

describe('a worker that misbehaves', () => {
  test('garbage on the protocol and on stdout goes to the log and harms nothing', async () => {
    const print = `${'训练'.repeat(50_000)}\n`
    const ran = await go(
      root,
      bad({ garbage: true, print, printError: 'CUDA warning\n', note: 'few rows', losses: [3, 2] }),
    )
    expect(failure(ran)).toBeNull()
    expect(ran.exitCode).toBe(0)
    expect(ran.results.get('bad')?.summary).toEqual({})
    const [folder = ''] = ran.events.flatMap((event) => (event.type === 'run.start' ? [event.run] : []))
    const log = readFileSync(join(root, '.sluice/runs', folder, 'bad/1/log'), 'utf8')
    expect(log).toContain('not a protocol message: null')
    expect(log).toContain('CUDA warning')
    // No character was cut between two chunks.
    expect(log.match(/训练/g)).toHaveLength(50_000)
    expect(ran.state.stages.get('bad')).toMatchObject({ losses: [3, 2], notes: ['few rows'] })
  })

  test('a message without its fields fails the stage, not the engine', async () => {
    const ran = await go(root, bad({ broken: true }))
    expect(ran.exitCode).toBe(1)
    expect(failure(ran)?.cause).toBe('bug')
    unpublished()
  })

  test.each<[string, Record<string, Json>, string]>([
    ['exits', { exit: 7 }, 'the worker ended with exit code 7; the last it printed: last words'],
    [
      'exits well but early',
      { exit: 0 },
      'the worker ended with exit code 0; the last it printed: last words',
    ],
    ['is killed', { kill: true }, 'the worker ended with SIGKILL'],
  ])('one that %s in the middle is exit 6, and the next run works', async (_, told, message) => {
    const ran = await go(root, bad({ ...told, printError: 'last words' }))
    expect(ran.exitCode).toBe(6)
    expect(failure(ran)).toMatchObject({ cause: 'worker-lost', message })
    expect(logOf(ran)).toContain('last words')
    unpublished()
    const next = await go(root, bad({ printError: 'last words' }))
    expect(next.exitCode).toBe(0)
    expect((await go(root, bad({ printError: 'last words' }))).status).toEqual({ bad: 'cached' })
  })

  test('one that is killed while its child holds the pipes is noticed, and the child ends', async () => {
    const pids = join(root, 'pids')
    const ran = await go(root, bad({ kill: true, child: true, pids }))
    expect(ran.exitCode).toBe(6)
    const [worker, child] = lines(pids).map(Number)
    await until(() => !runs(worker ?? 0) && !runs(child ?? 0), 'both gone')
  })

  test('one that leaves right after its answer has answered', async () => {
    const pipeline = pipelineOf({
      a: { with: { files: { x: 'a' }, exitAfter: true } },
      b: { inputs: { a: 'a.out' } },
    })
    expect((await go(root, pipeline)).status).toEqual({ a: 'done', b: 'done' })
  })

  test('one that cannot be started, or dies at once, is exit 6 and named', async () => {
    const missing = await go(root, bad({}), {
      environment: { workers: { text: { command: '/no/such/program', args: [] } } },
    })
    expect(missing.exitCode).toBe(6)
    expect(failure(missing)).toMatchObject({
      cause: 'worker-lost',
      message: 'the worker cannot start: there is no program /no/such/program on this machine',
    })
    const dies = await go(root, bad({}), {
      environment: { workers: { text: { ...puppet, args: [...puppet.args, 'dies'] } } },
    })
    expect(dies.exitCode).toBe(6)
    expect(failure(dies)?.message).toContain('exit code 9')
    expect(failure(dies)?.message).toContain('no such library')
    expect(logOf(dies)).toContain('no such library')
  })
})

describe('stopping', () => {
  const stopWhen = async (told: Record<string, Json>, more: Parameters<typeof go>[2] = {}) => {
    const stop = new AbortController()
    const pids = join(root, 'pids')
    let stoppedAt = 0
    const pipeline = pipelineOf({
      before: {},
      bad: { with: { files: { 'x.txt': 'x' }, pids, ...told }, inputs: { a: 'before.out' } },
      next: { inputs: { a: 'bad.out' } },
    })
    const running = go(root, pipeline, { signal: stop.signal, ...more })
    if (more.environment?.workers === undefined)
      await until(() => lines(pids).length > (told['child'] === true ? 1 : 0), 'the job runs')
    else await new Promise((resolve) => setTimeout(resolve, 300))
    stoppedAt = performance.now()
    stop.abort(new Error('stopped on request'))
    const ran = await running
    return { ran, tookMs: performance.now() - stoppedAt, pids: lines(pids).map(Number) }
  }

  test('a willing worker ends at once; what was finished stays', async () => {
    const { ran, tookMs, pids } = await stopWhen({ hang: true })
    expect(ran.exitCode).toBe(130)
    expect(tookMs).toBeLessThan(2000)
    expect(ran.status).toEqual({ before: 'done', bad: 'failed', next: 'skipped' })
    expect(failure(ran)).toMatchObject({ cause: 'cancelled', message: 'stopped on request' })
    expect(pids.filter(runs)).toEqual([])
    expect(staged(root)).toEqual([])
    expect(existsSync(join(root, 'toy.pipeline.lock'))).toBe(false)
    expect(readdirSync(join(root, '.sluice/locks'))).toEqual([])
    const pipeline = pipelineOf({ before: {}, bad: { inputs: { a: 'before.out' } } })
    expect((await go(root, pipeline)).status).toEqual({ before: 'cached', bad: 'done' })
  })

  test('one that ignores the request and SIGTERM is killed with its children', async () => {
    const { ran, tookMs, pids } = await stopWhen({ hang: true, ignoreCancel: true, child: true })
    expect(ran.exitCode).toBe(130)
    expect(failure(ran)?.cause).toBe('cancelled')
    expect(tookMs).toBeLessThan(9000)
    expect(pids).toHaveLength(2)
    await until(() => !pids.some(runs), 'worker and child are gone')
    expect(staged(root)).toEqual([])
  })

  test('a worker that never says hello can be stopped too', async () => {
    const workers = { text: { ...puppet, args: [...puppet.args, 'mute'] } }
    const { ran, tookMs } = await stopWhen({}, { environment: { workers } })
    expect(ran.exitCode).toBe(130)
    expect(tookMs).toBeLessThan(2000)
    expect(ran.status).toEqual({ before: 'failed', bad: 'skipped', next: 'skipped' })
  })

  test('before it began, nothing runs', async () => {
    const ran = await go(root, bad({}), { signal: AbortSignal.abort(new Error('stopped')) })
    expect(ran.exitCode).toBe(130)
    expect(ran.results.size).toBe(0)
    unpublished()
  })

  test('while waiting for another run', async () => {
    const stop = new AbortController()
    const slow = bad({ slow: 400 })
    let second: Promise<Ran> | null = null
    const first = await go(root, slow, {
      onEvent: (event) => {
        if (event.type === 'stage.start') {
          second = go(root, slow, {
            signal: stop.signal,
            onEvent: (heard) => heard.type === 'stage.waiting' && stop.abort(new Error('stopped')),
          })
        }
      },
    })
    expect(first.exitCode).toBe(0)
    expect((await (second as Promise<Ran> | null))?.exitCode).toBe(130)
  })
})

describe('timeout', () => {
  test('ends the stage, says so, and is exit 1', async () => {
    const pids = join(root, 'pids')
    const ran = await go(
      root,
      pipelineOf({ bad: { with: { files: { x: 'x' }, hang: true, pids }, timeoutMs: 250 }, other: {} }),
    )
    expect(ran.exitCode).toBe(1)
    expect(failure(ran)).toMatchObject({
      cause: 'timeout',
      message: 'it ran longer than its timeout of 0.25 s',
    })
    expect(ran.status['other']).toBe('done')
    expect(lines(pids).map(Number).filter(runs)).toEqual([])
    expect(staged(root)).toEqual([])
  })

  test('does not count the time in which a stage waits for a slot', async () => {
    const pipeline = pipelineOf({
      slow: { with: { files: { x: 'x' }, slow: 900 } },
      quick: { timeoutMs: 700 },
    })
    const ran = await go(root, pipeline, { environment: { slots: { text: 1, kernel: 1 } } })
    expect(ran.status).toEqual({ slow: 'done', quick: 'done' })
  })
})

describe('a state folder that cannot be used', () => {
  test.each(['cas', 'results', 'staging', 'out'])(
    '.sluice/%s is a file: a failure of the machine, in words, then mended',
    async (name) => {
      write(root, `.sluice/${name}`, 'in the way')
      const ran = await go(root, bad({}))
      expect(ran.exitCode).toBe(6)
      expect(failure(ran)).toMatchObject({
        cause: 'resources',
        message: expect.stringContaining(`.sluice/${name}`) as string,
      })
      expect(failure(ran)?.help).toContain('remove it')
      rmSync(join(root, '.sluice', name))
      expect((await go(root, bad({}))).exitCode).toBe(0)
    },
  )

  test('a full disk while a worker talks fails the stage in words', async () => {
    // The attempt's log is a folder: appending to it fails in a stream's callback, as on a full disk.
    const stop = (run: string) => {
      const folder = join(root, '.sluice/runs', run, 'bad/1')
      mkdirSync(join(folder, 'log'), { recursive: true })
      writeFileSync(join(folder, 'x'), '')
    }
    const ran = await go(root, bad({ print: 'words\n', hang: true }), {
      onEvent: (event) => event.type === 'run.start' && stop(event.run),
    })
    expect(ran.exitCode).toBe(6)
    expect(failure(ran)?.cause).toBe('resources')
    expect(staged(root)).toEqual([])
  })
})

test('a clock that jumps back and forth changes no result and hides no change', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    const pipeline = pipelineOf({ a: { inputs: { a: '@data' }, with: { copy: true } } }, { data: 'rows.txt' })
    const seen: string[] = []
    for (const [at, year] of [2026, 2035, 1999, 2026, 1971].entries()) {
      vi.setSystemTime(new Date(`${String(year)}-03-01T00:00:00Z`))
      write(root, 'rows.txt', `rows ${String(at)}`)
      const ran = await go(root, pipeline)
      expect(ran.status).toEqual({ a: 'done' })
      expect((await go(root, pipeline)).status).toEqual({ a: 'cached' })
      seen.push(ran.digests['a.out'] ?? '')
    }
    expect(new Set(seen).size).toBe(5)
    // Back to the first rows: their result is still there.
    write(root, 'rows.txt', 'rows 0')
    expect(await go(root, pipeline)).toMatchObject({ status: { a: 'cached' }, digests: { 'a.out': seen[0] } })
    expect(readdirSync(join(root, '.sluice/locks'))).toEqual([])
  } finally {
    vi.useRealTimers()
  }
})
