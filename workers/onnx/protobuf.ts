/** Writes protocol buffer messages: the few wire types that an ONNX model needs. */

const text = new TextEncoder()

/** A message under construction: fields are appended in call order. */
export class ProtoWriter {
  private bytes = new Uint8Array(256)
  private length = 0

  /** Field of type int32, int64 or enum; `value` must be a safe integer (negatives take ten bytes). */
  varint(field: number, value: number | bigint): void {
    this.tag(field, 0)
    this.rawVarint(BigInt.asUintN(64, BigInt(value)))
  }

  float(field: number, value: number): void {
    this.tag(field, 5)
    this.reserve(4)
    new DataView(this.bytes.buffer).setFloat32(this.length, value, true)
    this.length += 4
  }

  string(field: number, value: string): void {
    this.blob(field, text.encode(value))
  }

  /** Field of type bytes, or a nested message that is already encoded. */
  blob(field: number, value: Uint8Array): void {
    this.tag(field, 2)
    this.rawVarint(BigInt(value.length))
    this.reserve(value.length)
    this.bytes.set(value, this.length)
    this.length += value.length
  }

  message(field: number, write: (nested: ProtoWriter) => void): void {
    const nested = new ProtoWriter()
    write(nested)
    this.blob(field, nested.finish())
  }

  /** The bytes so far; a view that the next write may move. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  private tag(field: number, wireType: number): void {
    this.rawVarint(BigInt(field * 8 + wireType))
  }

  private rawVarint(value: bigint): void {
    this.reserve(10)
    let rest = value
    while (rest > 0x7fn) {
      this.bytes[this.length++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.bytes[this.length++] = Number(rest)
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count))
    larger.set(this.bytes)
    this.bytes = larger
  }
}
