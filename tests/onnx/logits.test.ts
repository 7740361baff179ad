/** What the worker computes equals what transformers and PEFT computed from the same files. */
import { describe, expect, it } from 'vitest'
import { readAdapter } from '../../workers/onnx/adapter-dir.ts'
import { generateGreedy, prefixLogits } from '../../workers/onnx/decoder.ts'
import { readModel } from '../../workers/onnx/model-dir.ts'
import { fixtureDir, readTinyLlama } from './model-fixture.ts'

const { prompts, cases } = readTinyLlama()

describe.each(
  cases.flatMap((one) => [
    { ...one, which: 'plain' as const },
    { ...one, which: 'adapted' as const },
  ]),
)('$model, $which', (one) => {
  const model = readModel(fixtureDir(one.model))
  const adapter = one.which === 'adapted' ? readAdapter(fixtureDir(one.adapter), model) : null

  it('has the logits of the reference', async () => {
    const expected = one[one.which].logits.flat()
    const logits = await prefixLogits(model, adapter, prompts[0]!, 1)
    expect(logits).toHaveLength(expected.length)
    const worst = Math.max(...expected.map((value, i) => Math.abs(value - logits[i]!)))
    // The logits are of the order of 10; float32 sums in another order differ by about 1e-5.
    expect(worst).toBeLessThan(1e-4)
  })

  it('continues every prompt as the reference does', async () => {
    const out = await generateGreedy(model, adapter, prompts, { threads: 2, maxNewTokens: 24, eosIds: [] })
    expect(out.map((row) => row.ids)).toEqual(one[one.which].greedy)
  })
})
