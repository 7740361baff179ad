/** A merged model measures as its model and adapter do together, and its eval goes without the adapter. */
import { expect, test } from 'vitest'
import { trainedProject } from './newcomer.ts'

interface Outcome {
  readonly metrics: Readonly<
    Record<string, { readonly metrics: Readonly<Record<string, { value: number }>> }>
  >
}

test('a merge between training and measuring changes no measured value', async () => {
  const project = await trainedProject()
  project.edit('metrics: [perplexity, exact_match]', 'metrics: [perplexity, bleu]')
  project.edit('clean -> split ->', 'lora-train -> merge -> merged; tokenize -> merged;\n  clean -> split ->')
  project.edit(
    '  gate:\n',
    '  merged: { uses: eval, with: { metrics: [perplexity, bleu], max_new_tokens: 8 } }\n  gate:\n    metrics: eval\n',
  )
  const { code, stdout, stderr } = await project.sluice('run', '--json')
  expect(code, stderr).toBe(0)
  const { metrics } = JSON.parse(stdout) as Outcome
  const [together, merged] = ['eval', 'merged'].map((name) => metrics[name]?.metrics)
  expect(merged?.['bleu']?.value).toBe(together?.['bleu']?.value)
  const [a = 0, b = 1] = [together?.['perplexity']?.value, merged?.['perplexity']?.value]
  expect(Math.abs(a / b - 1)).toBeLessThan(1e-5)

  const show = await project.sluice('show', 'merged', '--json')
  const { inputs } = JSON.parse(show.stdout) as { inputs: Readonly<Record<string, { stage?: string }>> }
  expect(inputs['model']?.stage).toBe('merge')
  expect(inputs).not.toHaveProperty('adapter')
  // A reference is a checked name: an adapter is no model.
  project.edit('uses: eval, with', 'uses: eval, inputs: { model: lora-train.model }, with')
  const refused = await project.sluice('validate')
  expect(refused.code).toBe(2)
  expect(refused.stderr + refused.stdout).toContain('put a merge stage after it')
})
