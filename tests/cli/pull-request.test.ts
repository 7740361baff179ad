/** From a changed file to a merged one: locks, main, gates and their evidence, through the real command line and git. */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { FILE, LOCK, emptyProject, launch, trainedProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

const LAUNCHER = join(import.meta.dirname, '../../cli/sluice.cjs')
const ENVIRONMENT = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }

function git(project: Project, ...args: readonly string[]): string {
  return execFileSync('git', args, {
    cwd: project.root,
    encoding: 'utf8',
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim()
}

function commit(project: Project, message: string): string {
  git(project, 'add', '-A')
  git(project, 'commit', '-q', '-m', message)
  return git(project, 'rev-parse', '--short', 'HEAD')
}

/** The trained project with its first run committed on main. */
async function released(): Promise<{ readonly project: Project; readonly commit: string }> {
  const project = await trainedProject()
  project.write('.gitignore', '.sluice/\n')
  git(project, 'init', '-q', '-b', 'main')
  git(project, 'config', 'user.name', 't')
  git(project, 'config', 'user.email', 't@example.com')
  return { project, commit: commit(project, 'first release') }
}

describe('the lock', () => {
  test('is checked without running anything, and --locked refuses a file that says something else', async () => {
    const { project } = await released()
    expect(await project.sluice('lock', '--check')).toMatchObject({ code: 0, stderr: '' })
    project.edit('lr: =params.rate', 'lr: 5e-3')
    const { code, stdout } = await project.sluice('lock', '--check')
    expect(code).toBe(10)
    expect(stdout).toMatch(
      new RegExp(`^${LOCK} is stale.*\n\n {2}lora-train {2}with\\.lr {2}0\\.001 → 0\\.005 +${FILE}:\\d+\n$`),
    )
    const before = project.read(LOCK)
    const refused = await project.sluice('run', '--locked')
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toMatch(/--locked: .* does not say what .* says\n\n {2}lora-train {2}with\.lr/)
    project.edit('lr: 5e-3', 'lr: =params.rate')
    // A machine that has nothing but the files runs by the same recipe, and the lock stays as it is, byte for byte.
    rmSync(join(project.root, '.sluice'), { recursive: true })
    const locked = await project.sluice('run', '--locked')
    expect(locked.code, locked.stderr).toBe(0)
    expect(locked.stdout).toContain('6 ran, 0 cached')
    expect(await project.sluice('run')).toMatchObject({ code: 0 })
    expect(project.read(LOCK)).toBe(before)
    rmSync(join(project.root, LOCK))
    expect(await project.sluice('lock', '--check')).toMatchObject({ code: 10 })
  })

  test('of two branches is settled by --resolve, and by the merge driver without a conflict', async () => {
    const { project } = await released()
    project.write('.gitattributes', 'pipelines/*.pipeline.lock merge=sluice-lock\n')
    commit(project, 'attributes')
    git(project, 'switch', '-q', '-c', 'rate')
    project.edit('lr: =params.rate', 'lr: 5e-3')
    expect(await project.sluice('run')).toMatchObject({ code: 0 })
    commit(project, 'rate')
    git(project, 'switch', '-q', 'main')
    project.edit('max_new_tokens: 8', 'max_new_tokens: 6')
    expect(await project.sluice('run')).toMatchObject({ code: 0 })
    const main = commit(project, 'shorter answers')
    expect(() => git(project, 'merge', '-q', 'rate')).toThrow()
    const plan = await project.sluice('plan')
    expect(plan.code).toBe(2)
    expect(plan.stderr).toContain('sluice lock --resolve')
    const resolved = await project.sluice('lock', '--resolve')
    expect(resolved).toMatchObject({ code: 0, stderr: '' })
    expect(resolved.stdout.split('\n')).toEqual([
      `${LOCK} holds what fits the merged file`,
      '  kept: clean, pretrain, split, tokenize, lora-train',
      '  left to the next run: eval',
      `next: sluice run, then git add ${LOCK}`,
      '',
    ])
    expect((await project.sluice('lock', '--check')).stdout).toMatch(
      /eval +is not in the lock\n {2}gate +has no verdict/,
    )
    expect((await project.sluice('run')).stdout).toContain('1 ran, 5 cached')
    const settled = project.read(LOCK)
    expect(await project.sluice('lock', '--check')).toMatchObject({ code: 0 })

    git(project, 'reset', '-q', '--hard', main)
    git(
      project,
      'config',
      'merge.sluice-lock.driver',
      `${process.execPath} ${LAUNCHER} lock --merge %O %A %B`,
    )
    git(project, 'merge', '-q', '-m', 'merged', 'rate')
    expect(project.read(LOCK)).not.toContain('<<<<<<<')
    const again = await project.sluice('run')
    expect(again.code, again.stderr).toBe(0)
    expect(again.stdout).toContain('everything cached')
    const bare = (text: string) => text.replaceAll(/^ {4}run: .*$/gm, '')
    expect(bare(project.read(LOCK))).toBe(bare(settled))
  })
})

describe('a changed test set', () => {
  test('makes the gate undecided until main is measured again; then main’s own numbers decide', async () => {
    const { project, commit: first } = await released()
    git(project, 'switch', '-q', '-c', 'pr')
    project.edit('- perplexity <= 100000', '- perplexity no worse than main by 5%')
    expect(await project.sluice('run')).toMatchObject({ code: 0 })
    project.edit('test: 20% }', 'test: 20%, seed: 7 }')
    expect(await project.sluice('run')).toMatchObject({ code: 4 })
    const undecided = await project.sluice('gate')
    expect(undecided.code).toBe(4)
    expect(undecided.stdout).toContain(`main@${first} was measured with a different ruler`)
    expect(undecided.stderr).toContain('help: measure main')
    expect((await project.sluice('baseline')).stdout).toMatch(
      /here it is [\da-f]{8}: other rows or settings.*rescore/,
    )

    const rescored = await project.sluice('baseline', 'rescore')
    expect(rescored.code, rescored.stderr).toBe(0)
    expect(rescored.stdout).toMatch(new RegExp(`eval: main@${first} measured again on 4 rows of test; ruler`))
    // The new split put rows that main was trained on into the test; that is not kept from anybody.
    expect(rescored.stderr).toMatch(/warning: main was trained on \d of these 4 test rows/)
    const decided = await project.sluice('gate', '--json')
    expect(decided.code).toBe(0)
    const { gates } = JSON.parse(decided.stdout) as {
      gates: { gate: { checks: { operands: { source: string; ruler: string }[] }[] } }
    }
    const [ours, theirs] = gates.gate.checks[0]?.operands ?? []
    expect(theirs?.source).toBe(`main@${first} (rescored)`)
    expect(theirs?.ruler).toBe(ours?.ruler)
    // Main measured by the old ruler again is nothing new.
    project.edit('test: 20%, seed: 7 }', 'test: 20% }')
    rmSync(join(project.root, 'pipelines/tiny.baseline.lock'))
    expect((await project.sluice('baseline', 'rescore')).stdout).toContain(
      'by the ruler of this file already',
    )
  })

  test('without main’s adapter in the store names the digest and how to get it', async () => {
    const { project, commit: first } = await released()
    project.edit('test: 20% }', 'test: 20%, seed: 7 }')
    const adapter =
      /out\.adapter: "(?<digest>sha256:[\da-f]{64})"/.exec(project.read(LOCK))?.groups?.['digest'] ?? ''
    rmSync(join(project.root, '.sluice/cas/sha256', adapter.slice(7, 9), adapter.slice(9)))
    const { code, stderr } = await project.sluice('baseline', 'rescore')
    expect(code).toBe(2)
    expect(stderr).toContain(
      `main@${first} cannot be measured: its lora-train.adapter (${adapter}) is not in the store`,
    )
    expect(stderr).toContain(`git switch --detach ${first} && npx sluice run lora-train --locked`)
  })
})

test('a run is blessed in the open, compared, listed and reported', async () => {
  const { project, commit: first } = await released()
  git(project, 'switch', '-q', '-c', 'pr')
  project.edit('lr: =params.rate', 'lr: 1e-1')
  project.edit('- perplexity <= 100000', '- perplexity better than main by 90%')
  expect(await project.sluice('run')).toMatchObject({ code: 3 })
  const diff = await project.sluice('diff', 'main')
  expect(diff.stdout).toContain(`main@${first}`)
  expect(diff.stdout).toMatch(/lora-train\.lr +0\.001 +0\.1/)
  const rows = await project.sluice('diff', 'main', '--by', 'perplexity', '--rows', '1,2')
  expect(rows.stdout).toMatch(
    /^row 1 .*\n {2}prompt .*\n {2}wanted .*\n {2}main@.*\n {2}this file .*\n\nrow 2 /,
  )
  expect(await project.sluice('diff', 'nowhere')).toMatchObject({ code: 2 })
  const table = await project.sluice('metrics', '--all', '--sort', 'perplexity')
  expect(table.stdout).toMatch(/run +when +gate +lr +perplexity↓ +exact_match↑ +main\?/)
  expect(table.stdout).toMatch(new RegExp(`0\\.001 +[\\d.]+ +\\d+ +main@${first}`))
  const runs = JSON.parse((await project.sluice('runs', '--json')).stdout) as {
    run: string
    exitCode: number
  }[]
  expect(runs.map(({ exitCode }) => exitCode)).toEqual([3, 0])

  const report = await project.sluice('report', '--md')
  expect(report).toMatchObject({ code: 0, stderr: '' })
  expect(report.stdout).toMatch(/^<!-- sluice tiny -->\n## ❌ tiny: FAIL\n/)
  expect(report.stdout).toContain('| `lora-train.lr` | `0.001` | `0.1` |')
  expect((await project.sluice('report', '--md')).stdout).toBe(report.stdout)

  const set = await project.sluice(
    'baseline',
    'set',
    '--run',
    'last',
    '--why',
    'the old one was never in use',
  )
  expect(set.stdout).toMatch(/pipelines\/tiny\.baseline\.lock: main is run \S+, until another run passes/)
  project.edit('better than main by 90%', 'no worse than main')
  expect((await project.sluice('gate')).code).toBe(0)
  expect((await project.sluice('baseline', 'show')).stdout).toContain('(the old one was never in use)')
  expect(await project.sluice('baseline', 'set', '--lock', 'HEAD')).toMatchObject({ code: 0 })
  expect(await project.sluice('baseline', 'set', '--lock', 'nowhere')).toMatchObject({ code: 2 })
})

describe('sluice gate', () => {
  test('writes JUnit, annotates in GitHub, and asks what if, now and in the past', async () => {
    const { project } = await released()
    project.edit('- perplexity <= 100000', '- perplexity <= 1.01')
    const summary = join(project.root, 'summary.md')
    const running = launch(project.root, ['gate', '--junit', 'gate.xml', '--json'], [], {
      GITHUB_ACTIONS: 'true',
      GITHUB_WORKSPACE: project.root,
      GITHUB_STEP_SUMMARY: summary,
    })
    const { code, stdout, stderr } = await running.ended
    expect(code).toBe(3)
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'fail', exitCode: 3 })
    expect(stderr).toMatch(
      new RegExp(
        `^::error file=${FILE},line=\\d+,endLine=\\d+,col=9,.*::perplexity <= 1\\.01: [\\d.]+ > 1\\.01`,
        'm',
      ),
    )
    expect(readFileSync(summary, 'utf8')).toContain('### tiny gate: FAIL')
    expect(project.read('gate.xml')).toContain('tests="1" failures="1" errors="0"')

    project.edit('- perplexity <= 1.01', '- perplexity <= 100000')
    const asked = await project.sluice('gate', '--what-if', 'perplexity <= 2', '--history', '20')
    expect(asked.code).toBe(3)
    expect(asked.stdout).toMatch(/✗ perplexity <= 2 .*--what-if/)
    expect(asked.stdout).toMatch(
      /what if perplexity <= 2 {3}would have blocked 1 of 1, incl\. the one of \d+ \w+ \d{4} \([\da-f]{7,}\), which had passed/,
    )
    expect((await project.sluice('gate', '--what-if', 'exact_match >= 0')).code).toBe(0)
    const wrong = await project.sluice('gate', '--what-if', 'perplexty <= 2')
    expect(wrong).toMatchObject({ code: 2, stdout: '' })
    expect(wrong.stderr).toMatch(/E201[\s\S]*--> --what-if:1:1[\s\S]*did you mean 'perplexity'/)
    expect(await project.sluice('gate', '--history', 'all')).toMatchObject({ code: 2 })
    expect(await project.sluice('gate', 'verfy')).toMatchObject({ code: 2 })
  })

  test('is tested itself: by what it is given, and by mutations; validate runs the tests', async () => {
    const { project } = await released()
    const none = await project.sluice('gate', '--test')
    expect(none.code).toBe(2)
    expect(none.stderr).toMatch(
      /there is no file pipelines\/tiny\.gate-tests\.yaml[\s\S]*given: \{ perplexity: 0\.1 \}/,
    )
    project.write(
      'pipelines/tiny.gate-tests.yaml',
      '- { given: { perplexity: 200 }, expect: pass }\n- { given: {}, expect: undecided }\n',
    )
    expect(await project.sluice('validate')).toMatchObject({ code: 0 })
    const good = await project.sluice('gate', '--test', '--mutate', '--strict')
    expect(good.code).toBe(0)
    expect(good.stdout).toContain('2 of 2 gate tests hold')
    expect(good.stdout).toMatch(/✓ perplexity <= 100000 +fails with perplexity/)
    expect(good.stdout).toContain('read by no required check: exact_match')

    project.write(
      'pipelines/tiny.gate-tests.yaml',
      '- { given: { perplexity: 200 }, expect: fail, because: 太高 }\n',
    )
    const bad = await project.sluice('gate', '--test')
    expect(bad.code).toBe(2)
    expect(bad.stdout).toContain('the gate says pass; expected fail because 太高')
    const validate = await project.sluice('validate')
    expect(validate.code).toBe(2)
    expect(validate.stderr).toMatch(/E230[\s\S]*pipelines\/tiny\.gate-tests\.yaml:1:3/)
    project.edit('- perplexity <= 100000', '- main.perplexity is missing or main.perplexity >= 1')
    expect((await project.sluice('gate', '--mutate')).stdout).toContain('can never block')
    expect(await project.sluice('gate', '--mutate')).toMatchObject({ code: 0 })
    expect(await project.sluice('gate', '--mutate', '--strict')).toMatchObject({ code: 2 })
  })

  test('signs a verdict that others verify, down to the files', async () => {
    const { project } = await released()
    const [ours, others] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')]
    project.write('gate.key', ours.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
    project.write('gate.pub', ours.publicKey.export({ type: 'spki', format: 'pem' }).toString())
    project.write('other.pub', others.publicKey.export({ type: 'spki', format: 'pem' }).toString())
    const keyless = await project.sluice('gate', '--attest', 'v.json')
    expect(keyless.code).toBe(2)
    expect(keyless.stderr).toContain('openssl genpkey -algorithm ed25519')
    expect(await project.sluice('gate', '--attest', 'v.json', '--key', 'gate.key')).toMatchObject({ code: 0 })
    const verify = (...more: readonly string[]) => project.sluice('gate', 'verify', 'v.json', ...more)
    const adapter = join(project.root, '.sluice/out/tiny/lora-train/adapter')
    const good = await verify('--pub', 'gate.pub', '--subject', adapter)
    expect(good).toMatchObject({ code: 0, stderr: '' })
    expect(good.stdout).toMatch(
      /✓ v\.json: tiny passed its gates, for lora-train\.adapter; .* has exactly its files/,
    )
    expect((await verify('--pub', 'other.pub')).code).toBe(3)
    expect((await verify('--pub', 'gate.key')).code).toBe(2)
    expect((await verify()).code).toBe(2)
    cpSync(adapter, join(project.root, 'copy'), { recursive: true })
    project.write('copy/adapter_config.json', '{}')
    const changed = await verify('--pub', 'gate.pub', '--subject', 'copy')
    expect(changed.code).toBe(3)
    expect(changed.stdout).toContain('adapter_config.json has other content')
    const envelope = project.read('v.json')
    project.write(
      'v.json',
      envelope.replace(/"payload": "(.)/, (_, letter: string) => `"payload": "${letter === 'A' ? 'B' : 'A'}`),
    )
    expect((await verify('--pub', 'gate.pub')).stdout).toContain('changed after it was signed')
    project.write('v.json', 'no')
    expect((await verify('--pub', 'gate.pub')).code).toBe(2)

    project.edit('- perplexity <= 100000', '- perplexity <= 1.01')
    expect(await project.sluice('gate', '--attest', 'v.json', '--key', 'gate.key')).toMatchObject({ code: 3 })
    const failed = await verify('--pub', 'gate.pub')
    expect(failed.code).toBe(3)
    expect(failed.stdout).toContain('the signature is good, but the verdict is "fail"')
  })
})

test('init writes the workflow and the line for the merge driver, and overwrites nothing', async () => {
  const project = emptyProject()
  project.write('.gitattributes', '*.bin binary')
  const wrote = await project.sluice('init', 'mine', '--yes')
  expect(wrote).toMatchObject({ code: 0, stderr: '' })
  expect(wrote.stdout).toContain("git config merge.sluice-lock.driver 'npx sluice lock --merge %O %A %B'")
  expect(project.read('.gitattributes')).toBe(
    '*.bin binary\npipelines/*.pipeline.lock merge=sluice-lock text eol=lf\n',
  )
  const workflow = parse(project.read('.github/workflows/mine.yml')) as {
    jobs: { gate: { steps: readonly Readonly<Record<string, unknown>>[] } }
  }
  const { steps } = workflow.jobs.gate
  expect(steps).toContainEqual({ uses: 'actions/checkout@v4', with: { 'fetch-depth': 200 } })
  expect(steps).toContainEqual({ uses: 'actions/setup-node@v4', with: { 'node-version': 20 } })
  const commands = steps.flatMap(({ run }) => (typeof run === 'string' ? [run] : []))
  // Every sluice command of the workflow is one that this version knows.
  for (const command of commands.filter((each) => each.includes('sluice'))) {
    const [verb = ''] = command.replace('npx sluice ', '').split(' ')
    expect(await project.sluice(verb, '--help'), command).toMatchObject({ code: 0 })
    for (const flag of command.match(/--[a-z]+/g) ?? [])
      expect((await project.sluice(verb, '--help')).stdout).toContain(flag)
  }
  expect(commands).toContain('git fetch --depth=200 origin main:refs/remotes/origin/main')
  project.write('.github/workflows/other.yml', 'mine\n')
  expect((await project.sluice('init', 'other')).stdout).toContain(
    'left   .github/workflows/other.yml as it is',
  )
  expect(project.read('.github/workflows/other.yml')).toBe('mine\n')
  expect(existsSync(join(project.root, 'pipelines/other.pipeline.yaml'))).toBe(true)
})
