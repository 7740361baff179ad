/** The machine gives out in the middle: a full disk, a read-only one, no more files. Exit 6, in words, nothing lost. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { emptyProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

const LAUNCHER = join(import.meta.dirname, '../../cli/sluice.cjs')

const PIPELINE = `version: 1
name: tiny
data: rows.jsonl
flow: clean -> split
stages:
  split:
    with: { train: 80%, validation: 10%, test: 10%, seed: 1 }
`

function project(): Project {
  const made = emptyProject()
  made.write('sluice.config.yaml', 'version: 1\n')
  made.write('pipelines/tiny.pipeline.yaml', PIPELINE)
  const rows = Array.from({ length: 400 }, (_, i) => ({
    prompt: `What is ${String(i)} times seven?`,
    response: `It is ${String(i * 7)}, ${'as anybody can work out '.repeat(8)}`,
  }))
  made.write('rows.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return made
}

/** In a mount namespace of its own, so that what is mounted is gone with it. `$SLUICE run` is the command. */
function inNamespace(root: string, script: string) {
  const env = {
    ...process.env,
    SLUICE: `${process.execPath} ${LAUNCHER}`,
    SLUICE_LANG: 'en',
    GITHUB_ACTIONS: '',
  }
  const done = spawnSync('unshare', ['-rm', 'sh', '-c', script], { cwd: root, env, encoding: 'utf8' })
  return { ...done, said: done.stdout.split('\n').filter((line) => line.startsWith('= ')) }
}

const probe = inNamespace('/tmp', 'mount -t tmpfs tmpfs /mnt && echo "= mounted"')
const possible = probe.said.length === 1
if (!possible) console.warn(`SKIPPED: full and read-only disks; nothing can be mounted here: ${probe.stderr}`)

const RUN = '$SLUICE run > out.txt; echo "= exit $? $(tail -1 out.txt | cut -d, -f1-2)"'
/** The second run splits in another way, so that it has to write. */
const CHANGE = 'sed -i "s/seed: 1/seed: 2/" pipelines/tiny.pipeline.yaml'

describe.skipIf(!possible)('a disk', () => {
  test.each([
    ['is full before the run', 0],
    ['gets full in the first lines of the log', 8],
    ['gets full while a worker writes', 60],
  ])('that %s is exit 6 in words; with space again it goes on', (_, freeKiB) => {
    const { said, stderr } = inNamespace(
      project().root,
      `mkdir .sluice; mount -t tmpfs -o size=3m tmpfs .sluice
       ${RUN}; ${CHANGE}
       head -c ${String(freeKiB)}k /dev/zero > .sluice/spare
       cat /dev/zero > .sluice/filler 2> /dev/null; rm .sluice/spare
       ${RUN}; rm .sluice/filler
       ${RUN}; ${RUN}`,
    )
    expect(said.map((line) => line.replace(/exit 6.*/, 'exit 6'))).toEqual([
      '= exit 0 2 ran, 0 cached',
      '= exit 6',
      '= exit 0 1 ran, 1 cached',
      expect.stringContaining('= exit 0 everything cached') as string,
    ])
    expect(stderr).toMatch(/the disk is full|no space left/i)
    expect(stderr).toMatch(/free some space|check the space/)
    expect(stderr).not.toMatch(/mistake of sluice/)
  })

  test('that is read-only is exit 6 in words; writable again it goes on', () => {
    const { said, stderr } = inNamespace(
      project().root,
      `${RUN}; ${CHANGE}
       mount --bind .sluice .sluice; mount -o remount,ro,bind .sluice
       ${RUN}; umount .sluice
       ${RUN}`,
    )
    expect(said.map((line) => line.replace(/exit 6.*/, 'exit 6'))).toEqual([
      '= exit 0 2 ran, 0 cached',
      '= exit 6',
      '= exit 0 1 ran, 1 cached',
    ])
    expect(stderr).toMatch(/cannot write .*\.sluice.*read-only/)
    expect(stderr).not.toMatch(/mistake of sluice/)
  })
})

test('with too few open files a run ends with 6 or works, and the next one goes on', () => {
  const { root } = project()
  const env = { ...process.env, SLUICE_LANG: 'en', GITHUB_ACTIONS: '' }
  const limited = (files: number, ...command: readonly string[]) =>
    spawnSync('sh', ['-c', `ulimit -n ${String(files)}; exec "$@"`, 'sh', process.execPath, ...command], {
      cwd: root,
      env,
      encoding: 'utf8',
    })
  // Node itself needs some twenty: from the first number with which it starts, up to one that is enough.
  const codes: (number | null)[] = []
  for (let files = 18; files < 60 && codes.at(-1) !== 0; files++) {
    if (limited(files, '-e', '0').status !== 0) continue
    const { status, stderr } = limited(files, LAUNCHER, 'run')
    codes.push(status)
    expect([0, 6], `${String(files)} files:\n${stderr}`).toContain(status)
    if (status === 6) expect(stderr).toMatch(/help: /)
  }
  expect(codes).toContain(6)
  expect(codes.at(-1)).toBe(0)
  const last = spawnSync(process.execPath, [LAUNCHER, 'run'], { cwd: root, env, encoding: 'utf8' })
  expect(last.stdout).toContain('everything cached')
})
