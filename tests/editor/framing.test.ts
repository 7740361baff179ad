/** Bytes to messages, in whatever pieces they come. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { changed, TextDocument } from '../../editor/document.ts'
import { frame, FrameReader, FramingError } from '../../editor/framing.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('a frame reader', () => {
  it('gives back what was framed, however it was cut', () => {
    const message = fc.record({ id: fc.integer(), params: fc.string({ unit: 'binary', maxLength: 40 }) })
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 5 }),
        fc.array(fc.nat(30), { minLength: 1 }),
        (messages, cuts) => {
          const all = Buffer.concat(messages.map((each) => frame({ jsonrpc: '2.0', ...each })))
          const reader = new FrameReader()
          const found: unknown[] = []
          for (let at = 0, i = 0; at < all.length; i++) {
            const end = at + 1 + (cuts[i % cuts.length] ?? 0)
            for (const each of reader.push(all.subarray(at, end)))
              found.push('message' in each ? each.message : each)
            at = end
          }
          expect(found).toEqual(messages.map((each) => ({ jsonrpc: '2.0', ...each })))
        },
      ),
      { numRuns: 200 },
    )
  })

  it('takes other headers, and any case', () => {
    const found = new FrameReader().push(
      bytes('Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}'),
    )
    expect(found).toEqual([{ message: {} }])
  })

  it('goes on after a body that is no message', () => {
    const found = new FrameReader().push(
      bytes('Content-Length: 1\r\n\r\n{Content-Length: 2\r\n\r\n[]Content-Length: 2\r\n\r\n{}'),
    )
    expect(found.map((each) => Object.keys(each))).toEqual([['unreadable'], ['unreadable'], ['message']])
  })

  it.each([
    ['no length', 'Content-Type: x\r\n\r\n'],
    ['a length that is none', 'Content-Length: many\r\n\r\n'],
    ['a length beyond all reason', 'Content-Length: 99999999999\r\n\r\n'],
    ['no header at all', 'x'.repeat(5000)],
  ])('gives up at %s', (_, text) => {
    expect(() => new FrameReader().push(bytes(text))).toThrow(FramingError)
  })
})

describe('a document', () => {
  it('counts in UTF-16, as the protocol does', () => {
    const document = new TextDocument('u', 1, '客服😀a\r\nb\n')
    expect(document.positionAt(5)).toEqual({ line: 0, character: 5 })
    expect(document.offsetAt({ line: 0, character: 4 })).toBe(4)
    expect(document.positionAt(7)).toEqual({ line: 1, character: 0 })
  })

  it('takes positions beyond its ends', () => {
    const document = new TextDocument('u', 1, 'ab\r\ncd')
    expect(document.offsetAt({ line: 0, character: 99 })).toBe(2)
    expect(document.offsetAt({ line: 99, character: 0 })).toBe(6)
    expect(document.offsetAt({ line: -1, character: -1 })).toBe(0)
    expect(document.positionAt(99)).toEqual({ line: 1, character: 2 })
  })

  it('goes there and back', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', '😀', '\n', '\r\n', '中')), fc.nat(40), (pieces, at) => {
        const text = pieces.join('')
        const offset = Math.min(at, text.length)
        // Between \r and \n there is no position.
        fc.pre(!(text[offset - 1] === '\r' && text[offset] === '\n'))
        const document = new TextDocument('u', 1, text)
        expect(document.offsetAt(document.positionAt(offset))).toBe(offset)
      }),
    )
  })

  it('changes piece by piece, each in the text that the one before left', () => {
    const at = (line: number, from: number, to: number) => ({
      start: { line, character: from },
      end: { line, character: to },
    })
    const document = changed(
      new TextDocument('u', 1, 'name: a\nflow: b'),
      [
        { range: at(0, 6, 7), text: 'demo\nx: 1' },
        { range: at(2, 6, 7), text: 'clean' },
      ],
      2,
    )
    expect(document).toMatchObject({ text: 'name: demo\nx: 1\nflow: clean', version: 2 })
    expect(changed(document, [{ text: 'all new' }], 3).text).toBe('all new')
  })
})
