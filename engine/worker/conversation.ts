/** A worker process as a check sees it: every line that goes in and comes out, nothing made easier. */
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ToWorker } from '../../workers/protocol/messages.ts'
import { endingText } from './endings.ts'
import type { WorkerCommand } from './session.ts'

/** A message of which only that it is an object with a type is known. */
export type Heard = Readonly<Record<string, unknown>> & { readonly type: string }

/** How often somebody who waits looks. */
const LOOK_MS = 5

export class Conversation {
  readonly #process
  readonly #heard: Heard[] = []
  #taken = 0
  /** What it printed outside the protocol. */
  printed = ''
  /** Lines on the channel of its answers that are no messages. */
  strays = 0
  /** How it ended; null while it lives. */
  ended: string | null = null

  constructor({ command, args, cwd }: WorkerCommand) {
    this.#process = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
      ...(cwd === undefined ? {} : { cwd }),
    })
    const [, stdout, stderr, fd3] = this.#process.stdio as unknown as readonly [
      unknown,
      Readable,
      Readable,
      Readable,
    ]
    const channels = [stdout, fd3].map((stream) => ({ stream, speaks: false }))
    for (const channel of channels)
      createInterface({ input: channel.stream }).on('line', (line) => {
        const message = messageIn(line)
        channel.speaks ||= message !== null
        if (message !== null) this.#heard.push(message)
        else if (channel.speaks) this.strays++
        else this.printed += `${line}\n`
      })
    stderr.setEncoding('utf8').on('data', (text: string) => (this.printed += text))
    this.#process.stdin.on('error', () => undefined)
    this.#process.once(
      'error',
      (error: NodeJS.ErrnoException) => (this.ended = endingText(command, { code: error.code })),
    )
    this.#process.once(
      'exit',
      (code, signal) =>
        (this.ended ??= endingText(command, { signal: signal ?? undefined, exitCode: code ?? undefined })),
    )
  }

  say(line: string): void {
    this.#process.stdin.write(`${line}\n`)
  }

  send(message: ToWorker): void {
    this.say(JSON.stringify(message))
  }

  hangUp(): void {
    this.#process.stdin.end()
  }

  /** The next message that is meant, or null if none comes in time. */
  async hear(meant: (message: Heard) => boolean, withinMs: number): Promise<Heard | null> {
    const end = performance.now() + withinMs
    for (;;) {
      const at = this.#heard.findIndex((message, i) => i >= this.#taken && meant(message))
      if (at !== -1) {
        this.#taken = at + 1
        return this.#heard[at] ?? null
      }
      if (performance.now() > end || this.ended !== null) return null
      await sleep(LOOK_MS)
    }
  }

  /** A function that gives what was said since now. */
  mark(): () => readonly Heard[] {
    const from = this.#heard.length
    return () => this.#heard.slice(from)
  }

  async ends(withinMs: number): Promise<boolean> {
    const end = performance.now() + withinMs
    while (this.ended === null && performance.now() < end) await sleep(LOOK_MS)
    return this.ended !== null
  }

  kill(): void {
    const { pid } = this.#process
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
}

function messageIn(line: string): Heard | null {
  try {
    const message = JSON.parse(line) as unknown
    return typeof message === 'object' && message !== null && 'type' in message ? (message as Heard) : null
  } catch {
    return null
  }
}
