/** The safetensors format: files of others are read, ours are the same every time, damage is told in bytes. */
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { JobError } from '../../workers/op.ts'
import { openSafetensors, readFloat32, writeSafetensors } from '../../workers/onnx/safetensors.ts'
import { fixtureDir, tempDir } from './model-fixture.ts'

const TENSORS = new Map([
  ['b', { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, -0, 1e-30) }],
  ['a', { shape: [2], data: Float32Array.of(NaN, Infinity) }],
  ['空', { shape: [0, 4], data: new Float32Array(0) }],
])

function rawFile(header: object | string, data: Uint8Array): string {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const path = join(tempDir(), 'raw.safetensors')
  writeFileSync(path, Buffer.concat([length, text, data]))
  return path
}

describe('safetensors', () => {
  it('gives back what was written, bit by bit', () => {
    const path = join(tempDir(), 'x.safetensors')
    writeSafetensors(path, TENSORS, { format: 'pt' })
    const file = openSafetensors(path)
    expect(file.metadata).toEqual({ format: 'pt' })
    expect([...file.tensors.keys()].sort()).toEqual([...TENSORS.keys()].sort())
    for (const [name, { shape, data }] of TENSORS) {
      const stored = file.tensors.get(name)!
      expect(stored.shape).toEqual(shape)
      expect(Object.is(readFloat32(path, stored)[4], data[4])).toBe(true)
      expect([...readFloat32(path, stored)]).toEqual([...data])
    }
  })

  it('writes the same bytes whatever the order of the tensors', () => {
    const [one, two] = [join(tempDir(), 'x'), join(tempDir(), 'x')]
    writeSafetensors(one, TENSORS, { format: 'pt' })
    writeSafetensors(two, new Map([...TENSORS].reverse()), { format: 'pt' })
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true)
  })

  it('widens half precision exactly', () => {
    // 1, -2, the smallest positive float16, infinity; then 1 and -3.140625 as bfloat16.
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x3f80, 0xc049)
    const path = rawFile(
      {
        h: { dtype: 'F16', shape: [4], data_offsets: [0, 8] },
        b: { dtype: 'BF16', shape: [2], data_offsets: [8, 12] },
      },
      new Uint8Array(halves.buffer),
    )
    const { tensors } = openSafetensors(path)
    expect([...readFloat32(path, tensors.get('h')!)]).toEqual([1, -2, 2 ** -24, Infinity])
    expect([...readFloat32(path, tensors.get('b')!)]).toEqual([1, -3.140625])
  })

  it('reads what transformers wrote, and names tensors of types it does not read', () => {
    const file = openSafetensors(join(fixtureDir('tiny-untied'), 'model.safetensors'))
    expect(file.metadata).toEqual({ format: 'pt' })
    expect(file.tensors.get('lm_head.weight')).toMatchObject({ dtype: 'BF16', shape: [300, 64] })
    const path = rawFile({ i: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } }, new Uint8Array(8))
    expect([...openSafetensors(path).unread]).toEqual([['i', 'I64']])
  })

  it('tells expected and actual bytes of a cut file', () => {
    const path = join(tempDir(), 'cut.safetensors')
    writeSafetensors(path, TENSORS, {})
    const size = statSync(path).size
    for (const left of [size - 1, 100, 20, 5]) {
      truncateSync(path, left)
      expect(() => openSafetensors(path)).toThrow(
        new RegExp(`cut\\.safetensors is truncated .* ${left} bytes`),
      )
    }
    expect(() => openSafetensors(path)).toThrow(JobError)
  })

  it.each([
    ['is not a JSON object', '[1]', 0],
    ['is not a JSON object', '{"a"', 0],
    ['not a safetensors file', '', 0],
    ['needs 16 bytes, its entry says 8', { a: { dtype: 'F32', shape: [4], data_offsets: [0, 8] } }, 8],
    ['lacks a dtype, shape or data_offsets', { a: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }, 4],
    ['ends (byte 0) before', { a: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }, 4],
    ['bytes are expected', { a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 12],
  ])('refuses a file whose header %s', (message, header, bytes) => {
    const path = rawFile(header, new Uint8Array(bytes))
    if (header === '') writeFileSync(path, Buffer.alloc(64, 0xff))
    expect(() => openSafetensors(path)).toThrow(message)
  })
})
