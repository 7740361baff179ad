/** `sluice fmt`: writes whole files or none, keeps links and modes, and leaves alone what it cannot read. */
import { chmodSync, lstatSync, readFileSync, renameSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FILE, freshProject, launch } from './newcomer.ts'

test('writes the layout once, and finds nothing to do afterwards', async () => {
  const project = freshProject()
  await project.sluice('fmt')
  const tidy = project.read(FILE)
  expect(await project.sluice('fmt')).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(await project.sluice('fmt', '--check')).toEqual({ code: 0, stdout: '', stderr: '' })

  project.write(FILE, `\ufeff${tidy.replaceAll('\n', '\r\n').replace('stages:', 'stages:   ')}`)
  const messy = project.read(FILE)
  const check = await project.sluice('fmt', '--check')
  expect(check).toEqual({ code: 10, stdout: `${FILE} would change\n`, stderr: '' })
  expect(project.read(FILE)).toBe(messy)
  expect(await project.sluice('fmt', FILE)).toEqual({ code: 0, stdout: `${FILE} written\n`, stderr: '' })
  expect(project.read(FILE)).toBe(tidy)
})

test('--fix says what it put right, in the language of the user', async () => {
  const project = freshProject()
  await project.sluice('fmt')
  const tidy = project.read(FILE)
  project.edit('name:', 'name：')
  project.edit('flow:', 'flwo:')
  const { code, stdout } = await launch(project.root, ['fmt', '--fix'], [], { SLUICE_LANG: 'zh' }).ended
  expect(code).toBe(0)
  expect(stdout).toBe(
    `${FILE}：E020 '：' 是全角符号 -> 改成半角符号\n` +
      `${FILE}：E003 流水线没有 'flwo' 这个键 -> 改成 flow\n${FILE} 已改写\n`,
  )
  expect(project.read(FILE)).toBe(tidy)
  expect(await project.sluice('validate')).toMatchObject({ code: 0 })
})

test('a file that YAML cannot read is left alone, byte for byte', async () => {
  const project = freshProject()
  project.edit('stages:', 'stages: [')
  const broken = project.read(FILE)
  for (const flags of [[], ['--check'], ['--fix']]) {
    const { code, stdout, stderr } = await project.sluice('fmt', ...flags)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('error E008')
    expect(project.read(FILE)).toBe(broken)
  }
})

test('UTF-16 is written as UTF-8 on request, GBK is a guess and stays', async () => {
  const project = freshProject()
  await project.sluice('fmt')
  const tidy = project.read(FILE)
  project.write(FILE, Buffer.from(`\ufeff${tidy}`, 'utf16le'))
  expect(await project.sluice('fmt')).toMatchObject({ code: 2 })
  expect((await project.sluice('fmt', '--fix')).stdout).toContain(`${FILE}: E019`)
  expect(project.read(FILE)).toBe(tidy)

  const chinese = Buffer.from([0x23, 0x20, 0xbf, 0xcd, 0xb7, 0xfe, 0x0a])
  project.write(FILE, Buffer.concat([chinese, Buffer.from(tidy)]))
  const { code, stderr } = await project.sluice('fmt', '--fix')
  expect(code).toBe(2)
  expect(stderr).toContain('# 客服')
  expect(readFileSync(join(project.root, FILE)).subarray(0, chinese.length).equals(chinese)).toBe(true)
})

test('a link stays a link, and the file keeps its mode', async () => {
  const project = freshProject()
  const [path, real] = [join(project.root, FILE), join(project.root, 'elsewhere.yaml')]
  project.edit('stages:', 'stages:   ')
  renameSync(path, real)
  symlinkSync(real, path)
  chmodSync(real, 0o640)
  expect(await project.sluice('fmt')).toMatchObject({ code: 0 })
  expect(lstatSync(path).isSymbolicLink()).toBe(true)
  expect(statSync(real).mode & 0o777).toBe(0o640)
  expect(readFileSync(real, 'utf8')).not.toContain('stages:   ')
})
