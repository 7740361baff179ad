/** The language server as an editor meets it: the real launcher, the real protocol, over pipes. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { FILE as TINY, freshProject, trainedProject } from '../cli/newcomer.ts'
import type { Message } from '../../editor/protocol.ts'
import { Editor } from './client.ts'
import { FILE, GOOD } from './looking.ts'

const editors: Editor[] = []
afterAll(() => {
  for (const { child } of editors) child.kill('SIGKILL')
})

function launch(root: string, file = FILE, environment: NodeJS.ProcessEnv = {}): Editor {
  const editor = new Editor(root, file, environment)
  editors.push(editor)
  return editor
}

const project = freshProject()

/** An editor with a file open. */
async function editing(text: string): Promise<Editor> {
  const editor = launch(project.root)
  await editor.initialize()
  editor.open(text)
  return editor
}

describe('a file in an editor', () => {
  test('a typo in a metric is underlined, and taken back by its fix', async () => {
    const editor = await editing(GOOD)
    expect(await editor.problems()).toEqual([])
    editor.replace('- bleu better', '- blue better')
    const [problem, ...others] = await editor.problems()
    expect(others).toEqual([])
    expect(problem).toMatchObject({ code: 'E201', severity: 1, source: 'sluice' })
    expect(problem?.range).toEqual({ start: { line: 25, character: 8 }, end: { line: 25, character: 12 } })
    expect(problem?.message).toContain("eval does not measure 'blue': did you mean 'bleu'?")
    expect(problem?.relatedInformation?.[0]?.message).toContain('eval measures these')
    const page = fileURLToPath(problem?.codeDescription?.href ?? '')
    expect(readFileSync(page, 'utf8')).toMatch(/^E201 {2}/)
    const actions = problem === undefined ? [] : await editor.actions(problem)
    const fix = actions.find(({ isPreferred }) => isPreferred) ?? actions[0]
    expect(fix?.title).toBe('write bleu')
    editor.apply(fix?.edit.changes[editor.uri] ?? [])
    expect(editor.text).toBe(GOOD)
    expect(await editor.problems()).toEqual([])
    expect(await editor.close()).toBe(0)
  })

  test('what is said is what sluice validate says', async () => {
    const text = GOOD.replace('r: 8', 'r: 0')
      .replace('split:', 'splitt:')
      .replace('bleu >= 0.30', 'bleu >= 30')
    project.write(FILE, text)
    const { stdout } = await project.sluice('validate', '--json', FILE)
    const said = JSON.parse(stdout) as readonly {
      code: string
      message: string
      range: { start: { line: number; col: number }; end: { line: number; col: number } }
    }[]
    expect(said.length).toBeGreaterThanOrEqual(3)
    const editor = await editing(text)
    const problems = await editor.problems()
    const places = problems.map(({ code, range: { start, end } }) => [
      code,
      [start.line + 1, start.character + 1],
      [end.line + 1, end.character + 1],
    ])
    expect(places).toEqual(
      said.map(({ code, range: { start, end } }) => [code, [start.line, start.col], [end.line, end.col]]),
    )
    for (const [i, { message }] of problems.entries()) expect(message).toContain(said[i]?.message)
    await editor.close()
  })

  test('that includes what only the rows can tell', async () => {
    project.write('data/zh.jsonl', '{"prompt": "问", "response": "答案在这里"}\n'.repeat(5))
    const text = GOOD.replace('data/*.jsonl', 'data/zh.jsonl').replaceAll(', bleu_tokenizer: zh', '')
    const editor = await editing(text)
    const problems = await editor.problems()
    expect(problems.map(({ code }) => code)).toEqual(['W206', 'W206', 'W206'])
    expect(problems[0]?.severity).toBe(2)
    await editor.close()
  })

  test('completion, hover, definition, references, rename and outline', async () => {
    const editor = await editing(GOOD)
    editor.replace('      r: 8\n', '      r: 8\n      \n')
    const options = await editor.complete('      r: 8\n      |\n')
    expect(options.map(({ label }) => label)).toContain('epochs')
    editor.replace('      r: 8\n      \n', '      r: 8\n')
    expect((await editor.hover('lear|nt something'))?.contents.value).toContain('Why the check is there')
    expect(await editor.definition('baseline: eval|-base')).toBe('19: eval-base:')
    expect(await editor.references('baseline: eval|-base')).toHaveLength(4)
    editor.apply(await editor.rename('baseline: eval|-base', 'before'))
    expect(editor.text).toContain('require: perplexity < before.perplexity')
    expect(await editor.problems()).toEqual([])
    const symbols = await editor.symbols()
    expect(symbols.map(({ name }) => name)).toContain('stages')
    await expect(editor.rename('baseline: bef|ore', 'gate')).rejects.toThrow("-32803 'gate' is taken")
    await editor.close()
  })

  test('a file that is half-written keeps being completed', async () => {
    const editor = await editing(GOOD)
    await editor.problems()
    editor.replace(
      'with: { metrics: [perplexity, bleu], bleu_tokenizer: zh }\n  eval-base',
      'with: { metrics: [perp\n  eval-base',
    )
    const [problem] = await editor.problems()
    expect(problem?.code).toBe('E008')
    const labels = (await editor.complete('with: { metrics: [perp|\n')).map(({ label }) => label)
    expect(labels).toContain('perplexity')
    editor.replace('- bleu better than baseline', '- bleu better than ')
    const yardsticks = (await editor.complete('- bleu better than |\n')).map(({ label }) => label)
    expect(yardsticks).toEqual(expect.arrayContaining(['baseline', 'main', 'eval-base']))
    expect(await editor.hover('baseline: eval|-base')).toBeNull()
    await expect(editor.rename('baseline: eval|-base', 'x')).rejects.toThrow('cannot be read')
    await editor.close()
  })

  test('Chinese for who reads Chinese', async () => {
    const editor = launch(project.root, FILE, { SLUICE_LANG: '' })
    await editor.initialize('zh-cn')
    editor.open(GOOD.replace('- bleu better', '- blue better'))
    const [problem] = await editor.problems()
    expect(problem?.message).toContain("eval 没有测量 'blue'")
    expect((await editor.hover('base|line: eval'))?.contents.value).toContain('对照')
    await editor.close()
  })

  test('the last values and states of a project that ran', async () => {
    const trained = await trainedProject()
    const editor = launch(trained.root, TINY)
    await editor.initialize()
    editor.open(trained.read(TINY))
    expect(await editor.problems()).toEqual([])
    expect((await editor.hover('- perp|lexity <='))?.contents.value).toMatch(
      /last: \*\*[\d.]+\*\* \(eval\) · ruler `/,
    )
    expect((await editor.hover('lora-tr|ain -> eval'))?.contents.value).toMatch(
      /last run: \*\*(done|cached)\*\*/,
    )
    expect((await editor.hover('-> ga|te'))?.contents.value).toContain('last run: **pass**')
    await editor.close()
  }, 300_000)

  test('files of others are left alone, and a closed file has no problems', async () => {
    const other = launch(project.root, 'docker-compose.yaml')
    await other.initialize()
    other.open('services: {')
    expect(await other.complete('services|: {')).toEqual([])
    expect(await other.symbols()).toEqual([])
    expect(other.published).toEqual([])
    await other.close()
    const editor = await editing('version: 2\n')
    expect((await editor.problems()).length).toBeGreaterThan(0)
    editor.notify('textDocument/didClose', { textDocument: { uri: editor.uri } })
    await editor.request('textDocument/documentSymbol', { textDocument: { uri: editor.uri } })
    expect(editor.published.at(-1)).toMatchObject({ uri: editor.uri, diagnostics: [] })
    await editor.close()
  })
})

describe('a conversation', () => {
  test('begins with initialize and says what it can do', async () => {
    const editor = launch(project.root)
    await expect(editor.request('textDocument/hover', {})).rejects.toThrow('-32002')
    const { capabilities, serverInfo } = (await editor.initialize()) as Record<
      string,
      Record<string, unknown>
    >
    expect(serverInfo).toMatchObject({ name: 'sluice' })
    expect(capabilities).toMatchObject({ hoverProvider: true, textDocumentSync: { change: 2 } })
    await expect(editor.request('initialize', {})).rejects.toThrow('-32600')
    expect(await editor.close()).toBe(0)
  })

  test('survives what it does not know and what is wrong', async () => {
    const editor = await editing(GOOD)
    await expect(editor.request('textDocument/codeLens', {})).rejects.toThrow('-32601')
    await expect(editor.request('textDocument/hover', {})).rejects.toThrow('-32602')
    await expect(editor.request('textDocument/hover', { textDocument: { uri: editor.uri } })).rejects.toThrow(
      '-32602',
    )
    await expect(editor.request('textDocument/rename', editor.at('ev|al:\n'))).rejects.toThrow('-32602')
    editor.notify('$/setTrace', { value: 'off' })
    editor.notify('textDocument/didChange', { textDocument: { uri: editor.uri } })
    editor.notify('textDocument/didOpen', null)
    editor.write('Content-Length: 5\r\n\r\n{oops')
    expect(await editor.problems()).toEqual([])
    expect(editor.stderr).toBe('')
    expect(await editor.close()).toBe(0)
  })

  test('a request that is called off in time is not worked on', async () => {
    const editor = await editing(GOOD)
    await editor.problems()
    const params = editor.at('- bl|eu better')
    const answers: Promise<Message>[] = []
    editor.atOnce(() => {
      const requests = [1, 2, 3].map(() => editor.start('textDocument/completion', params))
      editor.notify('$/cancelRequest', { id: requests[1]?.id })
      editor.notify('$/cancelRequest', { id: 999_999 })
      answers.push(...requests.map(({ answer }) => answer))
    })
    const codes = (await Promise.all(answers)).map(({ error }) => error?.code)
    expect(codes).toEqual([undefined, -32800, undefined])
    expect(await editor.close()).toBe(0)
  })

  test('many keystrokes are checked once they pause', async () => {
    const editor = await editing(GOOD)
    await editor.problems()
    const before = editor.published.length
    editor.replace('- bleu better', '- x better')
    for (let i = 0; i < 50; i++)
      editor.replace(`- ${'x'.repeat(i + 1)} better`, `- ${'x'.repeat(i + 2)} better`)
    expect((await editor.problems()).map(({ code }) => code)).toEqual(['E201'])
    expect(editor.published.length - before).toBeLessThan(10)
    await editor.close()
  })

  test('a huge file is named and not read', async () => {
    const editor = await editing(GOOD)
    await editor.problems()
    editor.apply([
      {
        range: { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } },
        newText: `# ${'x'.repeat(110_000)}\n`,
      },
    ])
    const [problem] = await editor.problems()
    expect(problem).toMatchObject({ code: 'too-long', severity: 3 })
    expect(problem?.message).toContain('sluice validate')
    expect(await editor.complete('baseline: eval|-base')).toEqual([])
    expect(await editor.hover('baseline: eval|-base')).toBeNull()
    await editor.close()
  })

  test('ends with exit: 0 after shutdown, 1 without', async () => {
    const polite = await editing(GOOD)
    await polite.request('shutdown', null)
    await expect(polite.request('textDocument/hover', polite.at('ev|al:\n'))).rejects.toThrow('-32600')
    polite.notify('exit')
    expect(await polite.ended).toBe(0)
    const rude = await editing(GOOD)
    rude.notify('exit')
    expect(await rude.ended).toBe(1)
  })

  test('ends with its input, whatever was going on', async () => {
    const editor = await editing(GOOD)
    editor.child.stdin?.end()
    expect(await editor.ended).toBe(1)
    const polite = await editing(GOOD)
    await polite.request('shutdown', null)
    polite.child.stdin?.end()
    expect(await polite.ended).toBe(0)
  })

  test('ends with one sentence at what is not the protocol', async () => {
    const editor = launch(project.root)
    editor.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await editor.ended).toBe(1)
    expect(editor.stderr).toMatch(/^this is not the language server protocol: .*\n$/)
  })
})

test('sluice init writes a file that any YAML editor completes', async () => {
  const fresh = freshProject()
  expect((await fresh.sluice('init', 'helper')).code).toBe(0)
  const [line] = fresh.read('pipelines/helper.pipeline.yaml').split('\n')
  const path = /^# yaml-language-server: \$schema=\.\.\/(.*)$/.exec(line ?? '')?.[1] ?? ''
  expect(existsSync(`${fresh.root}/${path}`)).toBe(true)
  const { stdout } = await fresh.sluice('schema')
  expect(fresh.read(path)).toBe(stdout)
  fresh.write(path, 'old')
  expect(await fresh.sluice('schema', '--out', path)).toMatchObject({ code: 0, stdout: '' })
  expect(fresh.read(path)).toBe(stdout)
})
