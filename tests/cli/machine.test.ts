/** The machine's GPUs and the project's own resources, through the command line. */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runFacts } from '../../cli/machine.ts'
import { FILE, freshProject, launch } from './newcomer.ts'
import type { Project } from './newcomer.ts'

/** Two GPUs, for whoever asks nvidia-smi. */
function withGpus(project: Project, visible: string): NodeJS.ProcessEnv {
  mkdirSync(join(project.root, 'bin'))
  project.write('bin/nvidia-smi', "#!/bin/sh\necho '0, GPU-aa, 24576'\necho '1, GPU-bb, 24576'\n")
  chmodSync(join(project.root, 'bin/nvidia-smi'), 0o755)
  return { PATH: `${join(project.root, 'bin')}:${process.env['PATH'] ?? ''}`, CUDA_VISIBLE_DEVICES: visible }
}

test('a pull request from the main of a fork is not main', () => {
  const facts = (environment: NodeJS.ProcessEnv) => runFacts('/', false, environment)['run.branch']
  expect(facts({ GITHUB_REF_NAME: 'main' })).toBe('main')
  expect(facts({ GITHUB_HEAD_REF: 'main', GITHUB_REF_NAME: '12/merge' })).toBe('12/merge')
  expect(facts({ CI_COMMIT_BRANCH: 'main' })).toBe('main')
})

test.skipIf(process.platform === 'win32')('a stage gets one of the GPUs that the user may use', async () => {
  const project = freshProject()
  project.edit('  lora-train:\n', '  lora-train:\n    resources: { gpu: 1, vram: 20GB }\n')
  const environment = withGpus(project, '1')
  const ran = await launch(project.root, ['run', 'lora-train'], [], environment).ended
  expect(ran.code, ran.stderr).toBe(0)
  const { stdout } = await project.sluice('show', 'lora-train', '--json')
  const shown = JSON.parse(stdout) as { result: { provenance: { gpus?: string[] } } }
  expect(shown.result.provenance.gpus).toEqual(['1'])
  project.edit('gpu: 1, vram: 20GB', 'gpu: 2')
  const refused = await launch(project.root, ['run', '--force', 'lora-train'], [], environment).ended
  expect(refused.code).toBe(6)
  expect(refused.stderr).toContain('lora-train claims gpu: 2, this machine has 1')
})

test("the project's own resources are counted in sluice.config.yaml", async () => {
  const project = freshProject()
  project.edit('  split:\n', '  split:\n    resources: { licence: 2 }\n    mutex: corpus\n')
  const unknown = await project.sluice('validate')
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain(`error E311: there is no resource 'licence'\n  --> ${FILE}:15:18`)
  project.write('sluice.config.yaml', 'resources: { licence: 0 }\n')
  const wrong = await project.sluice('plan')
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain('licence is a whole number of at least 1\n  --> sluice.config.yaml:1:23')
  project.write('sluice.config.yaml', 'resources: { licence: 2 }\n')
  const ran = await project.sluice('run', 'split')
  expect(ran.code, ran.stderr).toBe(0)
})
