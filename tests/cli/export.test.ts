/** What leaves the cache: an export is written whole, only behind its gate, and never over what it did not write. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ADAPTER, LOCK, trainedProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

async function exporting(options = '{ to: dist/tiny }'): Promise<Project> {
  const project = await trainedProject()
  project.edit('eval -> gate', 'eval -> gate -> export')
  project.edit('  gate:\n', `  export: { with: ${options} }\n  gate:\n`)
  return project
}

const listed = (project: Project, folder: string) => readdirSync(join(project.root, folder)).sort()
const CARD = ['README.md', 'README.zh.md', 'sluice-export.json']
const WITH_ADAPTER = [...CARD, 'adapter_config.json', 'adapter_model.safetensors', 'base.json'].sort()
const TOKENIZER = ['tokenizer.json', 'tokenizer_config.json']

test('an export behind its gate: written once, left alone while it is right, written anew when it is not', async () => {
  const project = await exporting()
  const plan = await project.sluice('plan')
  expect(plan.stdout).toMatch(
    /gate +judged on every run; as things stand it passes\n.*export +will be written to dist\/tiny/,
  )
  expect((await project.sluice('plan', '--check')).code).toBe(0)
  const first = await project.sluice('run')
  expect(first.code, first.stderr).toBe(0)
  expect(first.stderr).toMatch(/export +wrote +dist\/tiny, 8 files/)
  expect(first.stdout).toContain('everything cached')
  expect(listed(project, 'dist/tiny')).toEqual([...WITH_ADAPTER, ...TOKENIZER].sort())
  const exported = join(project.root, 'dist/tiny/adapter_model.safetensors')
  expect(readFileSync(exported).equals(readFileSync(join(project.root, ADAPTER)))).toBe(true)
  // People may edit what is exported: it is no link into the store.
  expect(statSync(exported).nlink).toBe(1)
  expect(statSync(exported).mode & 0o777).toBe(0o644)
  expect(listed(project, 'dist')).toEqual(['tiny'])

  const card = project.read('dist/tiny/README.md')
  expect(card).toContain('library_name: peft')
  expect(card).toContain('`gate`: **pass**, judged `eval`')
  expect(card).toContain('| `perplexity <= 100000` | pass | perplexity ')
  expect(card).toMatch(/\| eval \| test \| \d+ \|/)
  expect(card).toContain('| data | dataset | `data/rows.jsonl` | 1 |')
  expect(card).toMatch(/### lora-train\n\n`lora-train`, key `sha256:[0-9a-f]{64}`/)
  expect(card).toContain('| epochs | `1` |')
  expect(project.read('dist/tiny/README.zh.md')).toContain('## 裁定')
  // It is in no lock: it makes nothing that others read.
  expect(project.read(LOCK)).not.toMatch(/export\.(key|kind)/)
  expect((await project.sluice('lock', '--check')).code).toBe(0)

  const before = statSync(exported).mtimeMs
  const again = await project.sluice('run')
  expect(again.stderr).toMatch(/export +kept +dist\/tiny/)
  expect(statSync(exported).mtimeMs).toBe(before)

  project.edit('rate: 1e-3', 'rate: 2e-3')
  const other = await project.sluice('run')
  expect(other.code, other.stderr).toBe(0)
  expect(other.stderr).toMatch(/export +wrote/)
  expect(readFileSync(exported).equals(readFileSync(join(project.root, ADAPTER)))).toBe(true)
  expect(project.read('dist/tiny/README.md')).toContain('| rate | `0.002` |')
  expect(listed(project, 'dist')).toEqual(['tiny'])
})

test('nothing is written before the gate has passed, nor by a rehearsal', async () => {
  const project = await exporting()
  project.edit('perplexity <= 100000', 'perplexity <= 1.5')
  const failed = await project.sluice('run')
  expect(failed.code).toBe(3)
  expect(failed.stderr).toMatch(/export +skipped +the gate did not pass/)
  expect(existsSync(join(project.root, 'dist'))).toBe(false)
  project.edit('perplexity <= 1.5', 'perplexity <= 1000000')
  const smoke = await project.sluice('run', '--smoke')
  expect(smoke.code, smoke.stderr).toBe(0)
  expect(existsSync(join(project.root, 'dist'))).toBe(false)
  expect(listed(project, '.sluice/rehearsal/dist/tiny')).toContain('adapter_model.safetensors')
})

test('what somebody else put there is neither overwritten nor removed', async () => {
  const project = await exporting()
  project.write('dist/tiny/notes.txt', 'mine\n')
  const foreign = await project.sluice('run')
  expect(foreign.code).toBe(1)
  expect(foreign.stderr).toContain(
    'nothing was exported to dist/tiny: it holds files that no export wrote: notes.txt',
  )
  expect(listed(project, 'dist/tiny')).toEqual(['notes.txt'])
  rmSync(join(project.root, 'dist'), { recursive: true })
  expect((await project.sluice('run')).code).toBe(0)

  project.edit('library_name: peft', 'library_name: ours', 'dist/tiny/README.md')
  const edited = await project.sluice('run')
  expect(edited.code).toBe(1)
  expect(edited.stderr).toContain('README.md was changed after it was exported')
  expect(project.read('dist/tiny/README.md')).toContain('library_name: ours')
  project.edit('library_name: ours', 'library_name: peft', 'dist/tiny/README.md')
  project.write('dist/tiny/more/notes.txt', 'mine\n')
  expect((await project.sluice('run')).stderr).toContain('a file that no export wrote: more/notes.txt')
  rmSync(join(project.root, 'dist/tiny/more'), { recursive: true })

  // A file of the export that is gone is written again.
  rmSync(join(project.root, 'dist/tiny/base.json'))
  expect((await project.sluice('run')).code).toBe(0)
  expect(listed(project, 'dist/tiny')).toContain('base.json')
  project.edit('"owner": "tiny"', '"owner": "other"', 'dist/tiny/sluice-export.json')
  expect((await project.sluice('run')).stderr).toContain('it holds the export of other')
})

test.each(['export-drafted', 'export-set-aside', 'export-placed'])(
  'killed at %s: the old folder or the new one, and the next run ends it',
  async (step) => {
    const project = await exporting()
    expect((await project.sluice('run')).code).toBe(0)
    const old = project.read('dist/tiny/README.md')
    project.edit('rate: 1e-3', 'rate: 2e-3')
    const env = process.env['SLUICE_FAILPOINT']
    process.env['SLUICE_FAILPOINT'] = step
    const killed = await project.sluice('run').finally(() => {
      if (env === undefined) delete process.env['SLUICE_FAILPOINT']
      else process.env['SLUICE_FAILPOINT'] = env
    })
    expect(killed.code).toBe(null)
    const place = { 'export-set-aside': 'dist/.tiny.sluice-old' }[step] ?? 'dist/tiny'
    expect(listed(project, place)).toEqual([...WITH_ADAPTER, ...TOKENIZER].sort())
    expect(project.read(`${place}/README.md`) === old).toBe(step !== 'export-placed')
    const next = await project.sluice('run')
    expect(next.code, next.stderr).toBe(0)
    expect(project.read('dist/tiny/README.md')).toContain('| rate | `0.002` |')
    expect(listed(project, 'dist')).toEqual(['tiny'])
  },
)

test('a merged model is exported where the pipeline merges, and only then', async () => {
  const project = await exporting('{ format: merged, to: dist/model }')
  const unmerged = await project.sluice('validate')
  expect(unmerged.code).toBe(2)
  expect(unmerged.stdout + unmerged.stderr).toContain('lora-train.adapter is not merged into the model')
  project.edit('lora-train -> eval', 'lora-train -> merge -> eval')
  const { code, stderr } = await project.sluice('run')
  expect(code, stderr).toBe(0)
  expect(listed(project, 'dist/model')).toEqual(
    [...CARD, ...TOKENIZER, 'config.json', 'generation_config.json', 'model.safetensors'].sort(),
  )
  expect(project.read('dist/model/README.md')).toContain('library_name: transformers')
})

test('the verb: refuses without a passing gate, and --anyway is in the card', async () => {
  const project = await trainedProject()
  const plain = await project.sluice('export')
  expect(plain.code, plain.stderr).toBe(0)
  expect(plain.stdout).toContain('wrote ')
  expect(listed(project, 'out/tiny')).toEqual([...WITH_ADAPTER, ...TOKENIZER].sort())
  expect((await project.sluice('export')).stdout).toContain('nothing to do')
  const to = join(project.root, '../', `card-${String(process.pid)}`)
  const card = await project.sluice('export', '--format', 'card', '--to', to)
  expect(card.code, card.stderr).toBe(0)
  expect(readdirSync(to).sort()).toEqual(CARD)
  rmSync(to, { recursive: true })
  expect((await project.sluice('export', '--format', 'zip')).stderr).toContain('adapter, merged, card')
  expect((await project.sluice('export', '--format', 'merged')).stderr).toContain('no stage merges')
  expect((await project.sluice('export', 'tokenize')).stderr).toContain('tokenize makes no adapter')

  project.edit('perplexity <= 100000', 'perplexity <= 1.5')
  // Nobody ran since: what counts is what the gate says of the file as it is.
  const refused = await project.sluice('export')
  expect(refused.code).toBe(3)
  expect(refused.stderr).toContain('nothing is exported: the gate does not pass (fail): perplexity <= 1.5\n')
  expect(refused.stderr).toContain('--anyway exports it')
  const anyway = await project.sluice('export', '--anyway')
  expect(anyway.code, anyway.stderr).toBe(0)
  expect(project.read('out/tiny/README.md')).toMatch(/\*\*Exported although: the gate does not pass/)
  expect(project.read('out/tiny/sluice-export.json')).toMatch(/"anyway": "the gate does not pass/)

  // Measured otherwise, it is not measured yet.
  project.edit('perplexity <= 1.5', 'perplexity <= 100000')
  project.edit('max_new_tokens: 8', 'max_new_tokens: 9')
  const unmeasured = await project.sluice('export')
  expect(unmeasured.code).toBe(3)
  expect(unmeasured.stderr).toContain('nothing is exported: the gate does not pass (undecided): perplexity')
  expect(unmeasured.stderr).toContain('help: some metrics are not measured yet: sluice run')

  project.edit('rate: 1e-3', 'rate: 3e-3')
  const stale = await project.sluice('export', '--anyway')
  expect(stale.code).toBe(2)
  expect(stale.stderr).toContain('lora-train is not up to date')
})
