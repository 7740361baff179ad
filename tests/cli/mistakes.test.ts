/** Mistakes of a newcomer: each ends with its exit code, names the place and the fix, and loses nothing. */
import { chmodSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ADAPTER, FILE, freshProject, projectWithModel, trainedProject } from './newcomer.ts'
import type { Ended, Project } from './newcomer.ts'

/** The run fails, the earlier adapter stays, no path of the workshop shows, and the undone mistake costs nothing. */
async function refused(project: Project, undo: () => void): Promise<Ended> {
  const adapter = readFileSync(join(project.root, ADAPTER))
  const ended = await project.sluice('run')
  expect(ended.code, ended.stderr).toBe(1)
  expect(ended.stderr).toMatch(/^ {2}help: /m)
  expect(ended.stderr).not.toContain(project.root)
  expect(ended.stderr).not.toContain('staging')
  expect(readFileSync(join(project.root, ADAPTER)).equals(adapter)).toBe(true)
  undo()
  const repaired = await project.sluice('run')
  expect(repaired.code, repaired.stderr).toBe(0)
  expect(repaired.stdout).toContain('everything cached')
  return ended
}

/** Breaks one file of the project and runs. */
async function refusedWith(
  project: Project,
  path: string,
  broken: (bytes: Buffer) => string | Uint8Array,
): Promise<Ended> {
  // The healthy project first: what it made must still be there afterwards.
  const healthy = await project.sluice('run')
  expect(healthy.code, healthy.stderr).toBe(0)
  const before = readFileSync(join(project.root, path))
  project.write(path, broken(before))
  return refused(project, () => project.write(path, before))
}

describe('in the pipeline file (exit 2)', () => {
  const cases: readonly (readonly [string, string, string, readonly string[]])[] = [
    ['an unknown key', 'flow:', 'flwo:', ['E003', `${FILE}:8:1`, "did you mean 'flow'?"]],
    ['a misspelt stage', '  lora-train:\n', '  lora-trian:\n', ['E110', "did you mean 'lora-train'?"]],
    ['a misspelt metric', '- perplexity', '- perplexty', ['E201', "did you mean 'perplexity'?"]],
    ['a misspelt option', 'epochs: 1', 'epoch: 1', ['E101', "did you mean 'epochs'?"]],
    ['a cycle', 'eval -> gate', 'eval -> gate; eval -> clean', ['E111', 'wait for each other', 'break one']],
    ['a missing data file', 'rows.jsonl', 'rowz.jsonl', ['E310', `${FILE}:3:`, 'data/rowz.jsonl']],
    ['a sign of a Chinese keyboard', 'perplexity <=', 'perplexity ≤', ['E221', 'write <=']],
    ['two chains without ;', 'tokenize;', 'tokenize', ['E120', "a second chain comes after ';'"]],
  ]
  test.each(cases)('%s', async (_, before, after, words) => {
    const project = freshProject()
    project.edit(before, after)
    const { code, stderr } = await project.sluice('run')
    expect(code).toBe(2)
    for (const word of words) expect(stderr).toContain(word)
    expect(stderr).toMatch(/--> pipelines\/tiny\.pipeline\.yaml:\d+:\d+/)
  })

  test('a misspelt `flow` is one problem, not one of every stage', async () => {
    const project = freshProject()
    project.edit('flow:', 'flwo:')
    const { stderr } = await project.sluice('validate')
    expect(stderr.match(/^error /gm)).toHaveLength(1)
  })
})

describe('in the world around the file', () => {
  test('BLEU on Chinese data without a Chinese tokenizer is a warning with the share of such rows', async () => {
    const project = freshProject()
    project.write(
      'data/rows.jsonl',
      '{"question":"怎么退款","answer":"七天内可以退。"}\n'.repeat(9) + '{"question":"a","answer":"b"}\n',
    )
    project.edit('metrics: [', 'bleu_tokenizer: 13a, metrics: [bleu, ')
    const { code, stderr } = await project.sluice('validate')
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(stderr).toContain('warning W206')
    expect(stderr).toContain('90% of the responses sampled from data/rows.jsonl')
    expect((await project.sluice('validate', '--strict')).code).toBe(2)
  })

  test('a lock with conflict markers is shown with its lines', async () => {
    const project = freshProject()
    project.write(
      FILE.replace('.yaml', '.lock'),
      'lock: 1\n<<<<<<< HEAD\nstages:\n=======\ngates:\n>>>>>>> b\n',
    )
    const { code, stderr } = await project.sluice('plan')
    expect(code).toBe(2)
    expect(stderr).toMatch(/error E303: .*\n {2}--> pipelines\/tiny\.pipeline\.lock:2:1/)
  })

  test('-p with a name that is not declared', async () => {
    const project = freshProject()
    const { code, stderr } = await project.sluice('validate', '-p', 'speed=1')
    expect(code).toBe(2)
    expect(stderr).toContain('error E105: -p speed')
  })
})

describe('in the data (exit 1)', () => {
  const change = (line: number, text: string) => (bytes: Buffer) => {
    const lines = bytes.toString().split('\n')
    lines[line - 1] = text
    return lines.join('\n')
  }
  const cases: readonly (readonly [string, (bytes: Buffer) => string, string])[] = [
    ['an empty file', () => '', 'no rows in data/rows.jsonl'],
    ['a row that is not JSON', change(5, '{"prompt": "x", '), 'data/rows.jsonl:5: not JSON'],
    ['a row without a field', change(7, '{"prompt": "x"}'), 'data/rows.jsonl:7: no field "response"'],
    [
      'only rows that cleaning removes',
      () => '{"prompt":"a","response":" "}\n',
      'removed all 1 rows: 1 blank',
    ],
  ]
  test.each(cases)('%s', async (_, broken, words) => {
    const { stderr } = await refusedWith(await trainedProject(), 'data/rows.jsonl', broken)
    expect(stderr).toContain(`clean failed: ${words.startsWith('removed') ? 'cleaning ' : ''}${words}`)
  })

  test('a file whose name holds signs of regular expressions is named in full', async () => {
    const project = freshProject()
    project.write('data/my-rows (1).jsonl', 'no JSON')
    project.edit('data/rows.jsonl', '"data/my-rows (1).jsonl"')
    const { code, stderr } = await project.sluice('run', 'clean')
    expect(code).toBe(1)
    expect(stderr).toContain('clean failed: data/my-rows (1).jsonl:1: not JSON')
  })

  test('a response that max_length cuts away', async () => {
    const { stderr } = await refusedWith(await trainedProject(), FILE, (bytes) =>
      bytes.toString().replace('max_length: 64', 'max_length: 8'),
    )
    expect(stderr).toMatch(/tokenize failed: the responses of \d+ rows do not fit in max_length 8/)
    expect(stderr).toContain('Raise max_length')
  })
})

describe('in the model (exit 1)', () => {
  test('heads that generation cannot take are refused before the corpus is learnt', async () => {
    const { stderr } = await refusedWith(await trainedProject(), FILE, (bytes) =>
      bytes.toString().replace('hidden: 32', 'hidden: 24').replace('steps: 10,', 'steps: 10000000,'),
    )
    expect(stderr).toContain('pretrain failed: hidden 24 shared by 2 heads gives each 12 values')
    expect(stderr).toContain('Make hidden a multiple of 16 · heads, such as 32')
  })

  test('truncated weights', async () => {
    const path = 'mine/model.safetensors'
    const { stderr } = await refusedWith(await projectWithModel(), path, (bytes) => bytes.subarray(0, 20_000))
    expect(stderr).toMatch(/lora-train failed: mine\/model\.safetensors is truncated .* has 20000 bytes/)
  })

  test('a tokenizer with more words than the model', async () => {
    const { stderr } = await refusedWith(await projectWithModel(), 'mine/tokenizer.json', (bytes) => {
      const tokenizer = JSON.parse(bytes.toString()) as { added_tokens: Record<string, unknown>[] }
      tokenizer.added_tokens.push({ ...tokenizer.added_tokens[0], id: 300, content: 'euro' })
      return JSON.stringify(tokenizer)
    })
    expect(stderr).toContain("hold tokens outside the model's vocabulary of 300")
  })

  test('a tokenizer that cannot be read', async () => {
    const { stderr } = await refusedWith(await projectWithModel(), 'mine/tokenizer.json', () => '{')
    expect(stderr).toContain('tokenize failed: mine/tokenizer.json cannot be read')
  })

  test('a loss that is not a number stops at its step, and no adapter is published', async () => {
    const project = await projectWithModel()
    const { stderr } = await refusedWith(project, 'mine/model.safetensors', (bytes) =>
      Buffer.from(bytes).fill(255, bytes.length - 4000),
    )
    expect(stderr).toMatch(/lora-train failed: Training diverged at step 1 of \d+: the loss became NaN/)
  })
})

describe('around the project (exit 6)', () => {
  test('a file stands where the state folder should be', async () => {
    const project = freshProject()
    project.write('.sluice', 'x')
    const { code, stderr } = await project.sluice('run')
    expect(code).toBe(6)
    expect(stderr).toMatch(/something else stands .*\.sluice\n {2}help: move it away/)
    expect(project.read('.sluice')).toBe('x')
    rmSync(join(project.root, '.sluice'))
    expect((await project.sluice('run', 'clean')).code).toBe(0)
  })

  test.skipIf(process.getuid?.() === 0)('the state folder is read-only', async () => {
    const project = await trainedProject()
    const folder = join(project.root, '.sluice')
    const { mode } = statSync(folder)
    chmodSync(join(folder, 'runs'), 0o555)
    const { code, stderr } = await project.sluice('run')
    chmodSync(join(folder, 'runs'), mode)
    expect(code).toBe(6)
    expect(stderr).toContain('help: check')
    expect((await project.sluice('run')).code).toBe(0)
  })
})
