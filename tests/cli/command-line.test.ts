/** What is typed wrong, and what the surroundings of a command do to it. */
import { describe, expect, test } from 'vitest'
import { freshProject, launch, LOCK } from './newcomer.ts'

const ESCAPE = '\u001b['

/** Node's own words for another version, set before the launcher looks. */
function pretend(version: string): readonly string[] {
  const versions = `{...process.versions,node:${JSON.stringify(version)}}`
  return ['--import', `data:text/javascript,Object.defineProperty(process,'versions',{value:${versions}})`]
}

describe('what is typed', () => {
  const wrong: readonly (readonly [string, string])[] = [
    ['rnu', "did you mean 'run'?"],
    ['frobnicate', 'help: sluice --help'],
    ['run --forse clean', 'did you mean --force?'],
    ['plan --jsno', 'did you mean --json?'],
    ['--bogus', 'a command is missing before --bogus'],
    ['run evl', "did you mean 'eval'?"],
    ['why', 'help: sluice why'],
    ['show evl', "did you mean 'eval'?"],
    ['run --events xml', 'ndjson'],
    ['run -p rate', 'NAME=VALUE'],
    ['run -p rte=1', "there is no parameter 'rte'"],
    ['explain E12o', "did you mean 'E120'?"],
    ['plan -f nowhere.yaml', 'there is no file nowhere.yaml'],
  ]
  const project = freshProject()
  test.each(wrong)('sluice %s', async (words, hint) => {
    const { code, stdout, stderr } = await project.sluice(...words.split(' '))
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain(hint)
    expect(stderr).not.toMatch(/^ {4}at /m)
  })

  test('help and version are no mistakes', async () => {
    expect(await project.sluice('--help')).toMatchObject({ code: 0, stderr: '' })
    const help = await project.sluice('run', '--help')
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(await project.sluice('help', 'run')).toEqual(help)
    expect((await project.sluice('--version')).stdout).toMatch(/^sluice \d+\.\d+\.\d+/)
  })
})

describe('the surroundings', () => {
  test('a Node that is too old is named, with what to do (exit 6)', async () => {
    const { root } = freshProject()
    for (const version of ['18.20.4', '20.18.3']) {
      const { code, stderr } = await launch(root, ['plan'], pretend(version)).ended
      expect(code).toBe(6)
      expect(stderr).toContain('sluice needs Node 20.19 or newer')
      expect(stderr).toContain('help:')
    }
    expect((await launch(root, ['plan'], pretend('20.19.0')).ended).code).toBe(0)
  })

  test('a reader that goes away (| head) is no error', async () => {
    const { root } = freshProject()
    const running = launch(root, ['plan'])
    running.child.stdout?.destroy()
    expect(await running.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test('colours come when asked for, and never into a pipe by themselves', async () => {
    const { root } = freshProject()
    const plain = await launch(root, ['plan'], [], { NO_COLOR: '1' }).ended
    expect(plain.stdout).toContain('6 of 6 stages will run')
    expect(plain.stdout).not.toContain(ESCAPE)
    expect((await launch(root, ['plan']).ended).stdout).not.toContain(ESCAPE)
    expect((await launch(root, ['plan', '--color', 'always']).ended).stdout).toContain(ESCAPE)
  })

  test('-C works as if started there', async () => {
    const { root } = freshProject()
    const { code, stdout } = await launch('/', ['-C', root, 'plan']).ended
    expect(code).toBe(0)
    expect(stdout).toContain('6 of 6 stages will run')
  })

  test('-C holds for every path, and for mistakes in the lock', async () => {
    const project = freshProject()
    const gate = await launch('/', ['-C', project.root, 'gate', '--junit', 'gate.xml']).ended
    expect(gate.code).toBe(4)
    expect(project.read('gate.xml')).toContain('<testsuite')
    project.write(LOCK, '<<<<<<< ours\n')
    const broken = await launch('/', ['-C', project.root, 'plan']).ended
    expect([broken.code, broken.stderr]).toEqual([2, expect.stringContaining(`--> ${LOCK}:1:1`)])
    const nowhere = await launch('/', ['-C', `${project.root}/none`, 'plan']).ended
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining('there is no such folder')])
  })
})
