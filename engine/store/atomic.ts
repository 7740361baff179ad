/** Files that are either the old one or the new one, whenever the machine stops. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, utimesSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { randomUUID } from 'node:crypto'
import { reach } from '../failpoint.ts'

/** Writes beside the file, flushes, renames over it, flushes the folder. Many parts are written one after the other. */
export function writeAtomic(path: string, content: string | Uint8Array | Iterable<Uint8Array>): void {
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true })
  const temporary = `${path}.${randomUUID().slice(0, 8)}.tmp`
  const fd = openSync(temporary, 'wx')
  try {
    const parts =
      typeof content === 'string'
        ? [Buffer.from(content)]
        : content instanceof Uint8Array
          ? [content]
          : content
    for (const bytes of parts) for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
    fsyncSync(fd)
    reach('file-drafted')
    renameSync(temporary, path)
    reach('file-renamed')
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
  flushFolder(folder)
}

/** Makes a rename or a new file in the folder durable. */
export function flushFolder(folder: string): void {
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
