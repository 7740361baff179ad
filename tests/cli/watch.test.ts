/** `sluice run --watch`: a change runs, a mistake is told and waited out, Ctrl-C ends it. */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { nextChange, stampOf } from '../../cli/watching.ts'
import { newRoot, write } from '../support/rig.ts'
import { FILE, trainedProject } from './newcomer.ts'

describe('waiting for a change', () => {
  /** Looks that see these states one after another, and how often it waited. */
  async function over(...states: readonly string[]): Promise<string> {
    let at = 0
    const look = () => Promise.resolve(states[at] ?? 'end')
    const pause = () => (at++ < states.length ? Promise.resolve() : Promise.reject(new Error('for ever')))
    return `${await nextChange('a', { look, pause })} after ${String(at)}`
  }

  test('ends when two looks agree on something new', async () => {
    expect(await over('a', 'a', 'b', 'c', 'c', 'd')).toBe('c after 4')
    expect(await over('b', 'a', 'b', 'b')).toBe('b after 3')
  })

  test('a file that is written anew, replaced, gone or back is a change', () => {
    const root = newRoot()
    const path = join(root, 'f')
    const seen = [stampOf([path])]
    write(root, 'f', 'one')
    seen.push(stampOf([path]))
    writeFileSync(path, 'three')
    seen.push(stampOf([path]))
    write(root, 'new', 'three')
    renameSync(join(root, 'new'), path)
    seen.push(stampOf([path]))
    expect(new Set(seen).size).toBe(4)
    expect(stampOf([path])).toBe(seen[3])
  })
})

describe.skipIf(process.platform === 'win32')('run --watch', () => {
  test('runs what a change makes stale, survives a broken file, and leaves with exit 0', async () => {
    const project = await trainedProject()
    const running = project.start('run', '--watch')
    await running.says('stdout', /everything cached/)
    await running.says('stderr', /watching 4 files; Ctrl-C ends/)
    // As many editors save: a new file in place of the old one.
    const save = (text: string) => {
      project.write('saved', text)
      renameSync(join(project.root, 'saved'), join(project.root, FILE))
    }
    const good = project.read(FILE)
    save(good.replace('max_new_tokens: 8', 'max_new_tokens: 9').replace('eval:', 'eval: ]'))
    await running.says('stderr', /error E0\d\d/)
    save(good.replace('max_new_tokens: 8', 'max_new_tokens: 9'))
    await running.says('stdout', /1 ran, 5 cached/)
    project.write('data/rows.jsonl', project.read('data/rows.jsonl').split('\n').slice(2).join('\n'))
    await running.says('stdout', /[2-5] ran/)
    await running.says('stderr', /(watching 4 files[^]*){4}/)
    running.child.kill('SIGINT')
    const { code, stderr } = await running.ended
    expect(code, stderr).toBe(0)
  })

  test('cannot be one JSON document, nor force something each time', async () => {
    const project = await trainedProject()
    expect(await project.sluice('run', '--watch', '--json')).toMatchObject({ code: 2 })
    const forced = await project.sluice('run', '--watch', '--force', 'eval')
    expect(forced.stderr).toContain('--watch would force the stage after every change')
  })
})
