/** `sluice why lora-train --against main`: the lines that differ, and nothing else. */
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { FILE, trainedProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

function git(project: Project, ...args: readonly string[]): string {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'commit.gpgsign=false']
  return execFileSync('git', [...identity, ...args], { cwd: project.root, encoding: 'utf8' }).trim()
}

/** The trained project with all that belongs there on the branch main. */
async function onMain(): Promise<Project & { readonly commit: string }> {
  const project = await trainedProject()
  project.write('.gitignore', '.sluice/\n')
  git(project, 'init', '-q', '-b', 'main')
  git(project, 'add', '-A')
  git(project, 'commit', '-q', '-m', 'passes')
  return { ...project, commit: git(project, 'rev-parse', '--short', 'HEAD') }
}

const ROW = { prompt: 'What does pear cost?', response: '3 euro.' }
const EDITED = { ...ROW, response: '4 euro.' }

describe('why --against', () => {
  test('names the option with its line and the row with both its texts', async () => {
    const project = await onMain()
    project.edit('lr: =params.rate', 'lr: 5e-3')
    project.edit(JSON.stringify(ROW), JSON.stringify(EDITED), 'data/rows.jsonl')
    const { code, stdout, stderr } = await project.sluice('why', 'lora-train', '--against', 'main')
    expect(code, stderr).toBe(0)
    expect(stdout).toBe(`lora-train   parted from main@${project.commit} in 2 places

  clean       sources.data   data/rows.jsonl: 1 row changed
              ~ data/rows.jsonl:3
                  - ${JSON.stringify(ROW)}
                  + ${JSON.stringify(EDITED)}
  lora-train  with.lr  0.001 → 0.005   ${FILE}:21
`)
    const json = await project.sluice('why', 'lora-train', '--against', 'main', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      against: `main@${project.commit}`,
      causes: [
        { stage: 'clean', type: 'source', history: { rows: [{ path: 'data/rows.jsonl', line: 3 }] } },
        { stage: 'lora-train', type: 'changed', ingredient: 'with.lr', before: '0.001', after: '0.005' },
      ],
    })
    expect((await project.sluice('plan')).stdout).toMatch(
      /clean +RUN  the content of data changed   data\/rows\.jsonl: 1 row changed   sluice why clean\n/,
    )
  })

  test('in a clone that never ran, git tells what the rows were', async () => {
    const project = await onMain()
    git(project, 'clean', '-qfdx')
    project.edit(JSON.stringify(ROW), JSON.stringify(EDITED), 'data/rows.jsonl')
    const { stdout } = await project.sluice('why', 'eval', '--against', 'HEAD')
    expect(stdout).toContain('in one place')
    expect(stdout).toContain(`data/rows.jsonl:3\n             - ${JSON.stringify(ROW)}`)
  })

  test('a run and the last lock are times, too; without --against the rows are named as well', async () => {
    const project = await trainedProject()
    const same = await project.sluice('why', 'eval', '--against', 'last')
    expect(same.stdout).toBe('eval   is made from the same as in last\n')
    const runs = JSON.parse((await project.sluice('runs', '--json')).stdout) as { run: string }[]
    project.write('data/rows.jsonl', `${project.read('data/rows.jsonl')}${JSON.stringify(EDITED)}\n`)
    const { stdout } = await project.sluice('why', 'clean', '--against', runs[0]?.run ?? '')
    expect(stdout).toContain('1 row added')
    expect(stdout).toContain(`+ data/rows.jsonl:25\n             + ${JSON.stringify(EDITED)}`)
    const plain = await project.sluice('why', 'clean')
    expect(plain.stdout).toContain('+ data/rows.jsonl:25')
  })
})
