/** Reads and writes the safetensors format: eight bytes of header length, a JSON header, then raw tensor bytes. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { JobError } from '../op.ts'

export type TensorType = 'F32' | 'BF16' | 'F16'

export interface StoredTensor {
  readonly dtype: TensorType
  readonly shape: readonly number[]
  /** Absolute byte offset in the file. */
  readonly offset: number
  readonly byteLength: number
}

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** Tensors of types that we do not read (integers, 8-bit floats): name -> type as written. */
  readonly unread: ReadonlyMap<string, string>
}

/** Larger headers are taken for damage; the reference reader has the same limit. */
const MAX_HEADER_BYTES = 100_000_000
/** Byte widths of our types; the others are only checked for range. */
const BYTES: Readonly<Record<TensorType, number>> = { F32: 4, BF16: 2, F16: 2 }

/**
 * Reads the header of a safetensors file and checks it against the file's length.
 * Throws `JobError('input')` for a truncated or malformed file, with expected and actual bytes.
 */
export function openSafetensors(path: string): SafetensorsFile {
  const file = openSync(path, 'r')
  try {
    const size = fstatSync(file).size
    if (size < 8) throw damaged(path, `a header length of 8 bytes is expected, the file has ${size} bytes`)
    const lengthBytes = readBytes(file, path, 0, 8)
    const headerBytes = Number(lengthBytes.readBigUInt64LE(0))
    if (headerBytes > MAX_HEADER_BYTES) {
      throw damaged(path, `it claims a header of ${headerBytes} bytes, so it is not a safetensors file`)
    }
    if (8 + headerBytes > size) {
      throw damaged(path, `its header needs ${8 + headerBytes} bytes, the file has ${size} bytes`)
    }
    const header = parseHeader(path, readBytes(file, path, 8, headerBytes).toString('utf8'))
    return describe(path, header, 8 + headerBytes, size)
  } finally {
    closeSync(file)
  }
}

/** Reads one tensor as float32, widening bfloat16 and float16 exactly. Row-major, `shape` product values. */
export function readFloat32(path: string, tensor: StoredTensor): Float32Array {
  const bytes = readRange(path, tensor.offset, tensor.byteLength)
  const count = tensor.byteLength / BYTES[tensor.dtype]
  if (tensor.dtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, count)
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, count)
  return tensor.dtype === 'BF16' ? widenBfloat16(halves) : widenFloat16(halves)
}

/** Reads `byteLength` raw bytes at `offset` into a fresh, aligned buffer. */
export function readRange(path: string, offset: number, byteLength: number): Uint8Array {
  const file = openSync(path, 'r')
  try {
    return readBytes(file, path, offset, byteLength)
  } finally {
    closeSync(file)
  }
}

/** Writes float32 tensors in the order of their names, so that equal content gives equal bytes. */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
  metadata: Readonly<Record<string, string>>,
): void {
  const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]))
  const file = new SafetensorsWriter(path, shapes, metadata)
  try {
    for (const name of file.order) file.write(tensors.get(name)!.data)
  } finally {
    file.close()
  }
}

/** The same one tensor after the other, for those that do not fit into memory together. */
export class SafetensorsWriter {
  /** The names in the order in which `write` takes their values. */
  readonly order: readonly string[]
  readonly #shapes: ReadonlyMap<string, readonly number[]>
  readonly #file: number
  #written = 0

  constructor(
    path: string,
    shapes: ReadonlyMap<string, readonly number[]>,
    metadata: Readonly<Record<string, string>>,
  ) {
    this.order = [...shapes.keys()].sort()
    this.#shapes = shapes
    const header: Record<string, unknown> = {}
    const metadataKeys = Object.keys(metadata).sort()
    if (metadataKeys.length > 0)
      header['__metadata__'] = Object.fromEntries(metadataKeys.map((key) => [key, metadata[key]]))
    let end = 0
    for (const name of this.order) {
      const shape = shapes.get(name)!
      const bytes = product(shape) * BYTES.F32
      header[name] = { dtype: 'F32', shape, data_offsets: [end, end + bytes] }
      end += bytes
    }
    const text = Buffer.from(JSON.stringify(header), 'utf8')
    // Spaces at the header's end keep the tensor bytes aligned for readers that map the file.
    const padded = Buffer.alloc(Math.ceil(text.length / 8) * 8, ' ')
    text.copy(padded)
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(padded.length))
    this.#file = openSync(path, 'w')
    writeAll(this.#file, length)
    writeAll(this.#file, padded)
  }

  write(data: Float32Array): void {
    const name = this.order[this.#written] ?? 'too many'
    const shape = this.#shapes.get(name) ?? []
    if (product(shape) !== data.length)
      throw new Error(`tensor ${name} has shape [${shape.join(', ')}] but ${data.length} values`)
    writeAll(this.#file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    this.#written++
  }

  close(): void {
    closeSync(this.#file)
  }
}

function describe(
  path: string,
  header: Readonly<Record<string, unknown>>,
  dataStart: number,
  size: number,
): SafetensorsFile {
  const tensors = new Map<string, StoredTensor>()
  const unread = new Map<string, string>()
  let metadata: Record<string, string> = {}
  let end = 0
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') {
      metadata = (value ?? {}) as Record<string, string>
      continue
    }
    const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>
    if (typeof dtype !== 'string' || !isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
      throw damaged(path, `the header's entry for tensor ${name} lacks a dtype, shape or data_offsets`)
    }
    const from = offsets[0]!
    const to = offsets[1]!
    if (to < from) throw damaged(path, `tensor ${name} ends (byte ${to}) before it starts (byte ${from})`)
    end = Math.max(end, to)
    if (dtype !== 'F32' && dtype !== 'BF16' && dtype !== 'F16') {
      unread.set(name, dtype)
      continue
    }
    const expected = product(shape) * BYTES[dtype]
    if (to - from !== expected) {
      throw damaged(
        path,
        `tensor ${name} (${dtype}, [${shape.join(', ')}]) needs ${expected} bytes, its entry says ${to - from}`,
      )
    }
    tensors.set(name, { dtype, shape, offset: dataStart + from, byteLength: expected })
  }
  if (dataStart + end !== size) {
    throw damaged(path, `${dataStart + end} bytes are expected, the file has ${size} bytes`)
  }
  return { metadata, tensors, unread }
}

function parseHeader(path: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Told below, in our words.
  }
  throw damaged(path, `its header (${text.length} characters) is not a JSON object`)
}

function widenBfloat16(halves: Uint16Array): Float32Array {
  const out = new Float32Array(halves.length)
  const bits = new Uint32Array(out.buffer)
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16
  return out
}

function widenFloat16(halves: Uint16Array): Float32Array {
  const out = new Float32Array(halves.length)
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!
    const sign = half & 0x8000 ? -1 : 1
    const exponent = (half >> 10) & 31
    const fraction = half & 1023
    if (exponent === 0) out[i] = sign * fraction * 2 ** -24
    else if (exponent === 31) out[i] = fraction === 0 ? sign * Infinity : NaN
    else out[i] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  }
  return out
}

/** `readSync` may return less than asked (it never gives more than 2 GiB at once), so this loops. */
function readBytes(file: number, path: string, offset: number, byteLength: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(byteLength))
  let done = 0
  while (done < byteLength) {
    const got = readSync(file, bytes, done, Math.min(byteLength - done, 1 << 30), offset + done)
    if (got === 0) {
      throw damaged(
        path,
        `${offset + byteLength} bytes are expected, the file ends after ${offset + done} bytes`,
      )
    }
    done += got
  }
  return bytes
}

function writeAll(file: number, bytes: Uint8Array): void {
  let done = 0
  while (done < bytes.length) done += writeSync(file, bytes, done, Math.min(bytes.length - done, 1 << 30))
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, size) => total * size, 1)
}

function damaged(path: string, what: string): JobError {
  return new JobError(
    'input',
    `${path} is truncated or damaged: ${what}.`,
    'Copy or download the file again, then compare its size with the original.',
  )
}
