/** The engine's session and the real worker host, talking to each other over a real process. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FromWorker } from '../../workers/protocol/messages.ts'
import { WorkerPool } from '../../engine/worker/pool.ts'
import { WorkerSession } from '../../engine/worker/session.ts'
import type { JobOutcome, WorkerCommand } from '../../engine/worker/session.ts'
import { newRoot, until } from '../support/rig.ts'

const WORKER = `
import { serve } from './host.ts'
import { JobError } from './op.ts'
const ops = {
  add: async ({ with: { a, b }, threads }) => ({ sum: a + b, threads, pid: process.pid }),
  talk: async ({ progress, note }) => {
    for (let i = 1; i <= 1000; i++) progress(i, 1000, 'rows', { loss: i === 1000 ? NaN : i })
    note('warning', 'slow')
    console.log('from the library')
    return {}
  },
  input: async () => { throw new JobError('input', 'no rows', 'add some') },
  foreign: async () => { throw Object.assign(new Error('told'), { kind: 'resources', help: null }) },
  bug: async () => { null.x },
  text: async () => { throw 'only text' },
  full: async () => { throw Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC' }) },
  memory: async () => { throw new RangeError('Array buffer allocation failed') },
  enomem: async () => { throw Object.assign(new Error('ENOMEM: x'), { code: 'ENOMEM' }) },
  denied: async () => { throw Object.assign(new Error('EACCES: denied'), { code: 'EACCES' }) },
  loop: async ({ throwIfCancelled, progress }) => { for (let i = 0; ; i++) { progress(i, 1e9, 'x'); await throwIfCancelled() } },
  big: async () => ({ text: '文'.repeat(400000) }),
  lost: async () => { setTimeout(() => { throw new Error('nobody catches') }); await new Promise(() => undefined) },
}
serve({ worker: 'test', ops: Object.keys(ops), versions: {}, load: async (op) => {
  if (!(op in ops)) throw new Error('there is no op ' + op)
  return ops[op]
} })`

let command: WorkerCommand
let pool: WorkerPool
const never = new AbortController().signal

beforeAll(async () => {
  const folder = newRoot()
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, 'worker.mjs')
  const resolveDir = join(import.meta.dirname, '../../workers')
  await build({
    stdin: { contents: WORKER, resolveDir, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
  })
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  command = { command: process.execPath, args: [outfile] }
  pool = new WorkerPool({ test: command })
})
afterAll(() => pool[Symbol.asyncDispose]())

async function ask(
  op: string,
  options = {},
  signal = never,
  onMessage: (message: FromWorker) => void = () => undefined,
): Promise<{ outcome: JobOutcome; messages: FromWorker[]; printed: string }> {
  const messages: FromWorker[] = []
  let printed = ''
  const job = { type: 'job', id: op, op, with: options, inputs: {}, outputs: {}, threads: 3 } as const
  const listener = {
    message: (message: FromWorker) => {
      messages.push(message)
      onMessage(message)
    },
    output: (text: string) => (printed += text),
  }
  const outcome = await pool.run('test', job, listener, signal)
  return { outcome, messages, printed }
}

describe('a job', () => {
  test('gets its options and answers; the next one finds the worker warm', async () => {
    const first = await ask('add', { a: 2, b: 3 })
    expect(first.outcome).toMatchObject({ type: 'done', summary: { sum: 5, threads: 3 } })
    expect(first.messages.map(({ type }) => type)).toEqual(['started', 'done'])
    expect((await ask('add', { a: 2, b: 3 })).outcome).toEqual(first.outcome)
  })

  test('reports at a bounded rate, the last report always; no NaN crosses', async () => {
    const { messages } = await ask('talk')
    const progress = messages.filter((message) => message.type === 'progress')
    expect(progress.length).toBeLessThan(20)
    expect(progress.at(-1)).toMatchObject({ done: 1000, total: 1000, values: { loss: null } })
    expect(messages).toContainEqual({ type: 'note', id: 'talk', level: 'warning', text: 'slow' })
  })

  test('with a long answer is whole', async () => {
    const { outcome } = await ask('big')
    expect(outcome.type === 'done' && (outcome.summary['text'] as string).length).toBe(400_000)
  })

  test.each([
    ['input', { kind: 'input', message: 'no rows', help: 'add some' }],
    ['foreign', { kind: 'resources', message: 'told', help: null }],
    [
      'bug',
      {
        kind: 'bug',
        message: expect.stringContaining('null') as string,
        detail: expect.stringContaining('at ') as string,
      },
    ],
    ['text', { kind: 'bug', message: 'only text' }],
    ['full', { kind: 'resources', message: 'the disk is full' }],
    ['memory', { kind: 'memory', message: 'out of memory: Array buffer allocation failed' }],
    ['enomem', { kind: 'memory', message: 'out of memory: ENOMEM: x' }],
    ['denied', { kind: 'resources', message: 'EACCES: denied' }],
    ['nothing', { kind: 'bug', message: 'there is no op nothing' }],
    [
      'lost',
      {
        kind: 'worker-lost',
        message: expect.stringMatching(/^the worker ended with exit code 1; .*nobody catches/) as string,
        detail: expect.stringContaining('nobody catches') as string,
      },
    ],
  ])('that fails says how: %s', async (op, failure) => {
    expect((await ask(op)).outcome).toMatchObject({ type: 'failed', ...failure })
  })

  test('stops at the next place where it asks', async () => {
    const stop = new AbortController()
    const running = ask('loop', {}, stop.signal, (message) => {
      if (message.type === 'progress') stop.abort()
    })
    expect((await running).outcome).toMatchObject({ type: 'failed', kind: 'cancelled' })
  })
})

test('a session that is ended is gone; a job for it is lost, not waited for', async () => {
  const session = await WorkerSession.start(command)
  await session.end()
  await until(() => session.isGone, 'gone')
  const job = { type: 'job', id: '1', op: 'add', with: {}, inputs: {}, outputs: {}, threads: 1 } as const
  const outcome = await session.run(job, { message: () => undefined, output: () => undefined }, never)
  expect(outcome).toMatchObject({ type: 'failed', kind: 'worker-lost' })
})
