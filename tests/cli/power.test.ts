/** A question that the test rows cannot answer is named before anything is trained. */
import { expect, test } from 'vitest'
import { trainedProject } from './newcomer.ts'

interface Judged {
  readonly gates: Readonly<
    Record<
      string,
      {
        readonly checks: readonly {
          readonly margin: number
          readonly significance: { readonly detectable: number }
        }[]
      }
    >
  >
}

test('plan says how many rows it would take, so does validate, and the gate alone does not', async () => {
  const project = await trainedProject()
  project.edit('gate:\n    checks:\n', 'gate:\n    baseline: untuned\n    checks:\n')
  const asking = (by: string) => `- perplexity better than baseline by ${by} with p < 0.05`
  project.edit('- perplexity <= 100000', asking('0'))
  await project.sluice('run')
  const { gates } = JSON.parse((await project.sluice('gate', '--json')).stdout) as Judged
  const [check] = gates['gate']?.checks ?? []
  const { margin, significance } = check ?? { margin: 0, significance: { detectable: 0 } }
  const { detectable } = significance
  expect(detectable).toBeGreaterThan(0)
  // What is left of the difference is half of what six rows can show.
  project.edit(asking('0'), asking(String(margin - detectable / 2)))
  expect((await project.sluice('plan')).stderr).toBe('')
  // To look at the file alone is to look before a run.
  const valid = await project.sluice('validate')
  expect([valid.code, valid.stderr]).toEqual([0, expect.stringContaining('warning W209')])
  project.edit('epochs: 1', 'epochs: 2')
  const { stderr, code } = await project.sluice('plan')
  expect(code).toBe(0)
  expect(stderr).toContain('warning W209: this test set is too small for this question')
  expect(stderr).toContain('to show as little as that takes about 24 rows')
})
