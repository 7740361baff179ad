/** Runs a stage's command: values go in as environment variables, its output is the log, its files are the result. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import { JobError } from '../../op.ts'
import type { Op, OpContext } from '../../op.ts'
import { environmentOf, variableOf } from '../environment.ts'
import { completeMetrics } from '../metrics-file.ts'

/** How often it asks whether to stop. */
const ASK_MS = 50
/** Between TERM and KILL; the engine itself waits 5 s before it ends the worker. */
const GRACE_MS = 2_000
/** How long to read on after the end, should somebody hold the pipe who got away. */
const DRAIN_MS = 500
const TAIL_LINES = 12
const TAIL_CHARACTERS = 1_500

/**
 * Who is killed cannot take the command along. So a watcher in the command's group reads a pipe that only we hold: its
 * end means that we are gone, and the watcher kills the group. It is nobody's child, so that no `wait` meets it.
 */
const WATCHED = `( ( read -r gone <&3; kill -KILL 0 ) >/dev/null 2>&1 & ); exec sh -eu -c "$1" 3<&-`

export const run: Op = async (context) => {
  const child = spawn('sh', ['-c', WATCHED, 'sh', context.with['run'] as string], {
    env: environmentOf(context, process.env),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // A group of its own, so that all it started can be ended with it and we go on.
    detached: true,
  })
  const endAll = (signal: NodeJS.Signals) => signalGroup(child, signal)
  const leave = () => endAll('SIGKILL')
  process.once('exit', leave)
  const lifeline = child.stdio[3]
  lifeline?.on('error', () => undefined)
  const tail = follow(child)
  const over = new AbortController()
  const stopped = stopOnRequest(context, endAll, over.signal)
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    // What it left running would write into a result that is already named.
    leave()
    await Promise.race([tail.closed, sleep(DRAIN_MS, undefined, { ref: false })])
    over.abort()
    const request = await stopped
    if (request !== null) throw request
    if (signal === 'SIGKILL')
      throw new JobError('memory', `the command was killed${tail.words()}`, 'it is often out of memory')
    if (code !== 0) {
      const how = signal === null ? `exit code ${String(code)}` : signal
      throw new JobError('input', `the command ended with ${how}${tail.words()}`)
    }
  } finally {
    over.abort()
    tail.end()
    lifeline?.destroy()
    process.removeListener('exit', leave)
  }
  const empty = Object.entries(context.outputs).filter(([, dir]) => readdirSync(dir).length === 0)
  if (empty.length > 0) {
    const names = empty.map(([port]) => `$SLUICE_OUTPUT_${variableOf(port)}`).join(', ')
    throw new JobError('input', `the command wrote nothing to ${names}`, 'each output is a folder to fill')
  }
  const metrics = context.outputs['metrics']
  const measures = Object.keys((context.with['measures'] ?? {}) as object).length > 0
  return metrics === undefined || !measures ? {} : completeMetrics(metrics, context.with)
}

interface Tail {
  readonly closed: Promise<unknown>
  readonly end: () => void
  readonly words: () => string
}

/** What it prints goes to our own output, which is the stage's log; the last of it is kept for the failure's words. */
function follow({ stdout, stderr }: ChildProcess): Tail {
  let tail = ''
  const streams = [stdout, stderr].filter((stream) => stream !== null)
  for (const stream of streams) {
    const decoder = new StringDecoder('utf8')
    stream.on('data', (bytes: Buffer) => (tail = (tail + decoder.write(bytes)).slice(-TAIL_CHARACTERS)))
    stream.pipe(process.stdout, { end: false })
  }
  return {
    closed: Promise.all(streams.map((stream) => once(stream, 'close'))),
    end: () => {
      for (const stream of streams) stream.destroy()
    },
    words: () => {
      const lines = tail.trimEnd().split('\n').slice(-TAIL_LINES)
      return lines.join('') === '' ? '' : `:\n${lines.map((line) => `  ${line}`).join('\n')}`
    },
  }
}

/** Ends the command when the engine asks to stop; returns that request, or null, when the command is over. */
async function stopOnRequest(
  context: OpContext,
  endAll: (signal: NodeJS.Signals) => void,
  over: AbortSignal,
): Promise<Error | null> {
  for (;;) {
    const request = await context.throwIfCancelled().then(
      () => null,
      (error: unknown) => error as Error,
    )
    if (request !== null) {
      endAll('SIGTERM')
      await pause(GRACE_MS, over)
      endAll('SIGKILL')
      return request
    }
    if (over.aborted) return null
    await pause(ASK_MS, over)
  }
}

async function pause(ms: number, over: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: over }).catch(() => undefined)
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // Gone already.
  }
}
