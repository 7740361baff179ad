/** A remote that is a folder, such as a share of the team: files by name, each there whole or not at all. */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { flush } from '../store/flush.ts'
import type { RemoteName, Transport } from './transport.ts'
import { RemoteTrouble } from './transport.ts'

export function directoryTransport(root: string): Transport {
  const pathOf = (name: RemoteName) => join(root, name)

  /** A share that is not mounted is no empty cache. */
  const present = async () => {
    const found = await stat(root).catch((error: unknown) => {
      throw troubleOf(error, root)
    })
    if (!found.isDirectory()) throw new RemoteTrouble('wrong', `${root} is not a folder`)
  }

  const sizeOf = async (name: RemoteName): Promise<number | null> => {
    try {
      return (await stat(pathOf(name))).size
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw troubleOf(error, root)
      await present()
      return null
    }
  }

  return {
    shown: root,
    head: sizeOf,
    get: async (name) => ((await sizeOf(name)) === null ? null : readable(pathOf(name), root)),
    put: async (name, { from }) => {
      await present()
      const target = pathOf(name)
      const temporary = `${target}.${randomUUID()}.tmp`
      try {
        await mkdir(dirname(target), { recursive: true })
        if ('file' in from) await copyFile(from.file, temporary)
        else await writeFile(temporary, from.bytes)
        await flush([temporary])
        // Over what is there: the same bytes by the same name, or a repair of bytes that rotted.
        await rename(temporary, target)
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => undefined)
        throw troubleOf(error, root)
      }
    },
  }
}

async function* readable(path: string, root: string): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path)) yield chunk as Uint8Array
  } catch (error) {
    throw troubleOf(error, root)
  }
}

function troubleOf(error: unknown, root: string): RemoteTrouble {
  if (error instanceof RemoteTrouble) return error
  const code = codeOf(error)
  const kind = code === 'EACCES' || code === 'EPERM' || code === 'EROFS' ? 'refused' : 'broken'
  const words = code === 'ENOENT' ? `${root} is not there (is it mounted?)` : `${root}: ${code}`
  return new RemoteTrouble(kind, words, { cause: error })
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}
