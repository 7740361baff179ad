/** `shell`: a command as a stage, its files and variables, its failures, and that nothing of it stays behind. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runs, until } from '../support/rig.ts'
import { emptyProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

/** A project whose pipeline has these stages. */
function projectWith(stages: string, params = '{}'): Project {
  const project = emptyProject()
  project.write('data/rows.jsonl', '{"prompt":"b"}\n{"prompt":"a"}\n')
  project.write('data/more.jsonl', '{"prompt":"c"}\n')
  project.write(
    'pipelines/s.pipeline.yaml',
    `version: 1\nname: s\ndata: data/*.jsonl\nparams: ${params}\nstages:\n${stages}`,
  )
  return project
}

/** A stage of one command that writes to its only output, `out`. */
function stage(run: string, more = ''): string {
  return `  only:\n    uses: shell\n    inputs: { data: sources.data }\n    with:\n      run: |\n${run
    .split('\n')
    .map((line) => `        ${line}`)
    .join('\n')}\n      outputs: { out: files }\n${more}`
}

const outOf = (project: Project, stageName = 'only', port = 'out', file = 'x') =>
  readFileSync(join(project.root, '.sluice/out/s', stageName, port, file), 'utf8')

describe('a command', () => {
  test('finds its files and values in variables, and no text is pasted into it', async () => {
    const project = projectWith(
      stage(
        'pwd > "$SLUICE_OUTPUT_OUT/x"\nls "$SLUICE_INPUT_DATA" >> "$SLUICE_OUTPUT_OUT/x"\n' +
          'printf "%s\\n" "$SLUICE_FILES_DATA" "$TRICKY" "$SLUICE_SMOKE" >> "$SLUICE_OUTPUT_OUT/x"',
        '      env: { TRICKY: =params.tricky }\n',
      ),
      `{ tricky: "'; touch hacked; '$(touch hacked)" }`,
    )
    const { code, stderr } = await project.sluice('run')
    expect(code, stderr).toBe(0)
    const { root } = project
    expect(outOf(project).trim().split('\n')).toEqual([
      root,
      'more.jsonl',
      'rows.jsonl',
      join(root, 'data/more.jsonl'),
      join(root, 'data/rows.jsonl'),
      "'; touch hacked; '$(touch hacked)",
      '0',
    ])
    expect(existsSync(join(root, 'hacked'))).toBe(false)
  })

  test('sees no other variable of the user, and a new value of one that is declared is another key', async () => {
    const project = projectWith(
      stage(
        'echo "${SEEN-none} ${TOKEN-none} ${HIDDEN-none}" > "$SLUICE_OUTPUT_OUT/x"',
        '      env: { SEEN: =env.SLUICE_TEST_SEEN }\n      pass: [TOKEN]\n',
      ),
    )
    const at = async (seen: string, token: string) => {
      Object.assign(process.env, { SLUICE_TEST_SEEN: seen, TOKEN: token, HIDDEN: 'x' })
      const { code, stdout, stderr } = await project.sluice('run')
      expect(code, stderr).toBe(0)
      return [outOf(project).trim(), /cached/.test(stdout.replace('0 cached', '')) ? 'cached' : 'ran']
    }
    expect(await at('1', 'a')).toEqual(['1 a none', 'ran'])
    // A passed variable is no ingredient: the old result stands.
    expect(await at('1', 'b')).toEqual(['1 a none', 'cached'])
    expect(await at('2', 'b')).toEqual(['2 b none', 'ran'])
  })

  test('feeds the next one and a gate', async () => {
    const project = projectWith(
      `  sorted:
    uses: shell
    inputs: { data: sources.data }
    with:
      run: cat $SLUICE_FILES_DATA | sort > "$SLUICE_OUTPUT_ROWS/rows.jsonl"
      outputs: { rows: dataset }
  count:
    uses: shell
    inputs: { rows: sorted }
    with:
      run: |
        printf '{"lines": %d, "loss": {"value": 0.5, "n": 7}}' "$(wc -l < "$SLUICE_FILES_ROWS")" \\
          > "$SLUICE_OUTPUT_METRICS/metrics.json"
      measures: { lines: higher, loss: lower }
  gate:
    metrics: count
    checks: [lines >= 3, loss <= 0.6]
`,
    )
    const { code, stdout, stderr } = await project.sluice('run')
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/✓ lines >= 3 +3/)
    project.edit('lines >= 3', 'lines >= 4', 'pipelines/s.pipeline.yaml')
    expect(await project.sluice('run')).toMatchObject({ code: 3 })
    expect(JSON.parse(outOf(project, 'count', 'metrics', 'metrics.json'))).toMatchObject({
      metrics: { lines: { value: 3 }, loss: { value: 0.5, n: 7, direction: 'lower' } },
    })
  })

  test('is rehearsed with $SLUICE_SMOKE', async () => {
    const project = projectWith(stage('echo "$SLUICE_SMOKE" > "$SLUICE_OUTPUT_OUT/x"'))
    expect((await project.sluice('run', '--smoke')).code).toBe(0)
    expect(readFileSync(join(project.root, '.sluice/out/s.smoke/only/out/x'), 'utf8')).toBe('1\n')
  })
})

describe('a command that goes wrong', () => {
  test.each([
    [
      'exit code and last words',
      'echo first\necho "the reason" >&2\nexit 3',
      /exit code 3:\n {2}.*the reason/s,
    ],
    ['a line in the middle', 'false\necho x > "$SLUICE_OUTPUT_OUT/x"', /ended with exit code 1/],
    ['a misspelt variable', 'cat "$SLUICE_INPUT_DTA"', /SLUICE_INPUT_DTA/],
    ['nothing written', 'true', /wrote nothing to \$SLUICE_OUTPUT_OUT/],
    ['killed', 'kill -9 $$', /the command was killed/],
  ])('says so: %s', async (_, command, words) => {
    const { code, stderr } = await projectWith(stage(command)).sluice('run')
    expect(code).toBe(command.includes('kill') ? 6 : 1)
    expect(stderr).toMatch(words)
  })

  test.each([
    ['not json', /is not JSON/],
    ['{"loss": 1}', /lacks what `measures` promises: bleu/],
    ['{"bleu": "high"}', /bleu in .* is no number/],
  ])('measures badly: %s', async (text, words) => {
    const project = projectWith(
      `  only:\n    uses: shell\n    with:\n      run: |\n        echo '${text}' > "$SLUICE_OUTPUT_METRICS/metrics.json"\n      measures: { bleu: higher }\n`,
    )
    const { code, stderr } = await project.sluice('run')
    expect(code).toBe(1)
    expect(stderr).toMatch(words)
  })
})

describe.skipIf(process.platform !== 'linux')('nothing stays behind', () => {
  /** The command's background child, once it wrote its number. */
  const pidIn = async (path: string) => {
    await until(() => existsSync(path) && readFileSync(path, 'utf8').endsWith('\n'), path)
    return Number(readFileSync(path, 'utf8'))
  }
  const CHILD = 'sleep 600 & echo $! > child.pid'

  test('of a command that left something running', async () => {
    const project = projectWith(stage(`${CHILD}\necho x > "$SLUICE_OUTPUT_OUT/x"`))
    expect((await project.sluice('run')).code).toBe(0)
    expect(runs(await pidIn(join(project.root, 'child.pid')))).toBe(false)
  })

  test('after a timeout, even of what ignores TERM', async () => {
    const project = projectWith(stage(`trap '' TERM\n${CHILD}\nwait`, '    timeout: 1s\n'))
    const { code, stderr } = await project.sluice('run')
    expect(code).toBe(1)
    expect(stderr).toContain('1 s')
    expect(runs(await pidIn(join(project.root, 'child.pid')))).toBe(false)
  })

  test.each(['SIGINT', 'SIGKILL'] as const)('after %s to sluice', async (signal) => {
    const project = projectWith(stage(`${CHILD}\nwait`))
    const running = project.start('run')
    const pid = await pidIn(join(project.root, 'child.pid'))
    expect(runs(pid)).toBe(true)
    running.child.kill(signal)
    await running.ended
    await until(() => !runs(pid), 'the command ends')
  })

  test('after SIGKILL to its worker, which can end nothing any more', async () => {
    const project = projectWith(stage(`echo $PPID > worker.pid\n${CHILD}\nwait`))
    const running = project.start('run')
    const pid = await pidIn(join(project.root, 'child.pid'))
    process.kill(await pidIn(join(project.root, 'worker.pid')), 'SIGKILL')
    await until(() => !runs(pid), 'the command ends')
    const { code, stderr } = await running.ended
    expect(code).toBe(6)
    expect(stderr).toContain('the worker ended with SIGKILL')
  })
})
