/** `sluice lsp`: the language server on stdin and stdout; ends with its input, or when the editor says so. */
import { FrameReader, FramingError, frame, type Framed } from '../../editor/framing.ts'
import { LanguageServer } from '../../editor/server.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { editorWorld } from '../editor-world.ts'
import type { Command } from '../options.ts'
import { FileProblem, kindsAround, readBuild } from '../project.ts'

export async function lspCommand(command: Command, buildDir: string): Promise<number> {
  const settings = {
    // Those of the folder that the editor starts us in; a new plugin is known after a restart.
    kinds: await kindsAround(buildDir).catch(withoutPlugins),
    version: readBuild(buildDir).version,
    compile: { env: process.env },
  }
  const server = new LanguageServer(editorWorld(buildDir, process.env), settings, (message) => {
    process.stdout.write(frame(message))
  })
  return new Promise((resolve) => {
    const end = (exitCode: number): void => {
      process.stdin.destroy()
      resolve(exitCode)
    }
    converse(server, end)
  })
}

/** An editor is better off with a server that does not know a plugin than without one. */
function withoutPlugins(error: unknown): typeof stageKinds {
  if (!(error instanceof FileProblem)) throw error
  process.stderr.write('a plugin cannot be used; sluice validate says which and why\n')
  return stageKinds
}

/**
 * One message in a turn of the event loop. What arrives meanwhile is looked at before the next one is answered, so that
 * a request which was called off costs nothing.
 */
function converse(server: LanguageServer, end: (exitCode: number) => void): void {
  const reader = new FrameReader()
  const queue: Framed[] = []
  const cancelled = new Set<unknown>()
  let turning = false
  let closed = false
  const turn = (): void => {
    const next = queue.shift()
    if (next === undefined) {
      turning = false
      if (closed) server.hangUp()
    } else {
      if ('unreadable' in next) server.unreadable(next.unreadable)
      else server.receive(next.message, cancelled.delete(next.message.id))
      setImmediate(turn)
    }
    if (server.exitCode !== null) {
      queue.length = 0
      end(server.exitCode)
    }
  }
  const start = (): void => {
    if (!turning) setImmediate(turn)
    turning = true
  }
  process.stdin.on('data', (bytes: Buffer) => {
    try {
      for (const each of reader.push(bytes)) {
        const id = 'message' in each ? cancelledBy(each.message) : undefined
        if (id === undefined) queue.push(each)
        else if (queue.some((other) => 'message' in other && other.message.id === id)) cancelled.add(id)
      }
    } catch (error) {
      if (!(error instanceof FramingError)) throw error
      process.stderr.write(`this is not the language server protocol: ${error.message}\n`)
      closed = true
      queue.length = 0
      process.stdin.pause()
    }
    start()
  })
  process.stdin.on('end', () => {
    closed = true
    start()
  })
}

/** The request that a message calls off; undefined for every other message. */
function cancelledBy({ method, params }: { readonly method?: string; readonly params?: unknown }): unknown {
  return method === '$/cancelRequest' ? (params as { id?: unknown } | undefined)?.id : undefined
}
