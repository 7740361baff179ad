/** Test prompts that train has, too: counted by what they say, with a row of each, and only where little is to be read. */
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { gatherFacts } from '../../cli/facts.ts'
import { compile } from '../../dsl/compile.ts'
import { adviceOn, sourcesToCompare } from '../../dsl/facts.ts'
import type { Overlap } from '../../dsl/facts.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { newRoot } from '../support/rig.ts'

let root = ''
beforeEach(() => {
  root = newRoot()
  mkdirSync(join(root, 'data'), { recursive: true })
})

const write = (name: string, rows: readonly object[]): void =>
  writeFileSync(join(root, 'data', name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))

function pipelineOf(
  flow: string,
  source = '{ type: dataset, from: { train: data/train*.jsonl, test: data/test.jsonl } }',
  judged = 'test',
) {
  const text = `version: 1
name: demo
model: m
sources: { rows: ${source} }
flow: ${flow} -> tokenize -> lora-train -> eval -> gate
stages: { eval: { with: { split: ${judged} } }, gate: { checks: [bleu >= 0.3] } }
`
  const { value, diagnostics } = compile({ path: 'demo.pipeline.yaml', text }, stageKinds)
  if (value === undefined) throw new Error(JSON.stringify(diagnostics.map(({ message }) => message.en)))
  return value
}

async function overlap(flow = 'split', source?: string): Promise<Overlap | undefined> {
  const pipeline = pipelineOf(flow, source)
  const facts = await gatherFacts(pipeline, root, join(root, '.sluice'))
  expect(adviceOn(pipeline, facts).filter(({ code }) => code === 'E301')).toHaveLength(
    facts.overlaps['rows'] ? 1 : 0,
  )
  return facts.overlaps['rows']
}

test('prompts that say the same are found whatever their width, case and punctuation', async () => {
  write('train-1.jsonl', [{ prompt: 'Ａ怎么办?', response: '1' }])
  write('train-2.jsonl', [
    { prompt: 'b', response: '1' },
    { prompt: '如何开户?', response: '2' },
  ])
  write('test.jsonl', [
    { prompt: '新问题', response: '1' },
    { prompt: '如何，开户？', response: '2' },
    { prompt: ' 如何开户', response: '3' },
    { prompt: 'a怎么办', response: '4' },
  ])
  expect(await overlap()).toEqual({
    rows: 3,
    of: 4,
    test: { place: 'data/test.jsonl:2', prompt: '如何，开户？' },
    train: { place: 'data/train-2.jsonl:2', prompt: '如何开户?' },
  })
  // Looked up now, and counted again when a file changes.
  expect((await overlap())?.rows).toBe(3)
  write('train-2.jsonl', [{ prompt: 'b', response: '1' }])
  expect((await overlap())?.rows).toBe(1)
  write('train-1.jsonl', [])
  expect(await overlap()).toBeUndefined()
})

test('a clean that drops what train has needs no word; one that keeps it does', async () => {
  write('train.jsonl', [{ prompt: 'a', response: '1' }])
  write('test.jsonl', [{ prompt: 'a', response: '2' }])
  expect(sourcesToCompare(pipelineOf('clean -> split'))).toEqual([])
  expect(sourcesToCompare(pipelineOf('split'))).toEqual(['rows'])
  expect(
    sourcesToCompare(
      pipelineOf('split', '{ type: dataset, from: { train: a.jsonl, seen: b.jsonl } }', 'seen'),
    ),
  ).toEqual([])
})

test('the schema says which field asks; other names of it are known', async () => {
  write('train.jsonl', [{ article: 'a', summary: '1' }])
  write('test.jsonl', [{ article: 'A.', summary: '2' }])
  const from = 'from: { train: data/train.jsonl, test: data/test.jsonl }'
  expect(
    (await overlap('split', `{ type: dataset, ${from}, schema: { input: article, output: summary } }`))?.rows,
  ).toBe(1)
  expect(await overlap('split', `{ type: dataset, ${from} }`)).toBeUndefined()
  write('train.jsonl', [{ instruction: 'sum up', input: 'x', output: '1' }])
  write('test.jsonl', [
    { instruction: 'sum up', input: 'y', output: '1' },
    { instruction: 'Sum up:', input: 'x', output: '1' },
  ])
  expect(await overlap('split', `{ type: dataset, ${from} }`)).toMatchObject({ rows: 1, of: 2 })
})

test('what is too large, missing or no JSON is left to the stages', async () => {
  write('train.jsonl', [{ prompt: 'a', response: '1' }])
  expect(await overlap()).toBeUndefined()
  writeFileSync(join(root, 'data/test.jsonl'), 'not json\n[]\n"a"\n{"prompt":"a","response":"2"}\n')
  expect(await overlap()).toMatchObject({ rows: 1, of: 1 })
  truncateSync(join(root, 'data/train.jsonl'), 65 * 1024 * 1024)
  expect(await overlap()).toBeUndefined()
})
