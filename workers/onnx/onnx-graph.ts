/** Builds an ONNX model in memory: values are names, nodes are appended in execution order. */
import { ProtoWriter } from './protobuf.ts'

/** Element types as numbered by `TensorProto.DataType`. */
const ELEMENT = { f32: 1, u8: 2, i32: 6, i64: 7, bool: 9, f16: 10, bf16: 16 } as const

export type ElementType = keyof typeof ELEMENT
/** A number is an integer attribute; a float attribute says so, because 1 and 1.0 are one value in JavaScript. */
export type Attribute = number | readonly number[] | string | { readonly float: number }

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>
  /** How many outputs to name, or their names; one by default. An empty name leaves an output out. */
  readonly outputs?: number | readonly string[]
  readonly domain?: string
}

interface Node {
  readonly op: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly options: NodeOptions
}

interface Value {
  readonly name: string
  readonly dtype: ElementType
  /** A string is a symbolic dimension. */
  readonly dims: readonly (number | string)[]
}

interface Initializer {
  readonly value: Value
  readonly bytes: Uint8Array | { readonly file: string; readonly offset: number; readonly byteLength: number }
}

const OPSET = 21
const IR_VERSION = 10

export class GraphBuilder {
  private readonly nodes: Node[] = []
  private readonly inputs: Value[] = []
  private readonly outputs: Value[] = []
  private readonly initializers: Initializer[] = []
  private readonly constants = new Map<string, string>()
  private counter = 0

  /** Declares an input of the graph; declaring it again gives the same value. */
  input(name: string, dtype: ElementType, dims: readonly (number | string)[]): string {
    if (!this.inputs.some((value) => value.name === name)) this.inputs.push({ name, dtype, dims })
    return name
  }

  /** Declares that the value `name`, which some node makes, is an output of the graph. */
  output(name: string, dtype: ElementType, dims: readonly (number | string)[]): void {
    this.outputs.push({ name, dtype, dims })
  }

  /** A value inside the model's bytes; for weights use `external`. */
  constant(
    name: string,
    dtype: ElementType,
    dims: readonly number[],
    data: Float32Array | BigInt64Array | Int32Array | Uint8Array,
  ): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    this.initializers.push({ value: { name, dtype, dims }, bytes })
    return name
  }

  /** A shared int64 vector, as `Reshape` and the reductions take it. */
  shape(...dims: number[]): string {
    const name = `shape:${dims.join('x')}`
    if (!this.constants.has(name)) {
      this.constants.set(
        name,
        this.constant(name, 'i64', [dims.length], BigInt64Array.from(dims.map(BigInt))),
      )
    }
    return name
  }

  /** A shared float32 scalar. */
  scalar(value: number): string {
    const name = `scalar:${value}`
    if (!this.constants.has(name)) {
      this.constants.set(name, this.constant(name, 'f32', [], Float32Array.of(value)))
    }
    return name
  }

  /** A value in a file next to the model (see `openSession`'s `weightsDir`), mapped and never copied. */
  external(
    name: string,
    dtype: 'f32' | 'bf16' | 'f16',
    dims: readonly number[],
    file: string,
    offset: number,
    byteLength: number,
  ): string {
    this.initializers.push({ value: { name, dtype, dims }, bytes: { file, offset, byteLength } })
    return name
  }

  /** Appends a node and returns the names of its outputs. */
  node(op: string, inputs: readonly string[], options: NodeOptions = {}): string[] {
    const wanted = options.outputs ?? 1
    const outputs =
      typeof wanted === 'number'
        ? Array.from({ length: wanted }, () => `${op}:${this.counter++}`)
        : [...wanted]
    this.nodes.push({ op, inputs, outputs, options })
    return outputs
  }

  /** Appends a node with one output. */
  one(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): string {
    return this.node(op, inputs, { attributes, domain })[0]!
  }

  /** The serialized `ModelProto`. */
  encode(): Uint8Array {
    const model = new ProtoWriter()
    model.varint(1, IR_VERSION)
    model.string(2, 'sluice')
    model.message(7, (graph) => {
      for (const node of leavesLast(this.nodes)) graph.message(1, (out) => writeNode(out, node))
      graph.string(2, 'graph')
      for (const initializer of this.initializers)
        graph.message(5, (out) => writeInitializer(out, initializer))
      for (const value of this.inputs) graph.message(11, (out) => writeValue(out, value))
      for (const value of this.outputs) graph.message(12, (out) => writeValue(out, value))
    })
    for (const [domain, version] of [['', OPSET] as const, ['com.microsoft', 1] as const]) {
      model.message(8, (opset) => {
        if (domain !== '') opset.string(1, domain)
        opset.varint(2, version)
      })
    }
    return model.finish()
  }
}

/**
 * Moves nodes that nothing consumes to the end, last first. ONNX Runtime orders nodes by walking back from such
 * leaves, the highest index first: without this it would compute the first layer's weight gradients first and
 * keep the activations of every layer alive meanwhile.
 */
function leavesLast(nodes: readonly Node[]): Node[] {
  const consumed = new Set(nodes.flatMap((node) => node.inputs))
  const isLeaf = (node: Node): boolean => !node.outputs.some((name) => consumed.has(name))
  return [...nodes.filter((node) => !isLeaf(node)), ...nodes.filter(isLeaf).reverse()]
}

function writeNode(out: ProtoWriter, node: Node): void {
  for (const name of node.inputs) out.string(1, name)
  for (const name of node.outputs) out.string(2, name)
  out.string(3, node.outputs.find((name) => name !== '') ?? node.op)
  out.string(4, node.op)
  for (const [name, value] of Object.entries(node.options.attributes ?? {})) {
    out.message(5, (attribute) => writeAttribute(attribute, name, value))
  }
  if (node.options.domain !== undefined && node.options.domain !== '') out.string(7, node.options.domain)
}

function writeAttribute(out: ProtoWriter, name: string, value: Attribute): void {
  const [FLOAT, INT, STRING, INTS] = [1, 2, 3, 7]
  out.string(1, name)
  if (typeof value === 'number') {
    out.varint(3, value)
    out.varint(20, INT)
  } else if (typeof value === 'string') {
    out.string(4, value)
    out.varint(20, STRING)
  } else if ('float' in value) {
    out.float(2, value.float)
    out.varint(20, FLOAT)
  } else {
    for (const item of value) out.varint(8, item)
    out.varint(20, INTS)
  }
}

function writeInitializer(out: ProtoWriter, { value, bytes }: Initializer): void {
  for (const dim of value.dims) out.varint(1, Number(dim))
  out.varint(2, ELEMENT[value.dtype])
  out.string(8, value.name)
  if (bytes instanceof Uint8Array) {
    out.blob(9, bytes)
    return
  }
  const entries = { location: bytes.file, offset: String(bytes.offset), length: String(bytes.byteLength) }
  for (const [key, entry] of Object.entries(entries)) {
    out.message(13, (pair) => {
      pair.string(1, key)
      pair.string(2, entry)
    })
  }
  const EXTERNAL = 1
  out.varint(14, EXTERNAL)
}

function writeValue(out: ProtoWriter, value: Value): void {
  out.string(1, value.name)
  out.message(2, (type) => {
    type.message(1, (tensor) => {
      tensor.varint(1, ELEMENT[value.dtype])
      tensor.message(2, (shape) => {
        for (const dim of value.dims) {
          shape.message(1, (out) => (typeof dim === 'number' ? out.varint(1, dim) : out.string(2, dim)))
        }
      })
    })
  })
}
