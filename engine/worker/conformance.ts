/** Does a worker keep to the protocol? Starts it, says what the engine would say and what it never would, and takes notes. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROTOCOL } from '../../workers/protocol/messages.ts'
import type { Job } from '../../workers/protocol/messages.ts'
import { Conversation } from './conversation.ts'
import type { Heard } from './conversation.ts'
import type { WorkerCommand } from './session.ts'

export interface Finding {
  readonly what: string
  /** Null: not tried, `detail` says why. */
  readonly ok: boolean | null
  readonly detail: string
}

const READY_MS = 30_000
const ANSWER_MS = 10_000
/** The engine sends TERM this long after a cancel. */
const CANCEL_MS = 5_000
const LEAVE_MS = 2_000
/** The op that a worker may offer so that jobs can be tried, too; docs/protocol.md says what it does. */
const OP = 'conformance'
const PRINTED = 'printed by the conformance job'
const GARBAGE = ['this is no JSON', '42', 'null', '{}', '{"type":"a message of next year"}']

export async function checkWorker(command: WorkerCommand): Promise<readonly Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-conformance-'))
  const findings: Finding[] = []
  const note = (what: string, ok: boolean | null, detail = ''): void =>
    void findings.push({ what, ok, detail })
  try {
    const ops = await inOneTalk(command, folder, note)
    if (ops !== null) await leaving(command, folder, ops.includes(OP), note)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return findings
}

type Note = (what: string, ok: boolean | null, detail?: string) => void

/** The ops that it offers; null if it never was ready. */
async function inOneTalk(
  command: WorkerCommand,
  folder: string,
  note: Note,
): Promise<readonly string[] | null> {
  const worker = new Conversation(command)
  try {
    const ready = await greet(worker)
    note('answers hello with ready', ready !== null, ready === null ? silence(worker, READY_MS) : '')
    if (ready === null) return null
    const wrong = wrongInReady(ready)
    note('ready has protocol, worker, ops, versions, devices', wrong === null, wrong ?? '')
    const ops = Array.isArray(ready['ops']) ? (ready['ops'] as readonly string[]) : []
    for (const line of GARBAGE) worker.say(line)
    worker.send({ type: 'hello', protocol: PROTOCOL })
    const again = await worker.hear(({ type }) => type === 'ready', ANSWER_MS)
    note(
      'passes over what is no message, and goes on',
      again !== null,
      again === null ? silence(worker, ANSWER_MS) : '',
    )
    const unknown = await answer(worker, jobOf('no-such-op', folder, {}))
    const refused = unknown?.['type'] === 'failed' && typeof unknown['message'] === 'string'
    note('an unknown op is `failed` with a message', refused, refused ? '' : shown(unknown))
    if (ops.includes(OP)) await jobs(worker, folder, note)
    else note('does jobs and stops on request', null, `it has no op \`${OP}\``)
    note(
      'nothing but messages where it answers',
      worker.strays === 0,
      worker.strays === 0 ? '' : `${worker.strays} lines`,
    )
    return ops
  } finally {
    worker.kill()
  }
}

async function jobs(worker: Conversation, folder: string, note: Note): Promise<void> {
  for (const which of ['a job', 'a second job in the same process']) {
    const job = jobOf(OP, folder, { steps: 3, print: PRINTED })
    const said = worker.mark()
    const end = await answer(worker, job)
    const progress = said().filter(({ type, id }) => type === 'progress' && id === job.id)
    const copied =
      end?.['type'] === 'done' && readIfThere(join(job.outputs['copy'] ?? '', 'hello.txt')) === 'hello\n'
    note(`${which} is \`done\`, its output written`, copied, copied ? '' : shown(end))
    const fine = progress.length > 0 && progress.every(isProgress)
    note(
      `${which} reports progress with done, total, unit, values`,
      fine,
      fine ? '' : shown(progress[0] ?? null),
    )
  }
  note('what a job prints stays out of the messages', worker.printed.includes(PRINTED) && worker.strays === 0)
  const long = jobOf(OP, folder, { steps: 100_000, print: '' })
  worker.send(long)
  await worker.hear(({ type, id }) => type === 'progress' && id === long.id, ANSWER_MS)
  worker.send({ type: 'cancel', id: long.id })
  const end = await worker.hear((message) => isEnd(message, long.id), CANCEL_MS)
  const stopped = end?.['type'] === 'failed' && end['kind'] === 'cancelled'
  note('a job that is cancelled is `failed` as `cancelled` within 5 s', stopped, stopped ? '' : shown(end))
}

/** How it goes: when it is told to, and when whoever started it is gone. */
async function leaving(command: WorkerCommand, folder: string, hasJob: boolean, note: Note): Promise<void> {
  for (const [what, busy, leave] of [
    ['ends on bye', false, (worker: Conversation) => worker.send({ type: 'bye' })],
    ['ends when its input ends', false, (worker: Conversation) => worker.hangUp()],
    ['ends when its input ends in the middle of a job', true, (worker: Conversation) => worker.hangUp()],
  ] as const) {
    if (busy && !hasJob) continue
    const worker = new Conversation(command)
    try {
      await greet(worker)
      if (busy) {
        const job = jobOf(OP, folder, { steps: 100_000, print: '' })
        worker.send(job)
        await worker.hear(({ type, id }) => type === 'progress' && id === job.id, ANSWER_MS)
      }
      leave(worker)
      const ended = await worker.ends(LEAVE_MS)
      note(what, ended, ended ? '' : `still there after ${LEAVE_MS / 1000} s`)
    } finally {
      worker.kill()
    }
  }
}

async function greet(worker: Conversation): Promise<Heard | null> {
  worker.send({ type: 'hello', protocol: PROTOCOL })
  return worker.hear(({ type }) => type === 'ready', READY_MS)
}

function wrongInReady({ protocol, worker, ops, versions, devices }: Heard): string | null {
  const texts = (value: unknown): boolean =>
    Array.isArray(value) && value.every((each) => typeof each === 'string')
  if (protocol !== PROTOCOL) return `protocol is ${JSON.stringify(protocol)}, not ${PROTOCOL}`
  if (typeof worker !== 'string') return 'worker is no text'
  if (!texts(ops)) return 'ops is no list of texts'
  if (typeof versions !== 'object' || versions === null) return 'versions is no object'
  return texts(devices) ? null : 'devices is no list of texts'
}

let count = 0

function jobOf(op: string, folder: string, options: Job['with']): Job {
  const id = `conformance-${++count}`
  const [dir, copy] = [join(folder, 'text'), join(folder, id)]
  mkdirSync(dir, { recursive: true })
  mkdirSync(copy)
  writeFileSync(join(dir, 'hello.txt'), 'hello\n')
  const inputs = { text: { dir, files: ['hello.txt'] } }
  return { type: 'job', id, op, with: options, inputs, outputs: { copy }, threads: 1 }
}

async function answer(worker: Conversation, job: Job): Promise<Heard | null> {
  worker.send(job)
  return worker.hear((message) => isEnd(message, job.id), ANSWER_MS)
}

function isEnd({ type, id }: Heard, job: string): boolean {
  return id === job && (type === 'done' || type === 'failed')
}

function isProgress({ done, total, unit, values }: Heard): boolean {
  return (
    typeof done === 'number' &&
    typeof total === 'number' &&
    typeof unit === 'string' &&
    typeof values === 'object'
  )
}

function silence(worker: Conversation, ms: number): string {
  const last = worker.printed.trimEnd().split('\n').at(-1) ?? ''
  const how = worker.ended ?? `silent for ${ms / 1000} s`
  return last === '' ? how : `${how}; it printed: ${last}`
}

function shown(message: Heard | null): string {
  return message === null ? 'no answer' : JSON.stringify(message).slice(0, 200)
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
