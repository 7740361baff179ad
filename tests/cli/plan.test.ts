/** `plan`: what hangs on a gate or a condition is told from what will run, and `--check` counts only the latter. */
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { emptyProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

const FILE = 'pipelines/s.pipeline.yaml'

/** Measures how many rows there are; a gate wants three, and `publish` stands behind it. */
function gatedProject(): Project {
  const project = emptyProject()
  project.write('data/rows.jsonl', '{"prompt":"b"}\n{"prompt":"a"}\n')
  project.write(
    FILE,
    `version: 1
name: s
data: data/rows.jsonl
flow: count -> gate -> publish
stages:
  count:
    uses: shell
    inputs: { rows: sources.data }
    with:
      run: |
        printf '{"lines": %d}' "$(wc -l < "$SLUICE_FILES_ROWS")" > "$SLUICE_OUTPUT_METRICS/metrics.json"
      measures: { lines: higher }
  gate:
    metrics: count
    checks: [lines >= 3]
  publish:
    uses: shell
    with: { run: "echo out > $SLUICE_OUTPUT_OUT/x", outputs: { out: files } }
  mirror:
    uses: shell
    inputs: { what: publish }
    with: { run: "echo copy > $SLUICE_OUTPUT_OUT/x", outputs: { out: files } }
  cry:
    uses: shell
    when: gate.failed or gate.undecided
    with: { run: "echo cry > $SLUICE_OUTPUT_OUT/x", outputs: { out: files } }
  tagged:
    uses: shell
    when: run.branch == 'release' and gate.passed
    with: { run: "echo tag > $SLUICE_OUTPUT_OUT/x", outputs: { out: files } }
`,
  )
  return project
}

async function planned(project: Project) {
  const { code, stdout } = await project.sluice('plan', '--json', '--check')
  const { stages } = JSON.parse(stdout) as {
    stages: { stage: string; status: string; because?: string; if?: string[]; verdict?: string }[]
  }
  return { code, stages: Object.fromEntries(stages.map(({ stage, ...facts }) => [stage, facts])) }
}

describe('before the gate can be judged', () => {
  test('what stands behind it runs if it passes; a condition that nothing can make true is known', async () => {
    const project = gatedProject()
    const { code, stages } = await planned(project)
    expect(code).toBe(10)
    expect(stages['count']).toMatchObject({ status: 'run' })
    expect(stages['publish']).toMatchObject({ status: 'run', if: ['the gate passes'] })
    expect(stages['mirror']).toMatchObject({ status: 'run', if: ['the gate passes'] })
    expect(stages['cry']).toMatchObject({ status: 'run', if: ['gate.failed or gate.undecided'] })
    expect(stages['tagged']).toMatchObject({
      status: 'left-out',
      because: "when: run.branch == 'release' and gate.passed",
    })
    const { stdout } = await project.sluice('plan')
    expect(stdout).toMatch(/^s {3}1 of 5 stages will run, 3 more may\n/)
    expect(stdout).toMatch(/○ publish +if the gate passes\n/)
    expect(stdout).toMatch(/○ tagged +left out: when: run.branch/)
    execFileSync('git', ['init', '-q', '-b', 'dev'], { cwd: project.root })
    expect((await project.sluice('plan')).stdout).toContain(
      "left out: when: run.branch == 'release' and gate.passed (run.branch is 'dev')\n",
    )
    expect((await project.sluice('why', 'mirror')).stdout).toContain('if the gate passes')
  })
})

test('events tell what was measured and each check, whether the stage ran or was cached', async () => {
  const project = gatedProject()
  for (const found of ['stage.done', 'stage.cached']) {
    const { stdout } = await project.sluice('run', '--events', 'ndjson')
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; stage?: string })
    const told = events.filter(({ stage }) => stage === 'count' || stage === 'gate').map(({ type }) => type)
    expect(told.slice(-4)).toEqual([found, 'metric', 'gate.check', 'gate.verdict'])
    const [metric, check] = ['metric', 'gate.check'].map((type) => events.find((each) => each.type === type))
    expect(metric).toMatchObject({ stage: 'count', values: { lines: 2 } })
    expect(check).toMatchObject({ text: 'lines >= 3', level: 'require', outcome: 'fail', margin: -1 })
  }
})

test("size(adapter) of an adapter of the user's own is the size of its files", async () => {
  const project = emptyProject()
  project.write('mine/a.bin', 'x'.repeat(1500))
  project.write('mine/b.bin', 'x'.repeat(500))
  project.write(
    FILE,
    `version: 1
name: s
sources: { mine: { type: adapter, from: mine/* } }
stages:
  score:
    uses: shell
    inputs: { adapter: sources.mine }
    with:
      run: echo '{"lines":2}' > "$SLUICE_OUTPUT_METRICS/metrics.json"
      measures: { lines: higher }
  gate:
    metrics: score
    checks: [size(adapter) <= 2KB]
`,
  )
  expect((await project.sluice('run')).code).toBe(0)
  expect((await project.sluice('gate')).stdout).toMatch(/✓ size\(adapter\) <= 2KB +size\(adapter\) 2000/)
  project.write('mine/c.bin', 'x')
  expect((await project.sluice('run')).code).toBe(3)
})

describe('when all that it judges is there', () => {
  test('its verdict decides, and --check asks only for what would really run', async () => {
    const project = gatedProject()
    expect((await project.sluice('run')).code).toBe(3)
    const failing = await planned(project)
    expect(failing.code).toBe(0)
    expect(failing.stages).toMatchObject({
      count: { status: 'cached' },
      gate: { status: 'judge', verdict: 'fail' },
      publish: { status: 'left-out', because: 'the gate did not pass' },
      mirror: { status: 'left-out', because: 'publish was not run' },
      cry: { status: 'cached' },
      tagged: { status: 'left-out' },
    })
    const { stdout } = await project.sluice('plan')
    expect(stdout).toMatch(/^s {3}everything that has to run is cached; the gates will be judged\n/)
    expect(stdout).toMatch(/◆ gate +judged on every run; as things stand it fails\n/)
    expect(stdout).toMatch(/○ publish +left out: the gate did not pass\n/)
    expect((await project.sluice('why', 'publish')).stdout).toContain('left out: the gate did not pass')

    project.edit('lines >= 3', 'lines >= 2', FILE)
    const passing = await planned(project)
    expect(passing.code).toBe(10)
    expect(passing.stages).toMatchObject({
      gate: { verdict: 'pass' },
      publish: { status: 'run' },
      mirror: { status: 'run' },
      cry: { status: 'left-out', because: 'when: gate.failed or gate.undecided' },
    })
    expect(passing.stages['publish']).not.toHaveProperty('if')

    expect((await project.sluice('run')).code).toBe(0)
    expect((await planned(project)).code).toBe(0)
  })
})
