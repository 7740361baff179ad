/** `--only`, `--from`, `--until`, `--force` and their contradictions, as they are typed. */
import { describe, expect, test } from 'vitest'
import { freshProject, trainedProject } from './newcomer.ts'

describe('what takes part', () => {
  test.each([
    ['--only', 'wants the stages that may run'],
    ['eval --only --from split', '--only and --from contradict each other'],
    ['--from eval --until clean', 'nothing lies between eval and clean'],
    ['eval --only --force clean', 'clean is forced, but it is not among the stages of this run'],
    ['--from lora-trian', "did you mean 'lora-train'"],
    ['eval --only', 'would have to run first (never run here), and 4 more'],
  ])('plan %s', async (typed, words) => {
    const { code, stderr } = await freshProject().sluice('plan', ...typed.split(' '))
    expect(code).toBe(2)
    expect(stderr).toContain(words)
    expect(stderr).toContain('\n  help: ')
  })

  test('a policy for failures is one of two', async () => {
    const { code, stderr } = await freshProject().sluice('run', '--fail-fast', '--keep-going')
    expect(code).toBe(2)
    expect(stderr).toContain('--fail-fast and --keep-going contradict each other')
  })

  test('a part of a trained pipeline runs on what is there', async () => {
    const project = await trainedProject()
    const forced = async (...typed: readonly string[]) => {
      const { stdout, stderr } = await project.sluice('plan', '--json', ...typed)
      expect(stderr).toBe('')
      const { stages } = JSON.parse(stdout) as { stages: { stage: string; reasons?: { type: string }[] }[] }
      return stages.filter(({ reasons }) => reasons?.[0]?.type === 'forced').map(({ stage }) => stage)
    }
    expect(await forced('--force', 'tokenize')).toEqual(['tokenize'])
    expect(await forced('--force-downstream', 'tokenize')).toEqual(['tokenize', 'lora-train', 'eval'])
    expect(await forced('--from', 'tokenize', '--until', 'eval', '--force', 'lora-train')).toEqual([
      'lora-train',
    ])
    project.edit('lr: =params.rate', 'lr: 5e-3')
    const refused = await project.sluice('run', 'eval', '--only')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('lora-train would have to run first (with.lr  0.001 → 0.005')
    const ran = await project.sluice('run', 'lora-train', '--only')
    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stdout).toContain('1 ran, 4 cached')
  })
})
