/** A file that somebody appends to -> what has been written since the last look. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'

export class Tail {
  readonly #path: string
  /** A look may come between the bytes of one character. */
  readonly #decoder = new StringDecoder('utf8')
  #at = 0
  #line = ''

  constructor(path: string) {
    this.#path = path
  }

  /** '' if nothing is new or the file is not there yet. */
  read(): string {
    const file = opened(this.#path)
    if (file === null) return ''
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - this.#at))
      const count = readSync(file, bytes, 0, bytes.length, this.#at)
      this.#at += count
      return this.#decoder.write(bytes.subarray(0, count))
    } finally {
      closeSync(file)
    }
  }

  /** New lines that are whole. */
  lines(): readonly string[] {
    const lines = (this.#line + this.read()).split('\n')
    this.#line = lines.pop() ?? ''
    return lines
  }
}

function opened(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
