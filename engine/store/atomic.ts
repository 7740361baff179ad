/** Files that are either the old one or the new one, whenever the machine stops. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, utimesSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { randomBytes } from 'node:crypto'
import { reach } from '../failpoint.ts'
import { flush } from './flush.ts'

type Content = string | Uint8Array | Iterable<Uint8Array>

/** Writes beside the file, flushes, renames over it, flushes the folder. Many parts are written one after the other. */
export function writeAtomic(path: string, content: Content): void {
  mkdirSync(dirname(path), { recursive: true })
  const draft = draftBeside(path)
  try {
    writeDraft(draft, content, fsyncSync)
    putInPlace(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  flushFolder(dirname(path))
}

/** The same without holding up this thread. `before` is what has to be durable before the new file is in its place. */
export async function replaceAtomic(path: string, text: string, before: Iterable<string>): Promise<void> {
  mkdirSync(dirname(path), { recursive: true })
  const draft = draftBeside(path)
  try {
    writeDraft(draft, text)
    await flush([...before, draft])
    putInPlace(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  await flush([dirname(path)])
}

function putInPlace(draft: string, path: string): void {
  reach('file-drafted')
  renameSync(draft, path)
  reach('file-renamed')
}

function draftBeside(path: string): string {
  return `${path}.${randomBytes(4).toString('hex')}.tmp`
}

/** Writes a new file; `end` gets it before it is closed. */
export function writeDraft(path: string, content: Content, end?: (fd: number) => void): void {
  const fd = openSync(path, 'wx')
  try {
    const parts =
      typeof content === 'string'
        ? [Buffer.from(content)]
        : content instanceof Uint8Array
          ? [content]
          : content
    for (const bytes of parts) for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
    end?.(fd)
  } finally {
    closeSync(fd)
  }
}

/** Makes a rename or a new file in the folder durable. */
function flushFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Sets the file's times to now; false if it is not there. */
export function touchFile(path: string): boolean {
  try {
    const now = new Date()
    utimesSync(path, now, now)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
