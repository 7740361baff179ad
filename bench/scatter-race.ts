/**
 * Counts the elements that ONNX Runtime's scatter-add operators get wrong on repeated indices; see
 * docs/notes/scatter-race.md. Usage, bundled by esbuild: scatter-race.mjs [updates] [distinct rows] [runs].
 */
import { Tensor, openSession } from '../workers/onnx/session.ts'
import { GraphBuilder } from '../workers/onnx/onnx-graph.ts'
import { seededRandom } from '../workers/onnx/random.ts'

const [ROWS, WIDTH] = [4096, 72]
const [updates = 4096, distinct = 4096, runs = 20] = process.argv.slice(2).map(Number)

const random = seededRandom(7, 'scatter')
const rows = Int32Array.from({ length: updates }, () => random.below(distinct))
// Small integers: their float32 sums are exact in every order, so whatever differs is a lost update.
const values = Float32Array.from({ length: updates * WIDTH }, () => 1 + random.below(8))
const sums = new Float32Array(ROWS * WIDTH)
for (let i = 0; i < values.length; i++) {
  const at = rows[Math.floor(i / WIDTH)]! * WIDTH + (i % WIDTH)
  sums[at] = sums[at]! + values[i]!
}

for (const op of ['ScatterND', 'ScatterElements']) {
  const dims = op === 'ScatterND' ? [updates, 1] : [updates, WIDTH]
  const repeat = op === 'ScatterND' ? 1 : WIDTH
  const index = BigInt64Array.from({ length: updates * repeat }, (_, i) =>
    BigInt(rows[Math.floor(i / repeat)]!),
  )
  for (const threads of [1, 2]) {
    const graph = new GraphBuilder()
    const inputs = [
      graph.input('table', 'f32', [ROWS, WIDTH]),
      graph.input('index', 'i64', dims),
      graph.input('values', 'f32', [updates, WIDTH]),
    ]
    graph.node(op, inputs, { attributes: { reduction: 'add' }, outputs: ['sums'] })
    graph.output('sums', 'f32', [ROWS, WIDTH])
    const session = await openSession(graph.encode(), { threads })
    const wrong: number[] = []
    for (let run = 0; run < runs; run++) {
      const found = await session.run({
        table: new Tensor('float32', new Float32Array(ROWS * WIDTH), [ROWS, WIDTH]),
        index: new Tensor('int64', index, dims),
        values: new Tensor('float32', values, [updates, WIDTH]),
      })
      const data = found['sums']!.data as Float32Array
      wrong.push(data.reduce((count, value, i) => count + (value === sums[i] ? 0 : 1), 0))
    }
    const bad = wrong.filter((count) => count > 0)
    console.log(
      `${op}, ${threads} threads, ${updates} updates of ${distinct} rows: ${bad.length} of ${runs} runs wrong` +
        (bad.length === 0 ? '' : `, by ${Math.min(...bad)} to ${Math.max(...bad)} elements`),
    )
  }
}
