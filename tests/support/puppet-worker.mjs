// A worker that does what its job's `with` says, good or bad; it shares no code with the real host.
import { spawn } from 'node:child_process'
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'

const send = (message) => writeSync(3, `${JSON.stringify(message)}\n`)
const [atStart] = process.argv.slice(2)
if (atStart === 'dies') {
  process.stderr.write('no such library\n')
  process.exit(9)
}

let cancelled = null

async function act({ id, with: told, inputs, outputs }) {
  send({ type: 'started', id })
  const wait = (ms) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms)
      if (!told.ignoreCancel) cancelled = () => (clearTimeout(timer), reject(new Error('cancelled')))
    })
  if (told.mark) appendFileSync(told.mark, `${told.name ?? 'job'}\n`)
  if (told.pids) appendFileSync(told.pids, `${process.pid}\n`)
  if (told.gpus) appendFileSync(told.gpus, `${process.env.CUDA_VISIBLE_DEVICES ?? 'all'} ${process.pid}\n`)
  if (told.child) {
    // It keeps our pipes open and does not care about SIGTERM, as a stubborn library's helper would.
    const code = "process.on('SIGTERM', () => {}); process.send('up'); setInterval(() => {}, 1000)"
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    await new Promise((resolve) => child.once('message', resolve))
    appendFileSync(told.pids, `${child.pid}\n`)
  }
  if (told.ignoreCancel) process.on('SIGTERM', () => undefined)
  // Wait for the pipe as a library's own write(2) would: what Node still queues was not printed yet.
  const printed = (stream, text) => new Promise((resolve) => stream.write(text, resolve))
  if (told.print) await printed(process.stdout, told.print)
  if (told.printError) await printed(process.stderr, told.printError)
  if (told.garbage) {
    for (const line of [
      'not json',
      'null',
      '42',
      '[]',
      '{"type":"strange"}',
      '{"type":"done","id":"other","summary":{"stolen":true}}',
    ]) {
      writeSync(3, `${line}\n`)
    }
  }
  if (told.broken) send({ type: 'progress', id })
  for (const [loss] of (told.losses ?? []).entries()) {
    send({
      type: 'progress',
      id,
      done: loss + 1,
      total: told.losses.length,
      unit: 'steps',
      values: { loss: told.losses[loss] },
    })
  }
  if (told.note) send({ type: 'note', id, level: 'warning', text: told.note })
  if (told.fail) return send({ type: 'failed', id, help: null, detail: null, ...told.fail })
  for (const [output, dir] of Object.entries(outputs)) {
    for (const [name, text] of Object.entries(told[output] ?? told.files ?? {})) {
      mkdirSync(dirname(join(dir, name)), { recursive: true })
      writeFileSync(join(dir, name), text)
      if (told.slow) await wait(told.slow)
    }
    if (told.copy) {
      const parts = Object.entries(inputs).flatMap(([role, from]) =>
        from.files.map((file) => `${role}/${file}=${readFileSync(join(from.dir, file), 'utf8')}`),
      )
      writeFileSync(join(dir, 'all.txt'), parts.join('\n'))
    }
    if (told.symlink) symlinkSync('/etc/hostname', join(dir, 'link'))
    if (told.hardlink) linkSync(join(dir, Object.keys(told.files)[0]), join(dir, told.hardlink))
  }
  if (told.hang) await wait(600_000)
  if (told.exit !== undefined) process.exit(told.exit)
  if (told.kill) process.kill(process.pid, 'SIGKILL')
  send({ type: 'done', id, summary: told.summary ?? {} })
  if (told.exitAfter) process.exit(0)
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const message = JSON.parse(line)
    if (message.type === 'hello' && atStart !== 'mute') {
      send({ type: 'ready', protocol: 1, worker: 'puppet', ops: ['act'], versions: {}, devices: ['cpu'] })
    }
    if (message.type === 'job') {
      act(message).catch((error) =>
        send({
          type: 'failed',
          id: message.id,
          kind: error.message === 'cancelled' ? 'cancelled' : 'bug',
          message: error.message,
          help: null,
          detail: null,
        }),
      )
    }
    if (message.type === 'cancel') cancelled?.()
    if (message.type === 'bye') process.exit(0)
  })
  .on('close', () => process.exit(0))
