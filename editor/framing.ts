/** Bytes to messages and back: `Content-Length` headers around JSON, whatever pieces the bytes come in. */
import type { Message } from './protocol.ts'

/** Longer messages than any file we would read end the conversation. */
const MOST_BYTES = 64 * 2 ** 20
const LONGEST_HEADER = 4096

/** The other side does not speak the protocol; what follows cannot be told from rubbish. */
export class FramingError extends Error {}

export type Framed = { readonly message: Message } | { readonly unreadable: string }

/** Collects bytes and gives out the messages that are complete. */
export class FrameReader {
  private pieces: Uint8Array[] = []
  private length = 0
  /** Bytes of the body that is awaited; null while a header is read. */
  private awaited: number | null = null

  /** Throws `FramingError` if there is no going on. */
  push(bytes: Uint8Array): readonly Framed[] {
    this.pieces.push(bytes)
    this.length += bytes.length
    const found: Framed[] = []
    for (;;) {
      // Joining at every piece of a long body would copy it again and again.
      if (this.awaited !== null && this.length < this.awaited) return found
      const all = this.joined()
      if (this.awaited === null) {
        const end = endOfHeader(all)
        if (end === null) {
          if (all.length > LONGEST_HEADER) throw new FramingError('a header without an end')
          return found
        }
        this.awaited = lengthIn(decode(all.subarray(0, end)))
        this.keep(all.subarray(end + 4))
        continue
      }
      found.push(readBody(decode(all.subarray(0, this.awaited))))
      this.keep(all.subarray(this.awaited))
      this.awaited = null
    }
  }

  private joined(): Uint8Array {
    const [only, ...others] = this.pieces
    if (only !== undefined && others.length === 0) return only
    const all = new Uint8Array(this.length)
    let at = 0
    for (const piece of this.pieces) {
      all.set(piece, at)
      at += piece.length
    }
    this.keep(all)
    return all
  }

  private keep(rest: Uint8Array): void {
    this.pieces = [rest]
    this.length = rest.length
  }
}

const CR = 13
const LF = 10

function endOfHeader(bytes: Uint8Array): number | null {
  for (let at = bytes.indexOf(CR); at !== -1; at = bytes.indexOf(CR, at + 1))
    if (bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF) return at
  return null
}

function lengthIn(header: string): number {
  const length = Number(/^content-length: *(\d+) *$/im.exec(header)?.[1] ?? NaN)
  if (!(length <= MOST_BYTES)) throw new FramingError(`no usable Content-Length in ${JSON.stringify(header)}`)
  return length
}

function readBody(text: string): Framed {
  try {
    const message: unknown = JSON.parse(text)
    if (typeof message === 'object' && message !== null && !Array.isArray(message))
      return { message: message as Message }
    return { unreadable: 'a message is a JSON object' }
  } catch (error) {
    return { unreadable: (error as Error).message }
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

export function frame(message: Message): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify(message))
  const header = new TextEncoder().encode(`Content-Length: ${body.length}\r\n\r\n`)
  const all = new Uint8Array(header.length + body.length)
  all.set(header)
  all.set(body, header.length)
  return all
}
