/** No training graph adds rows with ONNX Runtime's scatter operators, which lose updates; see docs/notes/scatter-race.md. */
import { expect, test } from 'vitest'
import { buildLlamaGraph } from '../../workers/onnx/llama-graph.ts'
import { readModel } from '../../workers/onnx/model-dir.ts'
import { GraphBuilder } from '../../workers/onnx/onnx-graph.ts'
import { LINEAR_GROUPS, fullLayout, loraLayout } from '../../workers/onnx/parameter-layout.ts'
import type { LoraShape } from '../../workers/onnx/parameter-layout.ts'
import { SMALL, randomModelDir } from './model-fixture.ts'

const ALL = new Set<string>(LINEAR_GROUPS.flat())

test('training graphs of every kind hold no Scatter operator', () => {
  const checked: string[] = []
  for (const tieWordEmbeddings of [false, true]) {
    const config = { ...SMALL, tieWordEmbeddings }
    const model = readModel(randomModelDir(config, 5))
    for (const kind of ['full', 'lora', 'lora with dropout']) {
      const lora: LoraShape | null =
        kind === 'full' ? null : { r: 4, scale: 2, dropout: kind === 'lora' ? 0 : 0.1, targets: ALL }
      const layout = lora === null ? fullLayout(config) : loraLayout(config, lora)
      for (const recompute of [false, true]) {
        // With a loss everywhere, and with a loss at a quarter of the positions.
        for (const targets of [64, 16]) {
          const shape = { rows: 2, length: 32, targets }
          const frozen = lora === null ? null : model
          const bytes = buildLlamaGraph({
            ...{ config, model: frozen, layout, lora, gradients: true, recompute },
            ...shape,
          })
          const name = `${kind}, tied ${tieWordEmbeddings}, recompute ${recompute}, ${targets} targets`
          const operators = operatorsOf(bytes)
          // A backward pass has more than the forward pass's seven products per layer.
          expect(count(operators, 'Gemm'), name).toBeGreaterThan(14 * config.layers)
          expect(
            operators.filter((operator) => operator.startsWith('Scatter')),
            name,
          ).toEqual([])
          checked.push(name)
        }
      }
    }
  }
  expect(new Set(checked).size).toBe(24)
})

test('the reader of operators would see a Scatter', () => {
  const graph = new GraphBuilder()
  const table = graph.input('table', 'f32', [4, 2])
  const index = graph.input('index', 'i64', [3, 1])
  const rows = graph.input('rows', 'f32', [3, 2])
  graph.one('Identity', [graph.one('ScatterND', [table, index, rows], { reduction: 'add' })])
  expect(operatorsOf(graph.encode())).toEqual(['ScatterND', 'Identity'])
})

function count(operators: readonly string[], wanted: string): number {
  return operators.filter((operator) => operator === wanted).length
}

/** The op types of a serialized model: field 4 of the nodes, which are field 1 of the graph, field 7 of the model. */
function operatorsOf(model: Uint8Array): string[] {
  return fieldsOf(model, 7)
    .flatMap((graph) => fieldsOf(graph, 1))
    .flatMap((node) => fieldsOf(node, 4))
    .map((name) => new TextDecoder().decode(name))
}

/** The contents of every length-delimited field `wanted` of one message. */
function fieldsOf(message: Uint8Array, wanted: number): Uint8Array[] {
  const found: Uint8Array[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!
      value += (byte % 128) * scale
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = varint()
    const [field, wireType] = [Math.floor(key / 8), key % 8]
    if (wireType === 0) varint()
    else if (wireType === 5) at += 4
    else if (wireType === 2) {
      const length = varint()
      if (field === wanted) found.push(message.subarray(at, at + length))
      at += length
    } else throw new Error(`wire type ${wireType} is not used by our writer`)
  }
  return found
}
