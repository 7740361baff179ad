/** `graph`, `show` and `logs`: what people look at between runs, and while one is under way. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Stage } from '../../dsl/pipeline.ts'
import { dotText, drawingText, mermaidText, wiringText } from '../../cli/reports/graph.ts'
import { runIds } from '../../engine/run/log.ts'
import { pipelineOf, stageOf } from '../support/rig.ts'
import { emptyProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

const diamond = pipelineOf(
  {
    clean: { inputs: { data: '@rows' } },
    split: { inputs: { data: 'clean.out' } },
    train: { inputs: { rows: 'split.out' } },
    other: { inputs: { rows: 'split.out' } },
    eval: { inputs: { adapter: 'train.out', rows: 'split.out' } },
    publish: { after: ['eval'] },
  },
  { rows: 'rows.jsonl' },
)

describe('graph', () => {
  test('draws each line from who gives to all who take, and ends it there', () => {
    expect(drawingText(diamond)).toBe(
      [
        'toy',
        '',
        '  sources.rows ──┐',
        '  clean        ──┴─┐',
        '  split        ──┬─┘',
        '  train        ──┼─┐',
        '  other        ──┤ │',
        '  eval         ──┴─┴─┐',
        '  publish      ──────┘',
      ].join('\n'),
    )
  })

  test('breaks a line where it crosses one that it does not touch, and draws a matrix as one', () => {
    const trials = [1, 2].map((r): Stage => ({
      ...stageOf(`t[r=${String(r)}]`, { inputs: { x: 'a.out' } }),
      base: 't',
    }))
    const pipeline = pipelineOf({ a: {}, b: {}, z: { inputs: { x: 'a.out', y: 'b.out' } } })
    const [a, b, z] = pipeline.stages as [Stage, Stage, Stage]
    const drawn = drawingText({ ...pipeline, stages: [a, b, ...trials, z] })
    expect(drawn.split('\n').slice(2)).toEqual(['  a    ──┐', '  b    ──│─┐', '  t ×2 ──┤ │', '  z    ──┴─┘'])
  })

  test('a stage that takes and gives nothing stands by itself', () => {
    expect(drawingText(pipelineOf({ alone: {} }))).toBe('toy\n\n  alone')
  })

  test('as mermaid, as dot and as a list it names every port', () => {
    const edges = ['rows', 'adapter', 'after', 'data']
    for (const text of [mermaidText(diamond), dotText(diamond), wiringText(diamond)])
      for (const port of edges) expect(text).toContain(port)
    expect(mermaidText(diamond)).toContain('  sources_rows -->|"data"| clean')
    const odd = pipelineOf({ a: {} })
    const named = { ...odd, stages: [{ ...stageOf('a', {}), name: 'a[x="1\\"]' }] }
    expect(dotText(named)).toContain('"a[x=\\"1\\\\\\"]";')
  })
})

const FILE = 'pipelines/s.pipeline.yaml'

/** `first` waits for the file `go` before it ends. */
function talking(): Project {
  const project = emptyProject()
  project.write('data/rows.jsonl', '{"prompt":"b"}\n')
  project.write(
    FILE,
    `version: 1
name: s
data: data/rows.jsonl
stages:
  first:
    uses: shell
    inputs: { rows: sources.data }
    with:
      run: |
        echo begun
        while [ ! -f go ]; do sleep 0.05; done
        echo "loss NaN"
        echo ended
        cat "$SLUICE_FILES_ROWS" > "$SLUICE_OUTPUT_OUT/x"
      outputs: { out: files }
  second:
    uses: shell
    inputs: { what: first }
    with: { run: "exit 3", outputs: { out: files } }
`,
  )
  return project
}

const newestRun = ({ root }: Project) => runIds(join(root, '.sluice')).at(-1) ?? ''

test('logs --follow prints while a stage runs and ends with it; --grep finds lines in any case', async () => {
  const project = talking()
  expect((await project.sluice('logs', 'first')).stderr).toContain('first has not run here yet')
  const run = project.start('run')
  await run.says('stderr', /first +start/)
  const followed = project.start('logs', 'first', '--follow')
  await followed.says('stdout', /begun\n/)
  const open = await project.sluice('show', newestRun(project))
  expect(open.stdout).toMatch(/^run .* s {3}under way/)
  expect(open.stdout).toMatch(/● first +running/)
  project.write('go', '')
  expect(await followed.ended).toMatchObject({ code: 0, stdout: 'begun\nloss NaN\nended\n' })
  expect((await run.ended).code).toBe(1)

  expect((await project.sluice('logs', 'first', '--grep', 'nan')).stdout).toBe('loss NaN\n')
  const late = await project.sluice('logs', 'first', '-F')
  expect(late.stdout).toBe('begun\nloss NaN\nended\n')
  expect(late.stderr).toContain('no run of s is under way')
})

test('show says how a run went, and of a hash what it is, what made it and what used it', async () => {
  const project = talking()
  project.write('go', '')
  expect((await project.sluice('run')).code).toBe(1)
  // Neither needs a pipeline file that is right.
  project.write('pipelines/other.pipeline.yaml', 'version: 1\nname: other\n')
  const id = newestRun(project)
  const shown = await project.sluice('show', id.slice(-4))
  expect(shown.code).toBe(0)
  expect(shown.stdout).toMatch(/^run .* s {3}exit 1 \(a stage failed\)/)
  expect(shown.stdout).toMatch(/✓ first +ran .* because: never run here +key [0-9a-f]{12}\n/)
  expect(shown.stdout).toMatch(/✗ second +failed: the command ended with exit code 3/)

  const key = /key ([0-9a-f]{12})/.exec(shown.stdout)?.[1] ?? ''
  const result = (await project.sluice('show', key)).stdout
  expect(result).toContain(`${key}   the result of s/first\n`)
  expect(result).toMatch(/in +rows +[0-9a-f]{12} +from outside/)
  expect(result).toContain(`the newest ${id}`)
  const hash = (pattern: RegExp) => pattern.exec(result)?.[1] ?? ''
  const artifact = (await project.sluice('show', hash(/out +out +([0-9a-f]{12})/))).stdout
  expect(artifact).toMatch(/files, 15 B\n {2}made {2}by s\/first, out/)
  expect(artifact).toContain('  file  x  15 B\n')
  const source = (await project.sluice('show', hash(/in +rows +([0-9a-f]{12})/))).stdout
  expect(source).toMatch(/content that came from outside\n {2}read {2}by s\/first, rows/)

  const json = JSON.parse((await project.sluice('show', key, '--json')).stdout) as unknown
  expect(json).toMatchObject([{ type: 'result', user: 's/first', runs: [id] }])
  const none = await project.sluice('show', '0123456789ab', '-f', FILE)
  expect(none).toMatchObject({ code: 2, stdout: '' })
  expect(none.stderr).toContain("no stage, run or hash here is called '0123456789ab'")
})

test('a bad form of graph is refused in words, and a bad file is said as text', async () => {
  const project = talking()
  const wrong = await project.sluice('graph', '--format', 'svg')
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('text, mermaid, dot')])
  project.edit('uses: shell', 'uses: shel', FILE)
  const bad = await project.sluice('graph', '--format', 'dot')
  expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining("did you mean 'shell'")])
})
